"""MaDi's UR5 task in simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import TimeLimit

from distraction_gym.distractions.modes import Mode
from distraction_gym.envs.model import ModelEnv, State
from distraction_gym.envs.ur5 import robot as arms
from distraction_gym.envs.ur5 import scene
from distraction_gym.envs.ur5 import task as rules
from distraction_gym.envs.ur5.kinematics import arm_named
from distraction_gym.envs.ur5.servo import Servo
from distraction_gym.envs.ur5.wrist import ObserveWrist
from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.seeding import stream
from distraction_gym.wrappers import (
    ActionRepeat,
    AddProprioception,
    DistractionWrapper,
    StackFrames,
)

mujoco = load_mujoco()

SUBSTEPS = 20
"""Physics steps per action."""
PIPELINES: dict[str, Mode] = {
    "clean": [],
    # The screen moves from white by as much as the table's robot differs from dm_control's.
    "color_easy": [{"kind": "color", "table": "color_easy", "shift": [scene.SCREEN]}],
    "color_hard": [{"kind": "color", "table": "color_hard", "shift": [scene.SCREEN]}],
    "video_easy": [{"kind": "texture_video", "pack": "video_easy", "part": scene.SCREEN}],
    "video_hard": [{"kind": "texture_video", "pack": "video_hard", "part": scene.SCREEN}],
}


class UR5Env(ModelEnv):
    """The arm before the screen: actions are joint speeds, observations `[q, speed, disc]`.

    Pays nothing: what is paid is what the camera sees (`ObserveWrist`). Endless: the time limit is
    a wrapper's. `info["overridden"]`: the limits have changed the action.

    Attributes: `model` and `data`, the raw structures; `limits`.

    Args:
        robot: `"ur5e"` or `"ur5"`.
        model: A name in `robot.MODELS`.
        render_mode: `"rgb_array"` or None.

    Raises:
        UnknownName: for an arm or a model that does not exist.
    """

    _q: rules.Vector
    """Where the servos are led: the controller's own angles, which the limits are about."""
    _speed: rules.Vector

    def __init__(
        self, robot: str = "ur5e", model: str = "own", render_mode: str | None = None
    ) -> None:
        self._arm, self.limits = arm_named(robot), rules.Limits()
        compiled = scene.build(robot, model)
        self._joints = scene.joint_addresses(compiled)
        self._guard = rules.Guard(self._arm, self.limits)
        self._rest()
        super().__init__(compiled, frame_skip=SUBSTEPS, render_mode=render_mode)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (rules.MOVED,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics", which places the disc."""
        gym.Env.reset(self, seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        mujoco.mj_resetData(self.model, self.data)
        self._rest()
        self.data.qpos[self._joints] = self._q
        self.data.ctrl[:] = self._q
        scene.place_target(self.data, *rules.draw_target(self.np_random))
        mujoco.mj_forward(self.model, self.data)
        return self._state(), {"overridden": False}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Let the joints take up the speeds that an action asks for, 0.04 s long.

        Raises:
            ValueError: unless the action is five finite numbers.
        """
        wanted = rules.wanted_speeds(action, self.limits)
        self._action = np.clip(action, -1.0, 1.0)
        allowed = self._guard.allowed(self._q, self._speed, wanted)
        for _ in range(SUBSTEPS):
            self._q, self._speed = rules.advance(
                self._q, self._speed, allowed, scene.TIMESTEP, self.limits.acceleration
            )
            # Servos are damped: what they would lag behind by is added.
            self.data.ctrl[:] = self._q + arms.DAMPING_TIME * self._speed
            mujoco.mj_step(self.model, self.data)
        mujoco.mj_forward(self.model, self.data)
        info = {"overridden": bool((allowed != wanted).any())}
        return self._state(), 0.0, False, False, info

    def proprioception(self) -> npt.NDArray[np.float32]:
        """Return what the arm feels, `(15,)` (see `task.proprioception`)."""
        q, speed = self.data.qpos[self._joints], self.data.qvel[self._joints]
        return rules.proprioception(q, speed, self._action, self.limits)

    def expert(self) -> npt.NDArray[np.float32]:
        """Return a good action, from the true state."""
        disc = self.data.body(scene.TARGET).xpos
        return Servo(self._arm, self.limits).action(self._q, disc)

    def _rest(self) -> None:
        self._q, self._speed = np.array(rules.RESET_POSE), np.zeros(6)
        self._action = np.zeros(rules.MOVED, np.float32)

    def _state(self) -> State:
        return np.concatenate([self.data.qpos, self.data.qvel, self.data.mocap_pos.ravel()])


def make(
    task: str,
    mode: str | Mode,
    *,
    image_size: int | Sequence[int] = 84,
    frame_stack: int = 3,
    action_repeat: int | None = None,
    assets: str = "auto",
    camera: int | str | None = None,
    composite: str = "exact",
    render_quality: str = "standard",
    render_mode: str | None = "rgb_array",
    robot: str = "ur5e",
    model: str = "own",
    reward: str = "dense",
    proprioception: bool = False,
) -> gym.Env:
    """Build a UR5 environment; observations are uint8 `(3 * frame_stack, height, width)`.

    An episode is 150 actions of 0.04 s, and ends by truncation. The screen plays on during an
    action repeat, and rewards of all its steps are added.

    Args:
        task: `"reach"`.
        mode: A name in the suite's `modes`, or a list of `{"kind": name, **arguments}`.
        image_size: Height and width in pixels, or one number for both. The camera draws 90 x 160
            (the paper's observation), which is scaled, a square's sides each on its own.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None is 1.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: `"wrist"`; None is the same. The reward is what it shows.
        composite: Not looked at: what plays on the screen is a texture of the scene.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.
        robot: `"ur5e"`, or `"ur5"` for the CB3 arm's lengths.
        model: The arm: `"own"`, or `"menagerie"` for MuJoCo Menagerie's meshes (UR5e only).
        reward: `"dense"`, or `"sparse"`: 1 where the disc is large.
        proprioception: Return `{"image": ..., "proprio": ...}`: joint angles, speeds and the last
            action, `(15,)`.

    Raises:
        UnknownName: for a task, mode, camera, quality, robot, model or reward that does not exist.
        AssetsMissing: for a video mode whose clips, or a model whose files, are not on this
            machine.
        MissingExtra: without mujoco, or without mujoco-menagerie for its model.
        ValueError: for a robot that Menagerie does not have.
    """
    if task != "reach":
        raise unknown("task of suite 'ur5'", task, ("reach",))
    if camera not in (None, "wrist"):
        raise unknown("camera of suite 'ur5'", str(camera), ("wrist",))
    repeat = 1 if action_repeat is None else action_repeat
    pipeline = PIPELINES.get(mode, mode) if isinstance(mode, str) else mode
    env: gym.Env = UR5Env(robot, model, render_mode)
    env.metadata = {**env.metadata, "render_fps": max(1, round(25 / repeat))}
    env = ObserveWrist(env, image_size, render_quality, reward, distracted=bool(pipeline))
    env = ActionRepeat(DistractionWrapper(env, pipeline, assets=assets), repeat)
    env = StackFrames(env, frame_stack)
    if proprioception:
        env = AddProprioception(env)
    return TimeLimit(env, math.ceil(rules.EPISODE / repeat))
