"""Ultralytics' networks as segmenters, with a real YOLO-seg trained here: no download."""

import os
import random
import re
import shutil
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
ultralytics = pytest.importorskip("ultralytics")

from balls import picture, pictures  # noqa: E402

from distraction_gym.errors import AssetsMissing, BrokenAsset  # noqa: E402
from distraction_gym.segmentation import fastsam, make_segmenter  # noqa: E402
from distraction_gym.segmentation.contained import contained  # noqa: E402
from distraction_gym.segmentation.fastsam import FastSAMSegmenter, backend_of  # noqa: E402

SIZE = 64
THREE = ((0.2, 0.25, 0.14), (0.75, 0.3, 0.14), (0.4, 0.75, 0.14))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever asks for anything from another machine fails."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"asked the network: {args} {kwargs}")

    for name in ("socket.getaddrinfo", "socket.create_connection", "urllib.request.urlopen"):
        monkeypatch.setattr(name, refuse)
    for name in ("safe_download", "get_github_assets"):
        monkeypatch.setattr(f"ultralytics.utils.downloads.{name}", refuse)


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    from distraction_gym.segmentation.train_yolo import train_yolo

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("weights") / "balls.pt"
    samples = pictures(24, SIZE, np.random.default_rng(0))
    train_yolo(samples, out, steps=150, batch=4, width=8, copies=0)
    torch.set_num_threads(threads)
    return out


@pytest.fixture(scope="session")
def segmenter(weights):
    return FastSAMSegmenter(k=6, weights=weights)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_each_thing_has_a_mask_and_confidence_falls(segmenter):
    shown = picture(SIZE, THREE)
    masks, scores = segmenter.segment(shown.frames)
    assert masks.shape == (1, 6, SIZE, SIZE) and masks.dtype == np.bool_
    assert scores.shape == (1, 6) and scores.dtype == np.float32
    assert np.all(np.diff(scores[0]) <= 0) and np.all(scores <= 1)
    for label in np.unique(shown.labels[shown.labels > 2]):
        assert max(iou(mask, shown.labels[0] == label) for mask in masks[0, :3]) > 0.6
    assert iou(segmenter.foreground(shown.frames)[0], shown.foreground[0]) > 0.7


def test_only_the_best_k_are_kept(weights, segmenter):
    frames = picture(SIZE, THREE).frames
    every, best = segmenter.segment(frames), FastSAMSegmenter(k=1, weights=weights).segment(frames)
    assert best.masks.shape[1] == 1
    np.testing.assert_array_equal(best.masks, every.masks[:, :1])
    np.testing.assert_array_equal(best.scores, every.scores[:, :1])


def test_planes_without_a_mask_are_empty_and_score_nothing(segmenter):
    masks, scores = segmenter.segment(picture(SIZE, THREE[:1]).frames)
    assert scores[0, 0] > 0.4 and not masks[0, scores[0] == 0].any()
    assert (scores[0] == 0).sum() >= 3


def test_a_frame_without_things_has_no_masks(segmenter):
    masks, scores = segmenter.segment(picture(SIZE).frames)
    assert not masks.any() and not scores.any()


def test_frames_of_a_batch_do_not_touch_each_other(weights):
    shown = [picture(SIZE, THREE[:n]).frames for n in (1, 0, 3, 2, 0)]
    frames = np.concatenate(shown)
    together = FastSAMSegmenter(weights=weights, batch=2).segment(frames)
    for row, single in enumerate(shown):
        alone = FastSAMSegmenter(weights=weights).segment(single)
        np.testing.assert_allclose(together.scores[row], alone.scores[0], atol=1e-4)
        assert (together.masks[row] != alone.masks[0]).mean() < 1e-3


@pytest.mark.parametrize("size", [(36, 36), (84, 84), (60, 100)])
def test_masks_have_the_size_of_the_frames(segmenter, size):
    frame = cv2.resize(picture(SIZE, THREE).frames[0], size[::-1])
    masks = segmenter.segment(frame[None]).masks
    assert masks.shape == (1, 6, *size)
    found = np.argwhere(masks[0, 0]).mean(0) / size  # the centre of a ball, in shares
    assert min(np.abs(found - (y, x)).max() for x, y, _ in THREE) < 0.1


