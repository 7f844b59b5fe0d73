"""`train-segmenter`: frames with the oracle's masks, a network, and a table of IoU."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from distraction_gym.bench import segmenters
from distraction_gym.bench.segmenters import Score, Source, collect, ious, table
from distraction_gym.cli import main
from distraction_gym.registration import parse_id
from distraction_gym.segmentation import Segmenter, make_segmenter
from distraction_gym.segmentation.base import Segments
from distraction_gym.segmentation.samples import FLOOR, SKY, THING

REACH = "distraction_gym/mini-reach-clean-v0"


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr("distraction_gym.assets.pictures.POOL", 4)


def test_frames_come_with_their_labels():
    samples = collect(parse_id(REACH), 10, Source((REACH,)))
    assert samples.frames.shape == (10, 36, 36, 3) and samples.labels.shape == (10, 36, 36)
    assert {SKY, FLOOR} <= set(np.unique(samples.labels))
    for frame, labels in zip(*samples, strict=True):
        things = [label for label in np.unique(labels) if label >= THING]
        assert len(things) == 2  # both sprites, each under a label of its own
        assert frame[labels >= THING].std() > 20
    distances = np.abs(np.diff(samples.frames.astype(int), axis=0)).sum((1, 2, 3))
    assert np.all(distances > 0)


def test_the_same_seed_gives_the_same_frames_and_another_others():
    one, same, other = (collect(parse_id(REACH), 6, Source((REACH,), seed=s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.frames, same.frames)
    np.testing.assert_array_equal(one.labels, same.labels)
    assert (one.frames != other.frames).any((1, 2, 3)).all()


def test_masks_are_those_of_the_frames_that_are_kept():
    """Under a video, where only the oracle knows: the sprites keep their colours."""
    source = Source((REACH,), ("video_hard",))
    samples = collect(parse_id(REACH).with_mode("video_hard"), 12, source)
    clean = collect(parse_id(REACH), 12, Source((REACH,)))
    np.testing.assert_array_equal(samples.labels >= THING, clean.labels >= THING)
    inside = samples.foreground
    assert np.abs(samples.frames[inside].astype(int) - clean.frames[inside]).mean() < 12
    assert np.abs(samples.frames[~inside].astype(int) - clean.frames[~inside]).mean() > 30


def test_overlap_is_counted_per_frame():
    found, truth = np.zeros((3, 4, 4), np.bool_), np.zeros((3, 4, 4), np.bool_)
    found[0, :2], truth[0, 1:3] = True, True
    found[1, 0, 0] = True
    np.testing.assert_allclose(ious(found, truth), [1 / 3, 0, 1])


class Truth(Segmenter):
    """Knows the colours of mini-reach's sprites."""

    def segment(self, frames):
        masks = (frames.max(-1) > 170)[:, None]
        return Segments(masks, masks.any((2, 3)).astype(np.float32))


def test_a_segmenter_is_measured_in_every_mode():
    source = Source((REACH,), ("clean", "video_hard"), frames=16)
    scores = segmenters.measure(Truth(k=1), source)
    assert [score.env.mode for score in scores] == ["clean", "video_hard"]
    assert scores[0].iou > 0.7 > scores[1].iou
    page = table([*scores, Score(parse_id("distraction_gym/mini-catch-clean-v0"), 0.5)])
    assert page.splitlines()[0] == "| IoU | clean | video_hard |"
    assert page.splitlines()[-1] == "| mini-catch | 0.50 |  |"


def test_a_unet_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "folder" / "mine.pt"
    command = f"train-segmenter --env {REACH} --held-out mini-catch-clean-v0 --out {out}"
    options = "--frames 40 --steps 12 --size 36 --eval-frames 6 --measure clean --threads 1"
    assert main([*command.split(), *options.split()]) == 0
    said = capsys.readouterr().out
    assert "40 frames of 1 environments" in said
    rows = [line for line in said.splitlines() if line.startswith("| mini-")]
    assert [row.split(" | ")[0] for row in rows] == ["| mini-reach", "| mini-catch"]
    frames = collect(parse_id(REACH), 2, Source((REACH,))).frames
    assert make_segmenter("learned", weights=str(out)).segment(frames).masks.shape[0] == 2


def test_a_yolo_from_the_command_line(tmp_path, capsys):
    pytest.importorskip("ultralytics")
    out = tmp_path / "mine.pt"
    command = f"train-segmenter --model yolo --env {REACH} --out {out} --frames 4 --steps 1"
    options = "--size 32 --eval-frames 2 --measure clean --device cpu"
    assert main([*command.split(), *options.split()]) == 0
    assert "| mini-reach |" in capsys.readouterr().out
    assert make_segmenter("fastsam", weights=str(out)).image_size == 32


def said(capsys, *argv):
    assert main(["train-segmenter", *argv]) == 2
    return capsys.readouterr().err


def test_wrong_input_costs_no_training(tmp_path, capsys):
    out = str(tmp_path / "mine.pt")
    both = ("--modes", "clean", "video_hard", "--out", out)
    assert "must not be trained on" in said(capsys, "--env", REACH, *both)
    assert "ends in .pt" in said(capsys, "--env", REACH, "--out", str(tmp_path / "mine"))
    assert "mini-reech" in said(capsys, "--env", "mini-reech-clean-v0", "--out", out)
    assert "'fog'" in said(capsys, "--env", REACH, "--out", out, "--measure", "fog")


def test_the_one_that_comes_with_the_package_finds_the_sprites():
    shipped = Path(segmenters.__file__).parents[1] / "segmentation" / "weights" / "unet.pt"
    assert shipped.stat().st_size < 1e6
    learned = make_segmenter("learned")
    source = Source((REACH,), ("clean", "video_hard"), frames=24, seed=5)
    clean, hard = (score.iou for score in segmenters.measure(learned, source))
    assert clean > 0.7 and hard > 0.6
