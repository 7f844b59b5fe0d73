"""Generated footage: natural statistics, coherent motion, the same everywhere."""

import hashlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from distraction_gym.assets import generated
from distraction_gym.assets.clips import GeneratedClip
from distraction_gym.assets.noise import Noise
from distraction_gym.assets.store import clips
from distraction_gym.errors import UnknownName

DIGEST = """
import hashlib, sys
from distraction_gym.assets import generated
pack, index, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
print(hashlib.sha256(generated.clip(pack, index, size).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def footage():
    """A few clips of both packs, `(T, 48, 48, 3)`."""
    return {
        (pack, index): generated.clip(pack, index, 48)
        for pack, index in [
            ("video_easy", 0),
            ("video_easy", 1),
            *(("video_hard", i) for i in range(4)),
        ]
    }


def _slope(picture):
    """Fit log power over log frequency, the power averaged over directions."""
    grey = picture.astype(float).mean(-1)
    size = len(grey)
    window = np.hanning(size)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window * window[:, None])) ** 2
    cycles = np.fft.fftfreq(size, 1 / size)
    ring = np.round(np.hypot(cycles, cycles[:, None])).astype(int).ravel()
    radial = np.bincount(ring, power.ravel()) / np.bincount(ring)
    band = np.arange(3, size // 2 - 2)
    return np.polyfit(np.log(band), np.log(radial[band]), 1)[0]


def test_the_power_spectrum_falls_as_that_of_photographs():
    frames = [generated.clip("video_hard", index, 84)[60] for index in range(4)]
    frames += [generated.picture(0, index, 84) for index in range(8)]
    slopes = np.array([_slope(frame) for frame in frames])
    assert -3.0 < slopes.mean() < -1.5
    assert ((slopes > -3.5) & (slopes < -1.2)).all(), slopes


def test_noise_has_the_spectrum_it_is_asked_for(rng):
    for exponent in (0.8, 1.2):
        field = np.mean([_slope(Noise(rng, exponent).draw(128)[..., None]) for _ in range(6)])
        assert field == pytest.approx(-2 * exponent, abs=0.35)
    assert Noise(rng).draw(64).std() == pytest.approx(1, abs=0.35)


def test_consecutive_frames_differ_a_little_and_always(footage):
    for name, clip in footage.items():
        change = np.abs(np.diff(clip.astype(np.int16), axis=0)).mean((1, 2, 3))
        assert change.min() > 0, name
        assert change.max() < 25, name
        far_apart = np.abs(clip[0].astype(int) - clip[len(clip) // 2]).mean()
        assert far_apart > 2 * change.mean(), "motion leads somewhere"


def test_the_last_frame_leads_to_the_first(footage):
    for clip in footage.values():
        change = np.abs(np.diff(clip.astype(np.int16), axis=0)).mean((1, 2, 3))
        assert np.abs(clip[-1].astype(int) - clip[0]).mean() < 2 * change.max()


def test_motion_is_coherent(footage):
    """A shifted copy of the last frame explains the next one better than the last one itself."""
    better = 0
    for clip in footage.values():
        one, two = (clip[t].astype(np.float32).mean(-1) for t in (100, 104))
        (dx, dy), _ = cv2.phaseCorrelate(one, two, cv2.createHanningWindow((48, 48), cv2.CV_32F))
        moved = cv2.warpAffine(one, np.float32([[1, 0, dx], [0, 1, dy]]), (48, 48))
        inner = np.s_[8:-8, 8:-8]
        better += np.abs(moved - two)[inner].mean() < np.abs(one - two)[inner].mean()
    assert better >= len(footage) - 1


def test_scenes_are_full_of_colours(footage):
    for clip in footage.values():
        coarse = np.unique(clip[0].reshape(-1, 3) // 32, axis=0)
        assert len(coarse) > 15
        assert clip[0].std() > 20


def test_no_two_clips_are_alike(footage):
    firsts = [clip[0].astype(int) for clip in footage.values()]
    for index, one in enumerate(firsts):
        for other in firsts[index + 1 :]:
            assert np.abs(one - other).mean() > 20


@pytest.mark.parametrize(("pack", "index"), [("video_easy", 1), ("video_hard", 3)])
def test_the_same_scene_at_every_size(pack, index):
    small, large = (generated.clip(pack, index, size)[70] for size in (36, 84))
    shrunk = cv2.resize(large, (36, 36), interpolation=cv2.INTER_AREA).astype(float)
    alike = np.corrcoef(shrunk.ravel(), small.astype(float).ravel())[0, 1]
    assert alike > 0.85


def test_another_process_draws_the_same_pixels():
    command = [sys.executable, "-c", DIGEST, "video_hard", "7", "24"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert hashlib.sha256(generated.clip("video_hard", 7, 24).tobytes()).hexdigest() == told


def test_training_pictures_are_of_another_family(footage):
    pictures = [
        generated.picture(seed, index, 48).astype(int) for seed in (0, 1) for index in (0, 1)
    ]
    for picture in pictures:
        for clip in footage.values():
            assert np.abs(picture - clip[0]).mean() > 20
    assert np.abs(pictures[0] - pictures[2]).mean() > 20, "a seed is a pool of its own"


def test_packs_have_as_many_clips_as_the_benchmark():
    assert len(clips("video_easy", "generated")) == 10
    assert len(clips("video_hard", "generated")) == 100
    assert len(clips("davis", "generated")) == 60
    with pytest.raises(UnknownName, match="Did you mean 'video_hard'"):
        clips("video_hrd", "generated")


def test_stand_ins_for_davis_are_short_and_calm_and_lead_back_to_their_start():
    footage = generated.clip("davis", 0, 36).astype(int)
    assert len(footage) == 70
    change = np.abs(np.diff(footage, axis=0)).mean((1, 2, 3))
    assert 0 < change.min() <= change.max() < 25
    assert np.abs(footage[-1] - footage[0]).mean() < 2 * change.max()


def test_training_and_test_clips_of_driving_are_others():
    train, test = (
        generated.clip(f"driving_{split}", 0, 24)[0].astype(int) for split in ("train", "test")
    )
    assert np.abs(train - test).mean() > 20


def test_clips_of_any_shape():
    footage = GeneratedClip("video_easy", 0).decode((20, 30))
    assert footage.shape == (generated.FRAMES, 20, 30, 3)
    assert footage.dtype == np.uint8