def test_frames_are_rgb(segmenter):
    """The network knows red balls for things and blue ones for background."""
    frames = picture(SIZE, red=THREE[:1], blue=THREE[1:2]).frames
    left, right = np.s_[:, :, :, : SIZE // 2], np.s_[:, :, :, SIZE // 2 :]
    masks = segmenter.segment(frames).masks
    assert masks[left].any() and not masks[right].any()
    swapped = segmenter.segment(np.ascontiguousarray(frames[..., ::-1])).masks
    assert swapped[right].any() and not swapped[left].any()


def test_scores_are_sorted_here_whatever_the_backend_returns():
    masks = torch.zeros(4, 2, 2)
    masks[range(4), [0, 0, 1, 1], [0, 1, 0, 1]] = 1.0
    boxes = types.SimpleNamespace(conf=torch.tensor([0.5, 0.9, 0.5, 0.7]))
    result = types.SimpleNamespace(masks=types.SimpleNamespace(data=masks), boxes=boxes)
    found, scores = fastsam._ordered(result, (2, 2))
    np.testing.assert_allclose(scores, [0.9, 0.7, 0.5, 0.5])
    np.testing.assert_array_equal(found, masks.numpy()[[1, 3, 0, 2]] > 0)  # the first 0.5 first


def test_planes_of_another_size_are_averaged_and_halved():
    plane = np.zeros((1, 4, 4), np.float32)
    plane[0, :2, :1] = plane[0, 2:, 2:] = 1
    np.testing.assert_array_equal(
        fastsam._scaled(plane, (2, 2)), [[[True, False], [False, True]]]
    )  # half of the upper left, all of the lower right
    plane[0, 0, 0] = 0
    assert not fastsam._scaled(plane, (2, 2))[0, 0, 0]


@pytest.mark.parametrize(
    ("name", "model", "size", "most"),
    [
        ("FastSAM-x.pt", "FastSAM", 640, None),
        ("some/folder/FastSAM-s.pt", "FastSAM", 640, None),
        ("mobile_sam.pt", "SAM", 1024, 1),
        ("sam_b.pt", "SAM", 1024, 1),
        ("sam2_t.pt", "SAM", 1024, 1),
        ("sam2.1_l.pt", "SAM", 1024, 1),
        ("yolo11n-seg.pt", "YOLO", None, None),
        ("mine.pt", "YOLO", None, None),
    ],
)
def test_the_name_of_the_weights_chooses_the_model(name, model, size, most):
    assert backend_of(name)[1:] == (model, size, most)


class FakeModel:
    """What FastSAM, SAM and YOLO have in common, with one mask per frame."""

    def __init__(self, weights):
        self.weights, self.task, self.overrides, self.calls = weights, "segment", {}, []

    def predict(self, frames, **settings):
        self.calls.append((frames, settings))
        masks = types.SimpleNamespace(data=torch.ones(1, *frames[0].shape[:2]))
        boxes = types.SimpleNamespace(conf=torch.tensor([0.5]))
        return [types.SimpleNamespace(masks=masks, boxes=boxes) for _ in frames]


def faked(monkeypatch, tmp_path, name, **kwargs):
    fakes = {cls: type(cls, (FakeModel,), {}) for cls in ("FastSAM", "SAM", "YOLO")}
    module = types.SimpleNamespace(settings={"weights_dir": "nowhere"}, **fakes)

    @contextmanager
    def instead(trust_pickle=False):
        yield module

    monkeypatch.setattr(fastsam, "contained", instead)
    (tmp_path / name).touch()
    return make_segmenter("fastsam", weights=str(tmp_path / name), **kwargs)


def test_sam_sees_one_frame_at_a_time_and_fastsam_all(monkeypatch, tmp_path):
    frames = np.zeros((3, 8, 8, 3), np.uint8)
    sam = faked(monkeypatch, tmp_path, "mobile_sam.pt")
    assert sam.segment(frames).masks.shape == (3, 4, 8, 8)
    assert type(sam._model).__name__ == "SAM" and [len(c[0]) for c in sam._model.calls] == [1] * 3
    fast = faked(monkeypatch, tmp_path, "FastSAM-s.pt", device="cpu")
    fast.segment(frames)
    assert type(fast._model).__name__ == "FastSAM"
    ((shown, settings),) = fast._model.calls
    assert len(shown) == 3 and settings["batch"] == 3 and settings["device"] == "cpu"
    wanted = {"imgsz": 640, "iou": 0.75, "conf": 0.4, "retina_masks": True, "verbose": False}
    assert {key: settings[key] for key in wanted} == wanted


def test_a_file_says_at_which_size_it_was_trained(weights, segmenter):
    assert segmenter.image_size == SIZE
    assert FastSAMSegmenter(weights=weights, image_size=96).image_size == 96


def test_missing_weights_say_what_to_type(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssetsMissing, match=r"curl -LO https://\S+/FastSAM-x\.pt"):
        make_segmenter("fastsam")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_made_only_when_asked_for(weights, monkeypatch):
    asked = []

    def download(file, **kwargs):  # loading a file asks as well, and finds it
        if not os.path.exists(file):
            asked.append(file)
            shutil.copy(weights, file)
        return file

    monkeypatch.setattr("ultralytics.utils.downloads.attempt_download_asset", download)
    with pytest.raises(AssetsMissing):
        FastSAMSegmenter(weights="FastSAM-s.pt")
    assert FastSAMSegmenter(weights="FastSAM-s.pt", download=True).image_size == 640
    assert asked == [os.path.join(os.environ["DISTRACTION_GYM_CACHE"], "weights", "FastSAM-s.pt")]
    FastSAMSegmenter(weights="FastSAM-s.pt")  # it is here now
    os.remove(asked[0])


class Payload:
    def __reduce__(self):
        return (os.mkdir, (os.environ["PAYLOAD"],))


@pytest.mark.parametrize("name", ["yolo-seg.pt", "mobile_sam.pt"])
def test_code_in_a_strangers_file_does_not_run(tmp_path, monkeypatch, name):
    monkeypatch.setenv("PAYLOAD", str(tmp_path / "ran"))
    torch.save({"model": Payload()}, tmp_path / name)
    with pytest.raises(BrokenAsset, match="trust_pickle=True"):
        FastSAMSegmenter(weights=tmp_path / name)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(BrokenAsset):  # it holds no network either
        FastSAMSegmenter(weights=tmp_path / name, trust_pickle=True)
    assert (tmp_path / "ran").exists()


def test_a_network_for_something_else_is_refused(tmp_path):
    with contained() as yolo:
        yolo.YOLO("yolo11n.yaml").save(tmp_path / "boxes.pt")
    with pytest.raises(BrokenAsset, match="'detect'"):
        FastSAMSegmenter(weights=tmp_path / "boxes.pt")


@pytest.mark.parametrize("wrong", [{"k": 0}, {"iou": 1.5}, {"confidence": -0.1}, {"batch": 0}])
def test_wrong_arguments_are_named(weights, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FastSAMSegmenter(weights=weights, **wrong)


def state_of_the_process():
    return {
        "environment": dict(os.environ),
        "threads": (cv2.getNumThreads(), torch.get_num_threads()),
        "printing": (np.get_printoptions(), torch._tensor_str.get_printoptions()),
        "patches": (torch.save, sys.modules["PIL.Image"].open if "PIL.Image" in sys.modules else 0),
        "unpickled": torch.serialization.get_safe_globals(),
        "determinism": torch.are_deterministic_algorithms_enabled(),
        "generators": (random.getstate(), torch.get_rng_state().tolist()),
        "numpy": np.random.get_state()[1].tolist(),
    }


def test_the_process_and_the_folders_stay_as_they_were(segmenter, tmp_path, monkeypatch):
    import PIL.Image  # noqa: F401  so that its `open` is compared

    from distraction_gym.segmentation.train_yolo import train_yolo

    monkeypatch.chdir(tmp_path)
    before = state_of_the_process()
    segmenter.segment(picture(SIZE, THREE).frames)
    out = tmp_path / "out" / "thing.pt"
    train_yolo(pictures(4, 32, np.random.default_rng(0)), out, steps=1, width=8, copies=0)
    after = state_of_the_process()
    assert {key for key in before if before[key] != after[key]} == set()
    assert [path.name for path in tmp_path.iterdir()] == ["out"] and out.is_file()


def test_only_the_parts_that_need_it_import_ultralytics():
    package = Path(fastsam.__file__).parents[1]
    line = re.compile(r"^\s*(import|from) ultralytics", re.MULTILINE)
    found = {path.name for path in package.rglob("*.py") if line.search(path.read_text("utf-8"))}
    assert found <= {"contained.py", "fastsam.py", "train_yolo.py"}


def test_a_trained_file_must_be_loaded_as_what_it_is(tmp_path):
    from distraction_gym.segmentation.train_yolo import train_yolo

    samples = pictures(1, 32, np.random.default_rng(0))
    with pytest.raises(ValueError, match="FastSAM"):
        train_yolo(samples, tmp_path / "FastSAM-mine.pt")
    with pytest.raises(ValueError, match="multiples of 16"):
        train_yolo(pictures(1, 36, np.random.default_rng(0)), tmp_path / "mine.pt")
