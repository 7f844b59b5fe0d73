"""rl-zoo3 trains stock algorithms on the IDs of this package."""

import subprocess
import sys

import pytest

pytest.importorskip("rl_zoo3")

CONFIG = """
distraction_gym/mini-reach-clean-v0:
  n_timesteps: 40
  policy: "CnnPolicy"
  buffer_size: 200
  learning_starts: 20
  batch_size: 8
  policy_kwargs: "dict(net_arch=[16], features_extractor_kwargs=dict(features_dim=16))"
"""


@pytest.mark.slow
def test_rl_zoo3_trains_an_id(tmp_path):
    (tmp_path / "sac.yml").write_text(CONFIG)
    command = [sys.executable, "-m", "rl_zoo3.train", "--gym-packages", "distraction_gym"]
    command += ["--env", "distraction_gym/mini-reach-clean-v0", "--algo", "sac", "--seed", "0"]
    command += ["--conf-file", str(tmp_path / "sac.yml"), "--log-folder", str(tmp_path / "logs")]
    command += ["--num-threads", "1", "--eval-freq", "-1", "--device", "cpu"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert list(tmp_path.glob("logs/sac/*/distraction_gym-mini-reach-clean-v0.zip"))
