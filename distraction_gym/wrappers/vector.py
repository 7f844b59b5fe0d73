"""Put distractions into the pictures of vector environments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from distraction_gym.distractions.modes import build
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.scenes.keyed import MaskFunction, keyed_scene
from distraction_gym.typing import Frame
from distraction_gym.wrappers.distraction import CHOICES
from distraction_gym.wrappers.pictures import PictureFormat, like, to_numpy
from distraction_gym.wrappers.pipeline import Pipeline

Mask = npt.NDArray[np.bool_]


class DistractionVectorWrapper(gym.vector.VectorWrapper):
    """Disturb the pictures of every environment in a vector environment.

    Each has its own distractions and random stream: with a seed s, environment i shows what
    `DistractionWrapper` would show with seed s + i. Only the pictures are known here, not what
    drew them. Where the environments can be wrapped one by one before they are put together, do
    that instead, for exact masks and modes that edit scenes:
    `gym.make_vec(id, wrappers=[functools.partial(DistractionWrapper, mode="video_hard")])`.

    All of `gymnasium.vector.AutoresetMode` is followed; an environment that does not tell its mode
    is taken for `NEXT_STEP`, as by Gymnasium's own wrappers. With `SAME_STEP`, `final_obs` shows
    the last picture beneath the old episode's distractions.

    Args:
        env: A `gymnasium.vector.VectorEnv` whose single observations are pictures (see
            `DistractionWrapper`).
        mode: A name in `distractions.MODES`, or a list of `{"kind": name, **arguments}`.
        foreground: What to keep, as for `DistractionWrapper` but for `"auto"`. A mask function's
            second argument is the vector environment.
        assets: `"auto"`, `"generated"` or a folder with clips and colour tables.
        key: The entry of Dict observations to disturb; None takes the only picture among them.

    Raises:
        UnsupportedEnvironment: if the observations are no pictures, or for `foreground="auto"`.
        UnknownName: for a mode, foreground or key that does not exist.
    """

    def __init__(
        self,
        env: gym.vector.VectorEnv,
        mode: str | list[dict[str, Any]],
        *,
        foreground: str | dict[str, Any] | MaskFunction,
        assets: str = "auto",
        key: str | None = None,
    ) -> None:
        super().__init__(env)
        if foreground == "auto":
            raise UnsupportedEnvironment(
                "a vector environment shows its pictures only. Wrap each environment with "
                "DistractionWrapper before they are put together (gym.make_vec(..., "
                f"wrappers=[...])), or say what to keep:\n{CHOICES}"
            )
        self.picture_format = PictureFormat.of(env.single_observation_space, key)
        self.pipelines = tuple(
            Pipeline(build(mode, assets=assets), keyed_scene(foreground, env))  # type: ignore[arg-type]
            for _ in range(env.num_envs)
        )
        autoreset = env.metadata.get("autoreset_mode", "NextStep")
        self._autoreset = getattr(autoreset, "value", autoreset)
        self._ended: npt.NDArray[np.bool_] = np.zeros(env.num_envs, np.bool_)
        self._shown: npt.NDArray = np.empty(0)
        self._frames: list[Frame] = []

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Start episodes: all of them, or those in `options["reset_mask"]`."""
        mask = (options or {}).get("reset_mask")  # Gymnasium takes it out of the options
        chosen = np.ones(self.num_envs, np.bool_) if mask is None else np.array(mask, np.bool_)
        obs, infos = self.env.reset(seed=seed, options=options)  # type: ignore[arg-type]
        self._ended &= ~chosen
        self._restart(chosen, _seeds(seed, self.num_envs))
        return self._disturb(obs, first=chosen, redo=chosen), self._told(infos)

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step and disturb the pictures; episodes that start anew draw new distractions."""
        obs, rewards, terminations, truncations, infos = self.env.step(actions)
        ended = to_numpy(terminations).astype(np.bool_) | to_numpy(truncations).astype(np.bool_)
        first = self._first(ended)
        if self._autoreset == "SameStep" and "final_obs" in infos:
            infos = {**infos, "final_obs": self._last_pictures(infos["final_obs"], ended)}
        self._restart(first, [None] * self.num_envs)
        self._ended = ended
        obs = self._disturb(obs, first=first, redo=np.ones(self.num_envs, np.bool_))
        return obs, rewards, terminations, truncations, self._told(infos)

    def render(self) -> tuple[Any, ...] | None:
        """Return the newest disturbed frames, `(H, W, 3)` each (render mode `rgb_array`)."""
        return tuple(self._frames) if self.render_mode == "rgb_array" else self.env.render()

    def _first(self, ended: Mask) -> Mask:
        """Return whose observation of this step is the first of an episode."""
        if self._autoreset == "NextStep":
            return self._ended
        return ended if self._autoreset == "SameStep" else np.zeros_like(ended)

    def _restart(self, chosen: Mask, seeds: Sequence[int | None]) -> None:
        for index in np.flatnonzero(chosen).tolist():
            self.pipelines[index].reset(seeds[index])

    def _disturb(self, obs: Any, *, first: Mask, redo: Mask) -> Any:
        """Disturb the pictures in `redo`; the others stay what they were at the last call."""
        batch = self.picture_format.take(obs)
        pictures = to_numpy(batch)
        shown = np.array(pictures)
        if not redo.all():
            shown[~redo] = self._shown[~redo]
        else:
            self._frames = [np.empty(0, np.uint8)] * self.num_envs
        for index in np.flatnonzero(redo).tolist():
            shown[index], self._frames[index] = self._one(
                index, pictures[index], bool(first[index])
            )
        self._shown = shown.copy()
        return self.picture_format.put(obs, like(shown, batch))

    def _one(self, index: int, picture: npt.NDArray, first: bool) -> tuple[npt.NDArray, Frame]:
        frame = self.picture_format.to_frame(picture)
        pipeline = self.pipelines[index]
        _, disturbed = pipeline.begin(frame) if first else pipeline.disturb(frame)
        return self.picture_format.from_frame(picture, frame, disturbed), disturbed

    def _last_pictures(self, final: Any, ended: Mask) -> npt.NDArray[np.object_]:
        """Disturb the last observations of episodes that have ended in this very step."""
        shown = np.full(self.num_envs, None, dtype=object)
        for index in np.flatnonzero(ended).tolist():
            old = self.picture_format.take(final[index])
            picture, _ = self._one(index, to_numpy(old), False)
            shown[index] = self.picture_format.put(final[index], like(picture, old))
        return shown

    def _told(self, infos: dict[str, Any]) -> dict[str, Any]:
        drawn = np.full(self.num_envs, None, dtype=object)
        for index, pipeline in enumerate(self.pipelines):
            drawn[index] = pipeline.drawn
        return {**infos, "distraction": drawn, "_distraction": np.ones(self.num_envs, np.bool_)}


def _seeds(seed: int | Sequence[int | None] | None, count: int) -> list[int | None]:
    """Return each environment's seed, as `gymnasium.vector` hands them out."""
    if seed is None:
        return [None] * count
    return [seed + index for index in range(count)] if isinstance(seed, int) else list(seed)
