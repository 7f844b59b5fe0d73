"""What the camera on the wrist sees: for the environment, and for a server of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.player import Player
from distraction_gym.envs.ur5 import scene, task
from distraction_gym.registry import unknown
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.scenes.mujoco import MujocoScene
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame
from distraction_gym.wrappers import ObserveScene

mujoco = load_mujoco()

REWARDS = {"dense": task.dense_reward, "sparse": task.sparse_reward}


class WristScene(MujocoScene):
    """Draws the camera's own picture, 160 x 90, and returns it and its masks at another size.

    Attribute `shot`: the camera's last picture, `(90, 160, 3)` uint8.

    Args:
        model: The task's `mujoco.MjModel`.
        data: Its `mujoco.MjData`.
        image_size: Height and width of what is returned.
        quality: See `MujocoScene`.
    """

    shot: Frame

    def __init__(
        self, model: Any, data: Any, image_size: tuple[int, int], quality: str = "standard"
    ) -> None:
        super().__init__(
            model,
            data,
            image_size=task.SHAPE,
            camera=scene.CAMERA,
            quality=quality,
            relevant=[f"geom:{scene.TARGET}"],
        )
        if min(image_size) < 1:
            raise ValueError(f"image_size must be positive, got {image_size!r}")
        self._returned = image_size

    def _draw(self) -> Frame:
        self.shot = super()._draw()
        return task.resized(self.shot, self._returned)

    def _object_ids(self) -> npt.NDArray[np.int32]:
        ids = super()._object_ids()
        width_first = self._returned[::-1]
        return np.asarray(cv2.resize(ids, width_first, interpolation=cv2.INTER_NEAREST), np.int32)


class ObserveWrist(ObserveScene):
    """Return the wrist camera's picture after each step, and pay what it shows.

    The camera's own picture is judged, at 160 x 90 whatever the observation's size, with all that
    plays on the screen. `info["success"]`: the disc is large enough for the sparse reward;
    `info["is_success"]`: it was at any step so far.

    Args:
        env: The arm's environment.
        image_size: Height and width of the observation, or one number for both.
        quality: See `MujocoScene`.
        reward: `"dense"` or `"sparse"`.
        distracted: Whether a pixel with any green is no target.

    Raises:
        UnknownName: for a reward or a quality that does not exist.
    """

    def __init__(
        self,
        env: gym.Env,
        image_size: int | Sequence[int] = 84,
        quality: str = "standard",
        reward: str = "dense",
        distracted: bool = False,
    ) -> None:
        if reward not in REWARDS:
            raise unknown("reward", reward, REWARDS)
        gym.utils.RecordConstructorArgs.__init__(
            self, image_size=image_size, quality=quality, reward=reward, distracted=distracted
        )
        super().__init__(env, image_size, quality=quality)
        self._pay = REWARDS[reward]
        self._highest = task.HIGHEST_DISTRACTED if distracted else task.HIGHEST
        self._succeeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Start an episode and draw it."""
        frame, info = super().reset(seed=seed, options=options)
        self._succeeded = False
        return frame, {**info, **self._judged(self._mask())}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Step, draw, and judge the picture."""
        frame, _, terminated, truncated, info = super().step(action)
        mask = self._mask()
        return frame, self._pay(mask), terminated, truncated, {**info, **self._judged(mask)}

    def _make_scene(self, model: Any, data: Any, settings: Mapping[str, Any]) -> MujocoScene:
        return WristScene(model, data, settings["image_size"], settings["quality"])

    def _mask(self) -> task.Mask:
        assert isinstance(self.scene, WristScene)
        return task.target_mask(self.scene.shot, self._highest)

    def _judged(self, mask: task.Mask) -> dict[str, Any]:
        success = bool(task.sparse_reward(mask))
        self._succeeded = self._succeeded or success
        return {"success": success, "is_success": self._succeeded}


class WristView:
    """Draws what the wrist camera sees when the joints are at given angles: a stand-in for it.

    Without physics. One thread at a time.

    Args:
        robot: `"ur5e"` or `"ur5"`.
        model: The arm's model, `"own"` or `"menagerie"`.
        size: Height and width in pixels.
        pack: Clips that play on the screen, a picture of them in each of the camera's; None is
            white. See `assets.store`.
        assets: `"auto"`, `"generated"` or a folder.
        seed: Of the order of the clips; None: another one each time.

    Raises:
        UnknownName: for an arm or a model that does not exist, or if no such pack is generated.
        AssetsMissing: if there are no clips.
    """

    def __init__(
        self,
        robot: str = "ur5e",
        model: str = "own",
        size: tuple[int, int] = task.SHAPE,
        pack: str | None = None,
        assets: str = "auto",
        seed: int | None = None,
    ) -> None:
        self._player = None if pack is None else Player(pack, assets)
        self._rng = stream(seed, "distraction")
        self._model = scene.build(robot, model)
        self._data = mujoco.MjData(self._model)
        self._joints = scene.joint_addresses(self._model)
        self._scene = MujocoScene(self._model, self._data, image_size=size, camera=scene.CAMERA)
        self.show(task.SHAPE[1] / 2, task.SHAPE[0] / 2)

    def show(self, x: float, y: float, picture: Frame | None = None) -> None:
        """Begin an episode: put the disc on the screen, and behind it a picture, or begin a clip.

        Args:
            x: The disc's centre from the left edge, on a screen of 160 x 90.
            y: From the lower edge.
            picture: `(H, W, 3)` uint8, stretched over the screen; None is white, or the clip.
        """
        scene.place_target(self._data, x, y)
        self._scene.restore()
        if self._player is not None:
            self._player.reset(self._rng)
        if picture is not None:
            self._scene.wrap(scene.SCREEN, task.resized(picture, scene.TEXELS))

    def __call__(self, q: npt.ArrayLike) -> Frame:
        """Return the picture at these six joint angles, `(H, W, 3)` uint8, RGB; a clip goes on."""
        if self._player is not None:
            self._scene.wrap(scene.SCREEN, self._player.next(scene.TEXELS))
        self._data.qpos[self._joints] = q
        mujoco.mj_forward(self._model, self._data)
        return self._scene.render()

    def close(self) -> None:
        """Free the renderer."""
        self._scene.close()
