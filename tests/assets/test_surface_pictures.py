"""Pictures of surfaces: of any size, always the same, each unlike the others."""

import numpy as np
import pytest

from distraction_gym.assets.generated import clip
from distraction_gym.assets.store import clips
from distraction_gym.assets.surfaces import SURFACES


@pytest.mark.parametrize("pack", SURFACES)
def test_each_surface_is_a_clip_of_one_frame(pack):
    found = clips(pack, "generated")
    assert len(found) == len(SURFACES[pack]) == 10
    pictures = [item.decode((48, 48)) for item in found]
    assert all(item.shape == (1, 48, 48, 3) and item.dtype == np.uint8 for item in pictures)
    assert all(item.std() > 5 for item in pictures), "none is flat"
    for first in range(10):
        for second in range(first):
            assert np.abs(pictures[first].astype(int) - pictures[second]).mean() > 8
    np.testing.assert_array_equal(clip(pack, 3, 48), pictures[3])
    assert clip(pack, 3, 30).shape == (1, 30, 30, 3)


def test_hard_ones_are_busier_than_easy_ones():
    def contrast(pack):
        pictures = [clip(pack, index, 64)[0].astype(float).mean(-1) for index in range(10)]
        return np.median([picture.std() for picture in pictures])

    assert contrast("table_hard") > 1.2 * contrast("table_easy")
