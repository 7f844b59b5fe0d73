"""The whole cycle at its smallest: train, evaluate, film, resume, grid, demonstration."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import gymnasium as gym
import pytest

import distraction_gym  # noqa: F401
from distraction_gym.bench.evaluate import action_repeat, make_test_env
from distraction_gym.bench.training import configure
from distraction_gym.cli import main
from distraction_gym.wrappers import AddForegroundMask, MaskObservation
from distraction_gym.wrappers.record import newest_frame

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")

TINY = ("--set", "learning_starts=20", "--set", "batch_size=8", "--set", "buffer_size=200")
TINY += ("--set", "catch_up_updates=1")
TRAIN = ("train", "--env", "mini-reach-clean-v0", "--n-envs", "1", "--threads", "1", *TINY)
MADI = (*TRAIN, "--algo", "madi", "-n", "60")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MaDi of 60 steps."""
    folder = tmp_path_factory.mktemp("runs") / "madi"
    watched = ("--eval-every", "30", "--eval-episodes", "1", "--progress", "none")
    assert main([*MADI, "--out", str(folder), "--checkpoint-every", "25", *watched]) == 0
    return folder


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(folder / "model.zip") as archive:
        data = io.BytesIO(archive.read("policy.pth"))
    return torch.load(data, weights_only=True)


def test_a_run_leaves_all_that_was_promised(run):
    config = json.loads((run / "config.json").read_text())
    assert config["algo"] == "madi" and config["steps"] == 60 and config["versions"]["torch"]
    assert config["hyperparameters"]["batch_size"] == 8
    assert [row["step"] for row in table(run / "episodes.csv")] == ["25", "50"]
    evaluations = [(row["step"], row["mode"]) for row in table(run / "evaluations.csv")]
    assert evaluations == [(s, m) for s in ("30", "60") for m in ("clean", "video_hard")]
    assert (run / "logs" / "progress.csv").exists() and list(run.glob("logs/events*"))
    assert len(list((run / "checkpoints").iterdir())) == 2


def test_eval_pairs_modes_and_keeps_records(run, capsys):
    arguments = ["eval", "--model", str(run), "--episodes", "2", "--threads", "1"]
    assert main([*arguments, "--modes", "clean", "video_hard"]) == 0
    assert "| MaDi |" in capsys.readouterr().out
    assert main([*arguments, "--modes", "clean"]) == 0
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    first, hard, again = lines
    assert first["eval_seed"] == 42 and first["steps"] == first["frames"] == 60
    assert len(first["returns"]) == 2 and first["returns"] == again["returns"]
    assert first["clips"] == "" and hard["clips"] and hard["assets"] == "generated"


def test_a_film_has_a_frame_per_step_and_four_panels(run, tmp_path):
    path = tmp_path / "film.mp4"
    arguments = ["--episodes", "2", "--size", "72", "--threads", "1", "--out", str(path)]
    assert main(["record", "--model", str(run), "--mode", "video_hard", *arguments]) == 0
    video = cv2.VideoCapture(str(path))
    shapes = []
    while True:
        more, frame = video.read()
        if not more:
            break
        shapes.append(frame.shape)
    assert len(shapes) == 2 * (25 + 1)
    assert set(shapes) == {(72 + 22 + 26, 4 * 72 + 5 * 8, 3)}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ((*MADI,), "Pass --resume"),
        ((*MADI, "--resume", "--seed", "5"), "was trained with seed=0, not 5"),
        ((*TRAIN, "--algo", "sac", "-n", "60", "--resume"), "was trained with algo='madi'"),
        ((*MADI, "--set", "bach_size=3"), "Did you mean 'batch_size'?"),
        ((*TRAIN, "--algo", "mady"), "Did you mean 'madi'?"),
    ],
)
def test_wrong_input_loses_nothing(run, argv, says, capsys):
    before = (run / "model.zip").read_bytes()
    assert main([*argv, "--out", str(run)]) == 2
    assert says in capsys.readouterr().err
    assert (run / "model.zip").read_bytes() == before


def test_a_misspelt_mode_costs_no_episodes(run, capsys):
    lines = len((run / "records.jsonl").read_text().splitlines())
    assert main(["eval", "--model", str(run), "--modes", "clean", "vide_hard"]) == 2
    assert "Did you mean 'video_hard'?" in capsys.readouterr().err
    assert len((run / "records.jsonl").read_text().splitlines()) == lines


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--env-set", "colour=3"), "madi on distraction_gym/mini-reach-clean-v0: "),
        (("--set", "learning_rate=[]"), "madi on distraction_gym/mini-reach-clean-v0: "),
        (("--eval-every", "30", "--eval-modes", "vide_hard"), "Did you mean 'video_hard'?"),
    ],
)
def test_what_failed_before_a_step_is_in_nobodys_way(wrong, says, tmp_path, capsys):
    out = ("--progress", "none", "--out", str(tmp_path / "run"))
    assert main([*MADI, *out, *wrong]) == 2
    assert says in capsys.readouterr().err
    with pytest.raises(TypeError):  # in `learn`
        main([*MADI, *out, "--set", 'batch_size="many"'])
    assert main([*TRAIN, "--algo", "madi", "-n", "25", *out]) == 0


