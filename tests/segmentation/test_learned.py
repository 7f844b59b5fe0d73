"""The U-Net: its loss, its training, its files, and the segmenter that it is."""

import os

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from balls import picture, pictures  # noqa: E402

from distraction_gym.errors import AssetsMissing, BrokenAsset  # noqa: E402
from distraction_gym.segmentation import make_segmenter  # noqa: E402
from distraction_gym.segmentation import unet as files  # noqa: E402
from distraction_gym.segmentation.disguise import Disguise  # noqa: E402
from distraction_gym.segmentation.learned import LearnedSegmenter, _pieces  # noqa: E402
from distraction_gym.segmentation.samples import FLOOR, OTHER, SKY, THING, Samples  # noqa: E402
from distraction_gym.segmentation.train_unet import loss_of, train_unet  # noqa: E402
from distraction_gym.segmentation.unet import UNet  # noqa: E402

SIZE = 36
TWO = ((0.25, 0.3, 0.16), (0.7, 0.7, 0.1))


class Noise:
    """A source of pictures that costs nothing."""

    def __init__(self, source, size, seed=0):
        self.size = size

    def sample(self, n, rng):
        return rng.integers(0, 256, (n, 3, *self.size), np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of a network that saw balls for some seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("distraction_gym.segmentation.disguise.pictures", Noise)
        samples = pictures(64, SIZE, np.random.default_rng(0))
        network = train_unet(samples, steps=60, batch=16, lr=1e-2)
    path = tmp_path_factory.mktemp("weights") / "balls.pt"
    files.save(network, path)
    return path


def ious(found, truth):
    return (found & truth).sum((1, 2)) / np.maximum((found | truth).sum((1, 2)), 1)


def test_it_learns_what_is_a_thing(trained):
    samples = pictures(16, SIZE, np.random.default_rng(1))
    shown = samples.foreground.any((1, 2))
    found = LearnedSegmenter(weights=trained).foreground(samples.frames)
    assert ious(found, samples.foreground)[shown].mean() > 0.6


def test_the_network_is_small_and_takes_any_size():
    network = UNet()
    assert sum(weights.numel() for weights in network.parameters()) < 200_000
    for size in ((84, 84), (36, 36), (50, 33)):
        assert network(torch.zeros(2, 3, *size)).shape == (2, *size)


def test_the_loss_equals_a_slow_reference():
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(size=(3, 4, 5)), rng.integers(0, 2, (3, 4, 5)).astype(float)
    truth[1] = 0  # a frame that shows nothing
    entropy, dice = 0.0, 0.0
    for row in range(3):
        overlap = found = there = 0.0
        for score, true in zip(logits[row].ravel(), truth[row].ravel(), strict=True):
            chance = 1 / (1 + np.exp(-score))
            entropy -= (true * np.log(chance) + (1 - true) * np.log(1 - chance)) / truth.size
            overlap, found, there = overlap + chance * true, found + chance, there + true
        dice += (1 - (2 * overlap + 1) / (found + there + 1)) / 3
    loss = loss_of(torch.from_numpy(logits), torch.from_numpy(truth))
    assert loss.item() == pytest.approx(entropy + dice, abs=1e-12)


def test_training_is_a_function_of_its_seed_and_leaves_the_global_state_alone(monkeypatch):
    monkeypatch.setattr("distraction_gym.segmentation.disguise.pictures", Noise)
    samples = pictures(4, 16, np.random.default_rng(0))
    before = torch.get_rng_state()
    states = [train_unet(samples, steps=2, batch=2, seed=s).state_dict() for s in (3, 3, 4)]
    assert torch.equal(before, torch.get_rng_state())
    same = [all(torch.equal(states[0][key], s[key]) for key in states[0]) for s in states[1:]]
    assert same == [True, False]


def test_pieces_come_largest_first_with_their_share():
    chance = np.zeros((8, 8), np.float32)
    chance[0:2, 0:2], chance[4:8, 4:8], chance[0, 7] = 0.9, 0.75, 0.6
    chance[3, 3] = 0.4  # below the threshold
    masks, scores = _pieces(chance, 0.5)
    np.testing.assert_array_equal(masks.sum((1, 2)), [16, 4, 1])
    np.testing.assert_allclose(scores, np.array([12, 3.6, 0.6]) / 16.2, rtol=1e-5)


def test_pieces_fill_the_planes_and_nothing_else(trained):
    segmenter = LearnedSegmenter(k=3, weights=trained)
    frames = np.concatenate([picture(SIZE, TWO).frames, picture(SIZE).frames])
    masks, scores = segmenter.segment(frames)
    assert masks.shape == (2, 3, SIZE, SIZE) and masks.dtype == np.bool_
    assert scores.dtype == np.float32 and np.all(np.diff(scores) <= 0)
    assert not masks[scores == 0].any() and masks[scores > 0].any(axis=(1, 2)).all()
    whole = segmenter.foreground(frames)
    assert not (masks.any(1) & ~whole).any() and masks.sum(1).max() <= 1  # no pixel twice


def test_a_batch_is_as_good_as_single_frames(trained):
    frames = pictures(5, SIZE, np.random.default_rng(2)).frames
    whole = LearnedSegmenter(weights=trained, batch=2).probabilities(frames)
    alone = LearnedSegmenter(weights=trained)
    for row in range(5):
        np.testing.assert_allclose(
            whole[row], alone.probabilities(frames[row : row + 1])[0], atol=1e-5
        )


def test_masks_have_the_size_of_the_frames(trained):
    segmenter = LearnedSegmenter(weights=trained)
    for size in ((36, 36), (72, 72), (60, 90)):
        frame = cv2.resize(picture(SIZE, TWO).frames[0], size[::-1])
        assert segmenter.segment(frame[None]).masks.shape == (1, 4, *size)
        assert segmenter.foreground(frame[None]).shape == (1, *size)


def test_a_file_holds_the_same_network(tmp_path):
    network = UNet((4, 8), size=20).eval()
    files.save(network, tmp_path / "mine.pt")
    read = files.load(tmp_path / "mine.pt")
    shown = torch.rand(1, 3, 20, 20) * 255
    assert read.size == 20 and not read.training
    assert torch.equal(read(shown), network(shown))


class Payload:
    def __reduce__(self):
        return (os.mkdir, (os.environ["PAYLOAD"],))


def test_broken_and_strange_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PAYLOAD", str(tmp_path / "ran"))
    with pytest.raises(AssetsMissing, match="train-segmenter"):
        LearnedSegmenter(weights=tmp_path / "none.pt")
    cases = {"code.pt": {"format": 1, "state": Payload()}, "other.pt": {"format": 99}}
    cases["damaged.pt"] = {"format": 1, "widths": [4, 8], "size": 20, "state": {}}
    for name, content in cases.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "text.pt").write_text("no network")
    for name in (*cases, "text.pt"):
        with pytest.raises(BrokenAsset, match=name):
            LearnedSegmenter(weights=tmp_path / name)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValueError, match="threshold"):
        make_segmenter("learned", threshold=1.0)


