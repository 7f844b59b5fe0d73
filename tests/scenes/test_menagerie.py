"""Robot models are found where the user has them, and never downloaded from here."""

from __future__ import annotations

import pytest

from distraction_gym.errors import AssetsMissing
from distraction_gym.scenes.menagerie import menagerie_folder

package = pytest.importorskip("mujoco_menagerie")


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch, tmp_path):
    monkeypatch.delenv("MENAGERIE_ROOT", raising=False)
    monkeypatch.setenv("MENAGERIE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MENAGERIE_BASE_URL", "http://127.0.0.1:9/")  # a download would fail here


def test_a_folder_of_the_users(monkeypatch, tmp_path):
    (tmp_path / "unitree_a1").mkdir()
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))
    assert menagerie_folder("unitree_a1", "unitree") == tmp_path / "unitree_a1"


def test_what_was_downloaded_before():
    cache, robot = package.Cache(), package.get("unitree_go1")
    folder = cache.model_path(robot)
    folder.mkdir(parents=True)
    with pytest.raises(AssetsMissing):  # a download that was cut short
        menagerie_folder("unitree_go1", "unitree")
    (folder / package._cache.SENTINEL).touch()
    assert menagerie_folder("unitree_go1", "unitree") == folder


@pytest.mark.parametrize("root", [False, True])
def test_a_robot_that_is_not_here(root, monkeypatch, tmp_path):
    if root:
        monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))
    with pytest.raises(AssetsMissing, match="prefetch unitree_a1"):
        menagerie_folder("unitree_a1", "unitree")
