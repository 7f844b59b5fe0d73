"""Pictures for overlay: a folder of photographs, or the generated pool."""

import cv2
import numpy as np
import pytest

from distraction_gym.assets import pictures as module
from distraction_gym.assets.pictures import _crop, pictures
from distraction_gym.errors import AssetsMissing, BrokenAsset

SIZE = (16, 20)


@pytest.fixture
def folder(tmp_path):
    """Three pictures, each of one colour, nested as in Places365."""
    colors = {"a/abbey/1.jpg": (200, 30, 30), "b/bar/indoor/2.png": (30, 200, 30)}
    colors["c/cliff/3.jpeg"] = (30, 30, 200)
    for path, color in colors.items():
        (tmp_path / path).parent.mkdir(parents=True)
        picture = np.full((60, 90, 3), color[::-1], np.uint8)
        cv2.imwrite(str(tmp_path / path), picture)
    (tmp_path / "a" / "notes.txt").write_text("not a picture")
    return tmp_path


def test_a_folder_is_read_at_any_depth_in_rgb(folder, rng):
    batch = pictures(str(folder), SIZE).sample(60, rng)
    assert batch.shape == (60, 3, *SIZE)
    assert batch.dtype == np.uint8
    strongest = batch.mean((2, 3)).argmax(1)
    assert set(strongest) == {0, 1, 2}, "every picture is drawn, whatever its depth and suffix"
    assert (batch.max(axis=(1, 2, 3)) > 150).all()


@pytest.mark.parametrize("kind", ["folder", "generated"])
def test_the_same_generator_gives_the_same_pictures(folder, kind, monkeypatch):
    monkeypatch.setattr(module, "POOL", 6)
    source = pictures(str(folder) if kind == "folder" else "generated", SIZE)
    one, two, other = (source.sample(8, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_crops_have_torchvisions_areas_and_ratios(rng):
    area, ratio = [], []
    for _ in range(4000):
        top, left, height, width = _crop(300, 300, rng)
        assert 0 <= top <= 300 - height
        assert 0 <= left <= 300 - width
        area.append(height * width / 300**2)
        ratio.append(width / height)
    assert min(area) == pytest.approx(0.08, abs=0.01)
    assert max(area) > 0.85
    # Areas are uniform, not sides; crops that do not fit are drawn again, which favours small ones.
    assert 0.1 < np.mean(np.array(area) < 0.2) < 0.25
    assert min(ratio) == pytest.approx(3 / 4, abs=0.03)
    assert max(ratio) == pytest.approx(4 / 3, abs=0.03)
    assert np.mean(np.log(ratio)) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("shape", [(20, 2000), (2000, 20)])
def test_long_pictures_are_cropped_in_the_middle(shape, rng):
    crops = {_crop(*shape, rng) for _ in range(20)}
    top, left, height, width = next(iter(crops))
    assert 3 / 4 - 0.05 <= width / height <= 4 / 3 + 0.05
    assert abs(2 * top + height - shape[0]) <= 1
    assert abs(2 * left + width - shape[1]) <= 1


def test_pictures_are_mirrored_half_the_time(tmp_path, rng):
    ramp = np.repeat(np.arange(0, 250, 5, dtype=np.uint8)[None], 40, axis=0)
    cv2.imwrite(str(tmp_path / "ramp.png"), np.dstack([ramp] * 3))
    batch = pictures(str(tmp_path), SIZE).sample(200, rng).astype(int)
    rising = (batch[..., -1].mean((1, 2)) > batch[..., 0].mean((1, 2))).mean()
    assert 0.35 < rising < 0.65


def test_the_generated_pool_is_drawn_once_and_kept(rng, monkeypatch):
    monkeypatch.setattr(module, "POOL", 8)
    drawn = []
    original = module.generated.picture
    monkeypatch.setattr(
        module.generated, "picture", lambda *args: drawn.append(args) or original(*args)
    )
    source = pictures("generated", SIZE, seed=3)
    batch = source.sample(40, rng)
    assert batch.shape == (40, 3, *SIZE)
    assert len(np.unique(batch.reshape(40, -1), axis=0)) > 8, "mirrored ones are others"
    assert pictures("generated", SIZE, seed=3).sample(2, rng).shape == (2, 3, *SIZE)
    assert len(drawn) == 8
    assert (pictures("generated", SIZE, seed=4).sample(8, rng) != batch[:8]).any()


def test_what_is_missing_or_broken_is_named(tmp_path, rng):
    with pytest.raises(AssetsMissing, match="does not exist"):
        pictures(str(tmp_path / "nowhere"), SIZE)
    with pytest.raises(AssetsMissing, match="holds none"):
        pictures(str(tmp_path), SIZE)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(BrokenAsset, match=r"broken\.jpg"):
        pictures(str(tmp_path), SIZE).sample(1, rng)
