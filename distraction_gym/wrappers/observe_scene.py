"""Pictures as observations, drawn by the scene of a MuJoCo environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scenes.gl import load_mujoco
from distraction_gym.typing import Frame

if TYPE_CHECKING:  # loads mujoco
    from distraction_gym.scenes.mujoco import MujocoScene


class ObserveScene(gym.Wrapper, gym.utils.RecordConstructorArgs):
    """Replace a MuJoCo environment's observations by pictures `(H, W, 3)` uint8, one per step.

    Attribute `scene`: the `MujocoScene` that draws them.

    Args:
        env: A MuJoCo environment of Gymnasium's, or of dm_control's suite through Shimmy.
        image_size: Height and width in pixels, or one number for both.
        camera: A camera's number or name; -1 is the free camera, None the first one.
        quality: `"standard"`, `"fast"` or `"draft"` (see `MujocoScene`).
        extra_background: Part -> names of geoms (or `"body:table"`, `"group:2"`) that masks count
            as that part.
        relevant: What `scene.foreground` shows unless told otherwise, such as
            `["body:torso", "site:target"]`; None is whatever is neither sky nor floor.

    Raises:
        UnsupportedEnvironment: if no MuJoCo model can be found in the environment.
        UnknownName: for a camera, quality, part, geom or object that does not exist.
    """

    def __init__(
        self,
        env: gym.Env,
        image_size: int | Sequence[int] = 84,
        camera: int | str | None = None,
        quality: str = "standard",
        extra_background: dict[str, list[str]] | None = None,
        relevant: list[str] | None = None,
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(
            self,
            image_size=image_size,
            camera=camera,
            quality=quality,
            extra_background=extra_background,
            relevant=relevant,
        )
        super().__init__(env)
        load_mujoco()
        from distraction_gym.scenes.native import model_and_data

        size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        settings = {
            "image_size": size,
            "camera": camera,
            "quality": quality,
            "extra_background": extra_background,
            "relevant": relevant,
        }
        self.scene = self._make_scene(*model_and_data(env), settings)
        self.observation_space = gym.spaces.Box(0, 255, (*size, 3), np.uint8)
        self._frame: Frame | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Start an episode and draw it.

        Raises:
            UnsupportedEnvironment: if the environment has compiled a new model for it.
        """
        _, info = self.env.reset(seed=seed, options=options)
        self._follow()
        return self._draw(), info

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Step and draw."""
        _, reward, terminated, truncated, info = self.env.step(action)
        return self._draw(), float(reward), terminated, truncated, info

    def render(self) -> Any:
        """Return the current picture (render mode `rgb_array`)."""
        return self._frame if self.render_mode == "rgb_array" else self.env.render()

    def close(self) -> None:
        """Free the renderer, then the environment."""
        self.scene.close()
        super().close()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Connect the scene to the unpickled environment, which may have built itself anew."""
        from distraction_gym.scenes.native import model_and_data

        self.__dict__.update(state)
        self.scene.bind(*model_and_data(self.env))

    def _make_scene(self, model: Any, data: Any, settings: Mapping[str, Any]) -> MujocoScene:
        """Return what draws, with these arguments of `MujocoScene`."""
        from distraction_gym.scenes.mujoco import MujocoScene

        return MujocoScene(model, data, **settings)

    def _follow(self) -> None:
        """Draw the state that the environment holds now: some make a new one per episode."""
        from distraction_gym.scenes.native import model_and_data

        model, data = model_and_data(self.env)
        if model is not self.scene.model:
            raise UnsupportedEnvironment(
                f"{self.env.unwrapped} has compiled a new MuJoCo model for this episode, and a "
                "scene draws one model for life. Edit the model in place, or let the environment "
                "draw its pictures and say what to keep: DistractionWrapper(env, ..., "
                "foreground=my_mask)."
            )
        self.scene.bind(model, data)

    def _draw(self) -> Frame:
        self._frame = self.scene.render()
        return self._frame
