"""dm_control tasks and scenes of them, for the tests."""

import xml.etree.ElementTree as ET

import numpy as np

from distraction_gym.scenes.gl import load_mujoco

load_mujoco()

from dm_control import suite  # noqa: E402
from dm_control.suite import common  # noqa: E402

from distraction_gym.scenes.canvas import mujoco  # noqa: E402
from distraction_gym.scenes.mujoco import MujocoScene  # noqa: E402

GREEN = (0.2, 0.8, 0.2)


def load(domain, task, steps=5):
    """A dm_control environment after some steps of random actions."""
    env = suite.load(domain, task, task_kwargs={"random": 0})
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(steps):
        env.step(rng.uniform(-1, 1, env.action_spec().shape))
    return env


def scene_of(env, **kwargs):
    return MujocoScene(env.physics.model.ptr, env.physics.data.ptr, **{"camera": 0, **kwargs})


def reload_with(env, domain, *, colors=None, flooded=()):
    """Rebuild the physics from XML with edited assets, as DMC-GB does, and keep the state."""
    assets = {name: _bytes(text) for name, text in common.ASSETS.items()}
    materials = ET.fromstring(assets["./common/materials.xml"])
    skybox = ET.fromstring(assets["./common/skybox.xml"])
    grid, sky = materials.find(".//texture[@name='grid']"), skybox.find(".//texture")
    for part, element in (("sky", sky), ("floor", grid)):
        if part in flooded:
            for attribute in ("rgb1", "rgb2", "markrgb"):
                element.set(attribute, _text(GREEN))
    if colors:
        sky.set("rgb1", _text(colors["sky"][0]))
        grid.set("rgb1", _text(colors["floor"][0]))
        grid.set("rgb2", _text(colors["floor"][1]))
        materials.find(".//material[@name='self']").set("rgba", _text((*colors["body"][0], 1)))
    assets["./common/materials.xml"] = ET.tostring(materials)
    assets["./common/skybox.xml"] = ET.tostring(skybox)
    state, sites = env.physics.get_state(), env.physics.model.site_rgba.copy()
    env.physics.reload_from_xml_string(common.read_model(f"{domain}.xml"), assets=assets)
    env.physics.model.site_rgba[:] = sites
    with env.physics.reset_context():
        env.physics.set_state(state)


def _bytes(text):
    return text.encode() if isinstance(text, str) else text


def _text(numbers):
    return " ".join(map(str, numbers))


def plain_model(geoms="<geom name='ball' size='.5'/>", sky=""):
    """Return model and data of a world of these geoms, under one light."""
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><asset>{sky}</asset><worldbody><light pos='0 0 9'/>{geoms}</worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data
