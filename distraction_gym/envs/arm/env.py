"""SMG's arm tasks on a stock mujoco."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.envs import pictures
from distraction_gym.envs.arm import robot
from distraction_gym.envs.arm.scene import BEHIND, CAMERAS, LOOKS, build, relevant
from distraction_gym.envs.arm.tasks import SCALE, TASKS
from distraction_gym.envs.model import ModelEnv, State
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.seeding import stream

mujoco = load_mujoco()

SUBSTEPS = 20
"""Physics steps per action."""
EPISODE = 50
"""Actions per episode."""
SETTLING = 10
"""For how many actions' time the hand goes to its start before an episode."""
_DOWN = np.array([0.0, 1.0, 0.0, 0.0])


class ArmEnv(ModelEnv):
    """A task of the arm: actions lead the hand, observations are `[qpos, qvel, mocap_pos]`.

    Endless: the time limit is a wrapper's. `info["success"]`: is the task done now;
    `info["is_success"]`: was it at any step so far.

    Attributes: `model` and `data`, the raw structures; `task`, whose `expert()` knows what to do.

    Args:
        task: A name in the suite's `TASKS`.
        look: One of `scene.LOOKS`.
        model: A name in `robot.MODELS`.
        camera: Through which pictures are to be drawn.
        render_mode: `"rgb_array"` or None.
    """

    def __init__(
        self,
        task: str,
        look: str = "clean",
        model: str = "own",
        camera: int | str = CAMERAS[0],
        render_mode: str | None = None,
    ) -> None:
        kind = TASKS[task]
        compiled = build(task, LOOKS[look], model, camera)
        super().__init__(compiled, frame_skip=SUBSTEPS, render_mode=render_mode)
        self.task = kind(self.data)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (self.task.axes,), np.float32)
        self._succeeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[State, dict[str, Any]]:
        """Start an episode; the seed feeds the stream called "physics", of the nail's draw too."""
        gym.Env.reset(self, seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        mujoco.mj_resetData(self.model, self.data)
        self._lead(self.task.hand(self.np_random), _DOWN)
        mujoco.mj_step(self.model, self.data, SETTLING * SUBSTEPS)
        mujoco.mj_forward(self.model, self.data)
        self.task.scatter(self.np_random)
        mujoco.mj_forward(self.model, self.data)
        self._succeeded = False
        return self._state(), {"success": False, "is_success": False}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[State, float, bool, bool, dict[str, Any]]:
        """Lead the hand from where it is, and let the arm follow for 20 physics steps."""
        command = np.zeros(3)
        command[: self.task.axes] = np.clip(action, -1.0, 1.0)
        goal = self.task.goal()
        hand = self.data.body(robot.HAND)
        self._lead(hand.xpos + SCALE * self._limited(command), hand.xquat + _DOWN)
        mujoco.mj_step(self.model, self.data, SUBSTEPS)
        # A step leaves the bodies' positions as they were before it: rewards want the new ones.
        mujoco.mj_forward(self.model, self.data)
        reward = self.task.reward(goal, float(np.linalg.norm(command)))
        success = self.task.succeeds(goal)
        self._succeeded = self._succeeded or success
        info = {"success": success, "is_success": self._succeeded}
        return self._state(), reward, False, False, info

    def _limited(self, command: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Block what leads further out of the workspace; the way back is always free."""
        hand = self.task.site("grasp")
        command = np.where(hand > self.task.high, np.minimum(command, 0.0), command)
        return np.where(hand < self.task.low, np.maximum(command, 0.0), command)

    def _lead(self, place: npt.NDArray[np.float64], turn: npt.NDArray[np.float64]) -> None:
        mocap = self.model.body("mocap").mocapid[0]
        # Not normalised, as in SMG's code: the sum is half way between the hand's turn and down.
        self.data.mocap_pos[mocap], self.data.mocap_quat[mocap] = place, turn

    def _state(self) -> State:
        return np.concatenate([self.data.qpos, self.data.qvel, self.data.mocap_pos.ravel()])


def make(
    task: str,
    mode: str,
    *,
    image_size: int = 84,
    frame_stack: int = 3,
    action_repeat: int | None = None,
    assets: str = "auto",
    camera: int | str | None = None,
    composite: str = "exact",
    render_quality: str = "standard",
    render_mode: str | None = "rgb_array",
    model: str = "own",
) -> gym.Env:
    """Build an arm environment; observations are uint8 `(3 * frame_stack, size, size)`.

    An episode is 50 actions, and ends by truncation. `info["success"]` tells whether the task is
    done, `info["is_success"]` whether it was at any step so far: the papers' success.

    Args:
        task: `"reach"`, `"push"`, `"pegbox"` or `"hammerall"`.
        mode: `"clean"`, `"test1"` to `"test5"`, `"video_easy"`, `"video_hard"`, or a list of
            `{"kind": name, **arguments}` upon the clean look.
        image_size: Height and width in pixels.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps per agent step; None is 1.
        assets: `"auto"`, `"generated"`, or a folder like DMC-GB's data folder.
        camera: `"third_person"` (0; None) or `"first_person"` (1).
        composite: Not looked at: masks are exact.
        render_quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        render_mode: `"rgb_array"` or None.
        model: The arm: `"own"`, or `"menagerie"` for MuJoCo Menagerie's meshes.

    Raises:
        UnknownName: for a task, mode, camera, quality or model that does not exist.
        AssetsMissing: for a video mode whose clips, or a model whose files, are not on this
            machine.
        MissingExtra: without mujoco, or without mujoco-menagerie for its model.
    """
    has_look = isinstance(mode, str) and mode in LOOKS
    camera = CAMERAS[0] if camera is None else camera
    env = ArmEnv(task, mode if has_look else "clean", model, camera, render_mode)
    return pictures.observe(
        env,
        [] if has_look else mode,
        control_step=SUBSTEPS * env.model.opt.timestep,
        episode=EPISODE,
        action_repeat=1 if action_repeat is None else action_repeat,
        image_size=image_size,
        frame_stack=frame_stack,
        assets=assets,
        camera=camera,
        composite="exact",
        render_quality=render_quality,
        extra_background=BEHIND,
        relevant=relevant(task, env.model),
    )
