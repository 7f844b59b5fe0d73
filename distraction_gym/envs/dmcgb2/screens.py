"""A texture for the video screen, compiled into dm_control's models once."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from distraction_gym.envs.dmcgb2.pipelines import SCREEN
from distraction_gym.errors import require

common: Any = require("dm_control.suite.common", "dmc")

_MATERIALS = "./common/materials.xml"
_TEXTURE = {"name": SCREEN, "type": "cube", "builtin": "flat", "width": "256", "height": "256"}
# Lit by the scene, and by nothing of its own (DMC-GB2's code).
_MATERIAL = {
    "name": SCREEN,
    "texture": SCREEN,
    "texuniform": "false",
    "specular": "0",
    "shininess": "0",
    "reflectance": "0",
    "emission": "0",
}


def add_screen(control: Any, domain: str) -> None:
    """Recompile a task's model with one more texture and material, which nothing wears yet.

    A model's textures are compiled into it; everything else, physics above all, stays as it is.

    Args:
        control: A task of dm_control's suite, freshly loaded.
        domain: Its domain, one whose XML file is its model.
    """
    assets = {
        name: content.encode() if isinstance(content, str) else content
        for name, content in common.ASSETS.items()
    }
    materials = ElementTree.fromstring(assets[_MATERIALS])
    asset = materials.find("asset")
    assert asset is not None, "dm_control's materials.xml has an asset section"
    ElementTree.SubElement(asset, "texture", _TEXTURE)
    ElementTree.SubElement(asset, "material", _MATERIAL)
    assets[_MATERIALS] = ElementTree.tostring(materials)
    control.physics.reload_from_xml_string(common.read_model(f"{domain}.xml"), assets=assets)
