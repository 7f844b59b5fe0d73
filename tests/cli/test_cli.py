"""Parsing, and wrong input: one clear line and exit status 2."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from distraction_gym.cli import build_parser, main
from distraction_gym.cli.options import OptionError, settings
from distraction_gym.registration import SUITES


def error_of(capsys, *argv):
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return captured.err


def test_list_names_every_id(capsys):
    assert main(["list", "--suite", "mini"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * len(SUITES["mini"].modes)
    assert "distraction_gym/mini-reach-video_hard-v0" in lines
    assert main(["list"]) == 0
    assert "distraction_gym/dmcgb-walker_walk-clean-v0" in capsys.readouterr().out


def test_unknown_names_come_with_a_suggestion(capsys):
    assert "'mini'" in error_of(capsys, "list", "--suite", "mino")
    said = error_of(capsys, "show", "mini-reech-clean-v0")
    assert "Did you mean 'distraction_gym/mini-reach-clean-v0'?" in said


def test_debug_shows_the_traceback():
    with pytest.raises(KeyError):
        main(["--debug", "list", "--suite", "mino"])


def test_a_folder_that_is_no_run_is_named(capsys, tmp_path):
    said = error_of(capsys, "eval", "--model", str(tmp_path), "--modes", "clean")
    assert "is no run" in said and "config.json" in said
    said = error_of(capsys, "report", str(tmp_path))
    assert "records.jsonl" in said


def test_settings_are_json_and_dots_reach_inside():
    assert settings(["a=1", "b.c=[1, 2]", "b.d=relu", "e=true", "f=x=y"]) == {
        **{"a": 1, "b": {"c": [1, 2], "d": "relu"}, "e": True, "f": "x=y"},
    }


def test_fetch_prints_terms_and_files(tmp_path, capsys):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.mp4").write_bytes(b"a clip")
    page = {"name": "mine", "base": f"file://{tmp_path}/files/", "terms": "Mine. Take it."}
    (tmp_path / "mine.json").write_text(json.dumps({**page, "packs": {"few": {"a.mp4": None}}}))
    command = ("fetch", str(tmp_path / "mine.json"), "--into", str(tmp_path / "out"))
    assert main(command) == 0
    said = capsys.readouterr().out
    assert said.startswith("Mine. Take it.") and "unverified a.mp4" in said
    assert (tmp_path / "out" / "a.mp4").read_bytes() == b"a clip"
    assert "Did you mean 'few'?" in error_of(capsys, *command, "--packs", "fev")
    assert "Did you mean 'dmcgb'?" in error_of(capsys, "fetch", "dmcgp")


@pytest.mark.parametrize("pair", ["a", "=1", "a..b=1"])
def test_a_setting_that_cannot_be_read_is_named(pair):
    with pytest.raises(OptionError, match="KEY=VALUE"):
        settings([pair])


@pytest.mark.parametrize(
    "line",
    [
        "train --algo madi --env mini-reach-clean-v0 -n 500_000 --seed 1 --set batch_size=32",
        "eval --model runs/a --modes clean video_hard --episodes 5 --assets DIR",
        "record --model runs/a --mode video_hard --out a.mp4",
        "bench run --suite mini --task reach --algos sac madi --seeds 2 --jobs 2 --out runs/bench",
        "report runs/bench --out here",
        "demo --jobs 1",
    ],
)
def test_commands_of_the_docs_parse(line):
    assert callable(build_parser().parse_args(line.split()).run)


@pytest.mark.parametrize("line", ["train --algo sac", "bench", "demo --jobs 0", "nothing"])
def test_bad_usage_exits_2(line, capsys):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_is_light():
    code = (
        "import sys; from distraction_gym.cli import build_parser; build_parser()\n"
        "print([name for name in ('torch', 'cv2', 'mujoco', 'matplotlib') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_the_module_runs():
    command = [sys.executable, "-m", "distraction_gym", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.startswith("distraction-gym ")


def test_show_says_what_an_environment_is_made_of(tmp_path, capsys):
    preview = tmp_path / "new" / "preview.png"
    assert main(["show", "mini-track-video_hard-v0", "--preview", str(preview)]) == 0
    said = capsys.readouterr().out
    for part in (
        '    {"kind": "video", "pack": "video_hard", "replace": ["sky", "floor"], "intensity": 1.0',
        "      100 clips",
        "uint8 (3, 36, 36), 0 to 255",
        "DistractionWrapper(mode='video_hard', foreground='auto', assets='generated'",
        "action repeat: 1; time limit: 50 agent steps",
    ):
        assert part in said
    picture = cv2.imread(str(preview))
    assert picture is not None and picture.shape[1] > 4 * 240


def test_show_survives_missing_clips(tmp_path, capsys):
    assert main(["show", "mini-reach-video_easy-v0", "--assets", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "no clips for 'video_easy'" in said and "distraction-gym fetch dmcgb" in said
    assert "StackFrames(k=1)" in said


def test_kinds_are_listed_with_their_arguments(capsys):
    assert main(["list", "--kinds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        "color(table='color_hard', intensity=1.0, order='random', shift=(), assets='auto')" in lines
    )


def test_show_passes_keywords_on(capsys):
    assert main(["show", "mini-reach-clean-v0", "--env-set", "frame_stack=3"]) == 0
    assert "uint8 (9, 36, 36)" in capsys.readouterr().out
    assert "at least 16" in error_of(
        capsys, "show", "mini-reach-clean-v0", "--env-set", "image_size=4"
    )


def test_keywords_that_an_environment_does_not_take_are_named(capsys):
    said = error_of(capsys, "show", "mini-reach-clean-v0", "--env-set", "image_siez=64")
    assert "--env-set" in said and "'image_siez'" in said


def test_previews_are_pictures(capsys, tmp_path):
    name = str(tmp_path / "preview.mp4")
    assert ".png or .jpg" in error_of(capsys, "show", "mini-reach-clean-v0", "--preview", name)


def test_the_reference_names_every_command():
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")
    actions = build_parser()._subparsers._group_actions
    for command in actions[0].choices:
        assert f"| `{command}" in page, command