# Disguises ---------------------------------------------------------------------------------------


def looks(labels, count=60):
    """Disguise a grey frame many times, without moving it, under white pictures."""
    rng = np.random.default_rng(0)
    samples = Samples(np.full((count, 12, 12, 3), 90, np.uint8), np.repeat(labels[None], count, 0))
    return Disguise(12)(samples, rng)


@pytest.fixture
def still(monkeypatch):
    monkeypatch.setattr("distraction_gym.segmentation.disguise.pictures", Noise)
    for name in ("_recoloured", "_lit", "_noisy"):
        monkeypatch.setattr(
            f"distraction_gym.segmentation.disguise.{name}", lambda picture, labels, rng: picture
        )
    monkeypatch.setattr(
        "distraction_gym.segmentation.disguise._moved", lambda frame, labels, rng: (frame, labels)
    )
    monkeypatch.setattr(Disguise, "_overlaid", lambda self, picture, labels, rng: picture)


def test_other_backgrounds_never_hide_a_thing(still):
    labels = np.repeat(np.array([SKY, FLOOR, OTHER, THING], np.int16), 36).reshape(12, 12)
    changed = looks(labels)
    differs = (changed.frames != 90).any(-1).reshape(60, 4, 36).any(-1)
    assert not differs[:, 3].any()
    kinds = {tuple(row) for row in differs[:, :3].tolist()}
    assert kinds == {(False,) * 3, (True, False, False), (True, True, False), (True,) * 3}


def test_labels_move_with_their_pixels():
    samples = pictures(40, 48, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    from distraction_gym.segmentation.disguise import _moved

    agreement = []
    for frame, labels in zip(*samples, strict=True):
        moved, named = _moved(frame, labels, rng)
        red = (moved[..., 0] > 150) & (moved[..., 2] < 110)
        assert named.dtype == np.int16 and set(np.unique(named)) <= set(np.unique(labels))
        agreement.append(np.mean(red == (named >= THING)))
    assert min(agreement) > 0.95


def test_samples_change_their_size_with_their_labels():
    samples = pictures(2, 48, np.random.default_rng(0))
    assert samples.at(48) is samples
    small = samples.at(24)
    assert small.frames.shape == (2, 24, 24, 3) and small.labels.dtype == np.int16
    assert set(np.unique(small.labels)) <= set(np.unique(samples.labels))
    share = small.foreground.mean() / samples.foreground.mean()
    assert share == pytest.approx(1, abs=0.1)
