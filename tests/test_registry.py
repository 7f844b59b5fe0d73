"""Registries: names, suggestions, and things that other packages add by entry points."""

from __future__ import annotations

import pytest

from distraction_gym.errors import UnknownName
from distraction_gym.registry import Registry

GROUP = "distraction_gym.test_things"


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a package that offers things: `{name: "module:thing"}`."""

    def install(offers, code="class Thing: pass\n"):
        (tmp_path / "my_things.py").write_text(code)
        info = tmp_path / "my_things-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-things\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in offers.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)

    return install


def test_a_name_that_is_missing_suggests_the_nearest():
    registry = Registry("colour")
    registry.add("green", 1)
    assert registry["green"] == 1
    registry.add("red", 2)
    with pytest.raises(UnknownName, match=r"'gren'\. Did you mean 'green'\? Known: green, red\."):
        registry["gren"]
    with pytest.raises(UnknownName, match=r"'blue'\. Known: green, red\."):
        registry["blue"]
    with pytest.raises(ValueError, match="already registered"):
        registry.add("green", 2)


def test_other_packages_add_things(plugin):
    plugin({"thing": "my_things:Thing"})
    registry = Registry("thing", plugins=GROUP)
    registry.add("own", int)
    assert registry["thing"].__name__ == "Thing"
    assert list(registry) == ["own", "thing"] and len(registry) == 2


def test_names_of_the_package_itself_come_first(plugin):
    plugin({"thing": "my_things:Thing"})
    registry = Registry("thing", plugins=GROUP)
    registry.add("thing", int)
    with pytest.warns(RuntimeWarning, match=r"\(my_things:Thing\) is left out: <class 'int'> has"):
        assert dict(registry) == {"thing": int}


def test_a_broken_plugin_is_left_out_with_a_warning(plugin):
    plugin({"thing": "my_things:Missing"})
    registry = Registry("thing", plugins=GROUP)
    with pytest.warns(RuntimeWarning, match=r"the thing 'thing' \(my_things:Missing\) cannot be"):
        assert "thing" not in registry
    assert len(registry) == 0
