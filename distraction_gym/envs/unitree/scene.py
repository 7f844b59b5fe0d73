"""RL-ViGen's scene around a robot: floor, sky, lights, cameras, sensors, and where it starts."""

from __future__ import annotations

from itertools import product
from typing import Any

from distraction_gym.envs.unitree.anatomy import JOINTS, build
from distraction_gym.envs.unitree.robots import LEGS, ROBOTS, Robot
from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.menagerie import menagerie_folder

mujoco = load_mujoco()

MODELS = ("own", "menagerie")
CAMERA, START = "back_above", "start"
GREYS = {"dark": 0.2, "carbonfibre": 0.25}
"""What the robot wears, and how grey it is."""
WALKING = ((-0.6, 0.2), (-0.8, 0.8), (-2.0, None))
"""Which joint angles walking asks for; None is the joint's own bound."""
_FRONT_FOLDED, _REAR_FOLDED = (0.05, 1.3), (0.1, 1.3)  # and the knee at its lower bound

# Names of the sensors -> what they measure of the trunk's inertial frame.
SENSORS = {
    "velocity": "SUBTREELINVEL",
    "spin": "FRAMEANGVEL",
    "x_axis": "FRAMEXAXIS",
    "z_axis": "FRAMEZAXIS",
}


def compile_model(task: str, robot: str, model: str) -> Any:
    """Return the `mujoco.MjModel` of a task.

    Its keyframe `START` is where episodes begin.

    Args:
        task: `"walk"` or `"stand"`.
        robot: `"a1"` or `"go1"`.
        model: `"own"` is drawn without meshes; `"menagerie"` takes MuJoCo Menagerie's files.

    Raises:
        UnknownName: for a robot or a model that does not exist.
        AssetsMissing: if Menagerie's robot is not on this machine.
    """
    if robot not in ROBOTS:
        raise unknown("Unitree robot", robot, ROBOTS)
    if model not in MODELS:
        raise unknown("model of a Unitree robot", model, MODELS)
    numbers = ROBOTS[robot]
    spec = build(numbers) if model == "own" else _from_menagerie(robot, numbers)
    _dress(spec)
    _light(spec)
    _look(spec)
    _feel(spec)
    _begin(spec, task, numbers)
    return spec.compile()


def _from_menagerie(name: str, robot: Robot) -> Any:
    folder = menagerie_folder(robot.folder, "unitree")
    spec = mujoco.MjSpec.from_file(str(folder / f"{name}.xml"))
    for foot in (item for item in spec.geoms if item.type == mujoco.mjtGeom.mjGEOM_SPHERE):
        foot.solimp[2] = robot.foot_softness
    return spec


def _dress(spec: Any) -> None:
    """Give the robot RL-ViGen's two greys, and the world its floor and dm_control's sky."""
    known = {material.name: material for material in spec.materials}
    for name, grey in GREYS.items():
        material = known.get(name) or spec.add_material(name=name)
        material.rgba, material.specular, material.shininess = (grey, grey, grey, 1.0), 0.0, 0.25
        material.textures = [""] * len(material.textures)
    spec.add_texture(
        name="skybox",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        mark=mujoco.mjtMark.mjMARK_RANDOM,
        rgb1=(0.4, 0.6, 0.8),
        rgb2=(0, 0, 0),
        markrgb=(1, 1, 1),
        random=0.01,
        width=800,
        height=800,
    )
    spec.add_texture(
        name="groundplane",
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
        mark=mujoco.mjtMark.mjMARK_EDGE,
        rgb1=(0.2, 0.3, 0.4),
        rgb2=(0.1, 0.2, 0.3),
        markrgb=(0.8, 0.8, 0.8),
        width=300,
        height=300,
    )
    floor = spec.add_material(
        name="groundplane", texrepeat=(5, 5), texuniform=True, reflectance=0.2
    )
    floor.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "groundplane"
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=(0, 0, 0.05),
        material="groundplane",
    )


def _light(spec: Any) -> None:
    """Set dm_control's common visual settings, and RL-ViGen's lamp."""
    headlight = spec.visual.headlight
    headlight.ambient, headlight.diffuse = (0.4, 0.4, 0.4), (0.8, 0.8, 0.8)
    headlight.specular = (0.1, 0.1, 0.1)
    spec.visual.map.znear = 0.01
    spec.visual.quality.shadowsize = 2048
    # Ours: coarser round solids, of which the robot has many; 40 % of a frame's cost.
    spec.visual.quality.numslices, spec.visual.quality.numstacks = 16, 8
    spec.stat.center, spec.stat.extent = (0, 0, 0.1), 0.8
    spec.worldbody.add_light(
        name="original",
        pos=(-1, -1, 4),
        dir=(1, 1, -4),
        diffuse=(0.7, 0.7, 0.7),
        specular=(0.03, 0.03, 0.03),
    )


def _look(spec: Any) -> None:
    """Add RL-ViGen's cameras, in its order, and no others."""
    for camera in spec.cameras:
        spec.delete(camera)
    trunk, following = spec.body("trunk"), mujoco.mjtCamLight.mjCAMLIGHT_TRACKCOM
    # Its mode is "targetbody", without a target: such a camera is fixed to the trunk.
    trunk.add_camera(name=CAMERA, pos=(0.7, 0, 0.5), euler=(0, 0.83, 1.57))
    for name, place, down in (("y", (0, 2.5, 1.5), 0.5), ("y1", (0, 2, 0.5), 0.2)):
        trunk.add_camera(name=name, pos=place, xyaxes=(-1, 0, 0, 0, -down, 1), mode=following)


def _feel(spec: Any) -> None:
    for name, kind in SENSORS.items():
        spec.add_sensor(
            name=name,
            type=getattr(mujoco.mjtSensor, f"mjSENS_{kind}"),
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            objname="trunk",
        )


def _begin(spec: Any, task: str, robot: Robot) -> None:
    """Set what the task asks of the joints, and the pose in which its episodes start."""
    folded: tuple[float, ...] = (0.0,) * 12
    if task == "walk":
        for leg, (part, reach) in product(LEGS, zip(JOINTS, WALKING, strict=True)):
            bounds = zip(reach, robot.ranges[JOINTS.index(part)], strict=True)
            wanted = [own if asked is None else asked for asked, own in bounds]
            spec.actuator(f"{leg}_{part}").ctrlrange = wanted
        height = robot.drop_height
    else:
        knee, height = robot.ranges[2][0], robot.lying_height
        folded = 2 * (*_FRONT_FOLDED, knee) + 2 * (*_REAR_FOLDED, knee)
    spec.body("trunk").pos = (0, 0, height)
    spec.add_key(name=START, qpos=(0, 0, height, 1, 0, 0, 0, *folded))
