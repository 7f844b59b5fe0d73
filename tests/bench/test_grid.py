"""Which runs a grid starts, what they are told, and what is left out. Nothing is trained."""

from dataclasses import replace

import pytest
from fake_records import record

from distraction_gym.bench import grid as grids
from distraction_gym.bench import records
from distraction_gym.bench.grid import Grid, GridError, read_grid, run_grid, run_grids
from distraction_gym.bench.runs import MODEL, write_config
from distraction_gym.bench.training import configure
from distraction_gym.errors import CheckpointError, UnknownName

SMALL = Grid("mini", "reach", ("sac",), ("clean", "video_hard"), (1, 2), episodes=3, steps=100)


@pytest.fixture
def asked(monkeypatch):
    """Collect jobs instead of running them."""
    jobs = []
    monkeypatch.setattr(grids, "run_jobs", lambda given, workers: jobs.extend(given) or [])
    return jobs


def done(grid, out, seed, mode, **changes):
    folder = grid.folder(out, "sac", seed)
    values = {"seed": seed, "mode": mode, "train_mode": grid.train_mode, **changes}
    records.append(folder / records.FILE, record(**values))
    (folder / MODEL).touch()


def said(job, option, command=0):
    words = job.commands[command]
    return words[words.index(option) + 1]


def test_agents_are_trained_under_what_is_said(asked, tmp_path):
    noisy = Grid("mini", "reach", ("sac",), ("video_hard",), (1,), train_mode="video_hard_train")
    assert run_grid(noisy, tmp_path, 1) == []
    (job,) = asked
    assert said(job, "--env") == "distraction_gym/mini-reach-video_hard_train-v0"
    assert said(job, "--modes", 1) == "video_hard"
    folder = tmp_path / "mini-reach" / "sac-video_hard_train-s1"
    assert said(job, "--out") == said(job, "--model", 1) == str(folder)


def test_only_what_has_no_record_is_run(asked, tmp_path):
    done(SMALL, tmp_path, 1, "clean")
    done(SMALL, tmp_path, 1, "video_hard")
    done(SMALL, tmp_path, 2, "clean")
    found = run_grid(SMALL, tmp_path, 1)
    assert [said(job, "--modes", 1) for job in asked] == ["video_hard"]
    assert {(one.seed, one.mode) for one in found} == {
        *((1, "clean"), (1, "video_hard")),
        (2, "clean"),
    }


def test_what_was_run_with_other_settings_is_refused(asked, tmp_path):
    done(SMALL, tmp_path, 1, "clean")
    settings = {"steps": 100, "seed": 1, "assets": "auto"}
    config = configure("sac", "mini-reach-clean-v0", overrides={"gamma": 0.5}, **settings)
    write_config(config, SMALL.folder(tmp_path, "sac", 1))
    with pytest.raises(CheckpointError, match=r"'gamma': 0.5.*pass the run's own settings"):
        run_grid(SMALL, tmp_path, 1)
    assert not asked
    run_grid(replace(SMALL, overrides={"gamma": 0.5}, seeds=(1,)), tmp_path, 1)
    with pytest.raises(CheckpointError, match="assets='auto', not 'generated'"):
        other = replace(SMALL, overrides={"gamma": 0.5}, seeds=(1,), assets="generated")
        run_grid(other, tmp_path, 1)


def test_several_grids_keep_apart_and_take_turns(asked, tmp_path):
    pair = {
        tmp_path / name: Grid(
            "mini", "reach", ("sac",), ("clean",), (1, 2), steps=100, overrides={"tau": tau}
        )
        for name, tau in (("slow", 0.01), ("quick", 0.1))
    }
    run_grids(pair, 1)
    assert [job.name for job in asked] == [
        *("slow: sac s1", "quick: sac s1"),
        *("slow: sac s2", "quick: sac s2"),
    ]
    assert [said(job, "--set") for job in asked[:2]] == ["tau=0.01", "tau=0.1"]
    slow, quick = pair
    done(pair[slow], slow, 1, "clean", returns=(5.0,))
    assert [one.returns for one in read_grid(pair[slow], slow)] == [(5.0,)]
    assert read_grid(pair[quick], quick) == []


def test_what_failed_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(grids, "run_jobs", lambda given, workers: list(given)[:1])
    with pytest.raises(GridError, match=r"1 of 2 runs failed, see .*sac-s1.log.txt"):
        run_grid(SMALL, tmp_path, 1)


@pytest.mark.parametrize("wrong", [{"modes": ("vide_hard",)}, {"train_mode": "vide_hard"}])
def test_misspelt_modes_start_nothing(asked, tmp_path, wrong):
    with pytest.raises(UnknownName, match="Did you mean 'video_hard'"):
        run_grid(Grid(**{**vars(SMALL), **wrong}), tmp_path, 1)
    assert not asked
