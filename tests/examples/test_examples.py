"""Every example runs, at mini size, from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
ARGUMENTS = {
    "evaluate_modes.py": ["--episodes", "1"],
    "vector_envs.py": ["--num-envs", "2"],
    "wrap_vector_env.py": ["--num-envs", "2"],
}
NEEDS = {
    "wrap_gymnasium_mujoco.py": "mujoco",
    "wrap_gymnasium_robotics.py": "gymnasium_robotics",
    "wrap_mujoco_model.py": "mujoco",
    "wrap_dm_control.py": "shimmy",
    "wrap_torch_observations.py": "array_api_compat",
    **dict.fromkeys(
        (
            *("train_madi.py", "train_with_callbacks.py", "evaluate_modes.py"),
            *("record_video.py", "stock_sb3.py", "mask_in_stock_sb3.py"),
        ),
        "stable_baselines3",
    ),
}
LEAVES = {
    "wrap_your_own_env.py": "own_env.png",
    "wrap_gymnasium_mujoco.py": "mujoco_env.png",
    "wrap_gymnasium_robotics.py": "robotics_env.png",
    "wrap_mujoco_model.py": "mujoco_model.png",
    "wrap_dm_control.py": "dm_control_env.png",
    "wrap_torch_observations.py": "torch_env.png",
    "wrap_dict_observations.py": "dict_env.png",
    "wrap_vector_env.py": "vector_env.png",
    "train_madi.py": "madi-reach.zip",
    "train_with_callbacks.py": "sac-reach/best/best_model.zip",
    "record_video.py": "madi.mp4",
    "mask_in_stock_sb3.py": "masks.png",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.py")))
def test_example_runs(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    command = [sys.executable, str(FOLDER / name), "--steps", "40", *ARGUMENTS.get(name, [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    child = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert child.returncode == 0, child.stderr
    assert child.stdout.strip()
    if name in LEAVES:
        assert (tmp_path / LEAVES[name]).stat().st_size > 0


def test_the_list_names_every_example() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    assert all(f"`{path.name}`" in page for path in FOLDER.glob("*.py"))