def test_an_agent_is_tested_in_the_wrappers_that_it_was_trained_in():
    masked = {"distraction_gym.wrappers.MaskObservation": {"segmenter": "oracle"}}
    run = configure("sac", "mini-reach-clean-v0", overrides={"env_wrapper": masked})
    env, _ = make_test_env(run, "video_hard", "generated")
    assert isinstance(env, MaskObservation)
    seen = newest_frame(env.reset(seed=0)[0])
    assert 0.5 < (seen == 0).all(-1).mean() < 1
    sd = configure("sd", "mini-reach-clean-v0")  # no mask in a test, so none is made
    env, _ = make_test_env(sd, "video_hard", "generated")
    while isinstance(env, gym.Wrapper):
        assert not isinstance(env, AddForegroundMask)
        env = env.env


def test_a_finished_run_stays_as_it_is_and_a_longer_one_goes_on(run, capsys):
    quiet = ("--progress", "none", "--resume", "--out", str(run))
    before = (run / "model.zip").read_bytes()
    assert main([*MADI, *quiet]) == 0
    assert (run / "model.zip").read_bytes() == before
    assert main([*TRAIN, "--algo", "madi", "-n", "80", *quiet]) == 0
    assert [row["step"] for row in table(run / "episodes.csv")] == ["25", "50", "75"]
    assert (run / "logs" / "progress_from_60.csv").exists()


def test_an_unfinished_run_says_how_to_go_on(run, tmp_path, capsys):
    (tmp_path / "config.json").write_text((run / "config.json").read_text())
    assert main(["eval", "--model", str(tmp_path), "--modes", "clean"]) == 2
    assert "has not ended" in capsys.readouterr().err


def test_frames_are_steps_times_action_repeat():
    env = gym.make("distraction_gym/mini-reach-clean-v0", action_repeat=4)
    assert action_repeat(env) == 4 and action_repeat(env.unwrapped) == 1


@pytest.mark.slow
def test_a_killed_run_reaches_the_weights_of_an_uninterrupted_one(run, tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    arguments = [*TRAIN, "--algo", "sac", "-n", "60", "--checkpoint-every", "20"]
    command = [sys.executable, "-m", "distraction_gym", *arguments, "--progress", "none"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([*command, "--out", str(killed)], env=environment)
    while not list(killed.glob("checkpoints/*step-40")):
        assert child.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL and not (killed / "model.zip").exists()
    for folder in (straight, killed):
        assert main([*arguments, "--progress", "none", "--resume", "--out", str(folder)]) == 0
    expected, found = weights(straight), weights(killed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    returns = [[row["return"] for row in table(f / "episodes.csv")] for f in (straight, killed)]
    assert returns[0] == returns[1]


@pytest.mark.slow
def test_the_grid_runs_what_is_missing(tmp_path, capsys):
    grid = ["bench", "run", "--suite", "mini", "--task", "reach", "--algos", "sac", "--seeds", "1"]
    grid += [
        "--first-seed",
        "3",
        "-n",
        "30",
        "--episodes",
        "2",
        "--out",
        str(tmp_path),
        *TINY,
        "--modes",
        "clean",
    ]
    assert main(grid) == 0
    first = (tmp_path / "mini-reach" / "sac-s3" / "model.zip").stat().st_mtime_ns
    assert main([*grid, "video_hard"]) == 0
    assert (tmp_path / "mini-reach" / "sac-s3" / "model.zip").stat().st_mtime_ns == first
    rows = table(tmp_path / "returns.csv")
    assert [(row["mode"], row["episodes"]) for row in rows] == [("clean", "2"), ("video_hard", "2")]
    capsys.readouterr()
    assert main([*grid, "video_hard"]) == 0
    assert "sac s3" not in capsys.readouterr().out  # nothing was left to do
    assert main([*grid, "vide_hard"]) == 2


@pytest.mark.slow
def test_the_demonstration_leaves_its_files(tmp_path, monkeypatch):
    monkeypatch.setattr("distraction_gym.bench.demo.ALGOS", ("madi",))  # half the minutes
    assert main(["demo", "--out", str(tmp_path), "-n", "40", "--episodes", "2"]) == 0
    names = {path.name for path in tmp_path.iterdir()}
    report = {"report.md", "returns.csv", "returns.png"}
    assert names == {*report, "mini-reach", "madi-video_hard.mp4"}
