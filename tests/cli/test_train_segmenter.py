"""`train-segmenter`: frames with the oracle's masks, a network, and a table of IoU."""

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from distraction_gym.bench import segmenters
from distraction_gym.bench.segmenters import Score, Source, agreement, collect, examples, table
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
    found, truth = np.zeros((4, 4, 4), np.bool_), np.zeros((4, 4, 4), np.bool_)
    found[0, :2], truth[0, 1:3] = True, True
    found[1, 0, 0] = truth[3, 0, 0] = True
    wanted = [[1 / 3, 0, 1, 0], [1 / 2, 0, 1, 0], [1 / 2, 0, 1, 0]]
    np.testing.assert_allclose(agreement(found, truth), wanted)
    found[0, 0] = False  # recall and precision are two things
    np.testing.assert_allclose(agreement(found, truth)[:, 0], [1 / 2, 1 / 2, 1])


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
    page = table([*scores, Score(parse_id("distraction_gym/mini-catch-clean-v0"), 0.5, 0, 0)])
    assert page.splitlines()[0] == "| IoU | clean | video_hard |"
    assert page.splitlines()[-1] == "| mini-catch | 0.50 |  |"
    assert table(scores, "recall").splitlines()[0] == "| recall | clean | video_hard |"
    assert f"| {scores[0].recall:.2f} | {scores[1].recall:.2f} |" in table(scores, "recall")


def test_a_unet_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "folder" / "mine.pt"
    command = f"train-segmenter --env {REACH} --held-out mini-catch-clean-v0 --out {out}"
    options = "--frames 40 --steps 12 --size 36 --eval-frames 6 --measure clean --threads 1"
    assert main([*command.split(), *options.split()]) == 0
    said = capsys.readouterr().out
    assert "40 frames of 1 environments" in said
    rows = [line for line in said.splitlines() if line.startswith("| mini-")]
    assert [row.split(" | ")[0] for row in rows] == ["| mini-reach", "| mini-catch"] * 3
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


def test_examples_are_few_differ_and_say_what_a_person_would():
    source = Source((REACH, "mini-catch-clean-v0"), frames=24)
    found = examples(source, 2)
    pool = collect(parse_id(REACH), 12, source)
    assert found.frames.shape == (4, 36, 36, 3) and set(np.unique(found.labels)) == {SKY, THING}
    rows = [np.flatnonzero((pool.frames == frame).all((1, 2, 3))) for frame in found.frames]
    assert [len(row) > 0 for row in rows] == [True, True, False, False] and rows[0] != rows[1]
    np.testing.assert_array_equal(found.foreground[0], pool.foreground[rows[0][0]])


def test_few_examples_adapt_the_network_and_sd_takes_it(tmp_path, capsys):
    out = tmp_path / "few.pt"
    command = f"train-segmenter --env {REACH} --examples 2 --frames 12 --steps 3 --out {out}"
    assert main([*command.split(), "--eval-frames", "4", "--measure", "clean", "video_hard"]) == 0
    assert "2 frames of 1 environments" in capsys.readouterr().out
    learned = make_segmenter("learned", weights=str(out))
    about = learned.about
    assert (about["examples"], about["frames"], about["steps"]) == (2, 2, 3)
    modes = [REACH, REACH.replace("clean", "video_hard")]
    assert [*about["scores"]] == modes
    assert [*about["scores"][REACH]] == ["iou", "recall", "precision"]
    # Three steps leave it where it started: at the network that knows mini-reach.
    assert about["scores"][REACH]["iou"] > 0.7

    pytest.importorskip("stable_baselines3")
    from distraction_gym.agents.sd.sources import MaskSource

    frames = collect(parse_id(REACH), 2, Source((REACH,))).frames
    masks = MaskSource({"name": "learned", "weights": str(out)}, 2).masks(
        frames, [{}, {}], [0, 1], True
    )
    np.testing.assert_array_equal(masks, learned.foreground(frames))


@pytest.fixture
def own_frames(tmp_path):
    """Six annotated frames of somebody without an oracle."""
    folder = tmp_path / "own"
    folder.mkdir()
    samples = collect(parse_id(REACH), 6, Source((REACH,)))
    for row, frame in enumerate(samples.frames):
        cv2.imwrite(str(folder / f"{row}.png"), frame[..., ::-1])
        mask = samples.foreground[row].astype(np.uint8) * 255
        cv2.imwrite(str(folder / f"{row}_mask.png"), mask)
    return folder


def test_own_frames_are_enough_and_those_left_are_measured(tmp_path, capsys, own_frames):
    out = tmp_path / "own.pt"
    command = f"train-segmenter --annotated {own_frames} --examples 5 --steps 2 --out {out}"
    assert main(command.split()) == 0
    assert f"the other 1 frames of {own_frames}" in capsys.readouterr().out
    about = make_segmenter("learned", weights=str(out)).about
    assert about["frames"] == 5 and about["scores"]["annotated"]["iou"] > 0.7
    further = f"train-segmenter --annotated {own_frames} --start {out} --steps 1 --out {out}"
    assert main([*further.split(), "--size", "36"]) == 0
    again = make_segmenter("learned", weights=str(out))
    assert again.about["frames"] == 6 and again.about["scores"] == {}


def test_a_segformer_from_the_command_line(tmp_path, own_frames):
    transformers = pytest.importorskip("transformers")
    config = transformers.SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=8,
    )
    start, out = tmp_path / "start", tmp_path / "mine"
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(start)
    command = f"train-segmenter --model segformer --start {start} --annotated {own_frames}"
    options = f"--examples 1 --steps 2 --size 64 --device cpu --out {out}"
    assert main([*command.split(), *options.split()]) == 0
    segmenter = make_segmenter("segformer", weights=str(out))
    assert segmenter.about["examples"] == 1 and "annotated" in segmenter.about["scores"]
    frames = collect(parse_id(REACH), 2, Source((REACH,))).frames
    assert segmenter.segment(frames).masks.shape == (2, 4, 36, 36)


def said(capsys, *argv):
    assert main(["train-segmenter", *argv]) == 2
    return capsys.readouterr().err


def test_wrong_input_costs_no_training(tmp_path, capsys):
    out = str(tmp_path / "mine.pt")
    both = ("--modes", "clean", "video_hard", "--out", out)
    assert "must not be trained on" in said(capsys, "--env", REACH, *both)
    assert "ends in .pt" in said(capsys, "--env", REACH, "--out", str(tmp_path / "mine"))
    assert "no folder" in said(capsys, "--annotated", str(tmp_path / "none"), "--out", out)
    assert "mini-reech" in said(capsys, "--env", "mini-reech-clean-v0", "--out", out)
    yolo = ("--env", REACH, "--out", out, "--model", "yolo")
    assert "--model unet and segformer" in said(capsys, *yolo, "--examples", "1")
    few = ("--env", REACH, "--out", out, "--frames", "8")
    assert "too many" in said(capsys, *few, "--examples", "9")
    assert "'fog'" in said(capsys, "--env", REACH, "--out", out, "--measure", "fog")


def test_the_one_that_comes_with_the_package_finds_the_sprites():
    shipped = Path(segmenters.__file__).parents[1] / "segmentation" / "weights" / "unet.pt"
    assert shipped.stat().st_size < 1e6
    learned = make_segmenter("learned")
    source = Source((REACH,), ("clean", "video_hard"), frames=24, seed=5)
    clean, hard = (score.iou for score in segmenters.measure(learned, source))
    assert clean > 0.7 and hard > 0.6
