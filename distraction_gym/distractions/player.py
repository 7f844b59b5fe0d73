"""Which clip plays in which episode, from which frame on, and which way."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from distraction_gym.assets import cache
from distraction_gym.assets.clips import Footage, Size
from distraction_gym.assets.store import clips as find_clips
from distraction_gym.distractions.rates import Cycle
from distraction_gym.errors import BrokenAsset
from distraction_gym.registry import unknown
from distraction_gym.typing import Frame

ORDERS = ("random", "listed", "seeded", "running")
STARTS = ("first", "random")

# step, first frame, direction, length -> which frame of the clip
MOTIONS: dict[str, Callable[[int, int, int, int], int]] = {
    "forward": lambda step, first, direction, length: (first + step) % length,
    "bounce": lambda step, first, direction, length: _bounced(first + direction * step, length),
    "still": lambda step, first, direction, length: first,
}

_warned: set[str] = set()


class Player:
    """Plays the clips of a pack, one frame per call, by the rules of one of the papers.

    A clip shorter than an episode begins again (`motion="forward"`). One that cannot be decoded is
    skipped with one warning that names it, and the next of the list plays instead.

    Args:
        pack: Which clips (see `assets.store`).
        assets: `"auto"`, `"generated"` or a folder.
        clips: Only the first so many of the list (Distracting Control Suite); None takes all.
        order: Which clip an episode shows. `"random"` draws one. `"listed"` takes the next of the
            list over the life of the object, whatever the seed, and begins with the second
            (DMC-GB's code). `"seeded"` does so from a clip that each seed draws (DMC-GB2's code).
            `"running"` treats the list as one tape that goes on where the last episode left it
            (RePo's code).
        start: The clip's `"first"` frame, or a `"random"` one; of a tape, where it begins.
        motion: `"forward"`; `"bounce"` goes either way and turns round at the ends (Distracting
            Control Suite); `"still"` holds the first picture for the whole episode.
        frames_per_step: How many frames of the clip a step is long.
        grey: Whether to take the colours out.

    Raises:
        AssetsMissing: if there are no clips.
        UnknownName: for an order, start or motion that does not exist.
        ValueError: for a number of clips below 1, a negative speed, or a tape that should not
            run forward.
    """

    def __init__(
        self,
        pack: str,
        assets: str = "auto",
        *,
        clips: int | None = None,
        order: str = "random",
        start: str = "first",
        motion: str = "forward",
        frames_per_step: float = 1.0,
        grey: bool = False,
    ) -> None:
        for kind, name, known in (
            ("order", order, ORDERS),
            ("start", start, STARTS),
            ("motion", motion, MOTIONS),
        ):
            if name not in known:
                raise unknown(kind, name, known)
        if clips is not None and clips < 1:
            raise ValueError(f"clips must be at least 1, or None for all of them, got {clips!r}")
        if order == "running" and motion != "forward":
            raise ValueError(f"order='running' goes with motion='forward', got {motion!r}")
        if frames_per_step < 0:
            raise ValueError(f"frames_per_step must be at least 0, got {frames_per_step!r}")
        self._pack, self._clips = pack, find_clips(pack, assets)[:clips]
        self._order, self._start, self._motion, self._grey = order, start, motion, grey
        self._frames_per_step = frames_per_step
        self._cycle = Cycle(len(self._clips), shuffled=False)
        self._index: int | None = None
        self._share, self._direction, self._step = 0.0, 1, 0
        self._shown: dict[str, Any] | None = None
        self._footage: Footage | None = None

    def reset(self, rng: np.random.Generator) -> None:
        """Start an episode: choose its clip, its first frame and its direction."""
        self._shown = None
        if self._order == "running" and self._index is not None:
            return
        self._index, self._footage, self._step = self._choose(rng), None, 0
        # A share and not a number: how many frames there are is known once the clip is decoded.
        self._share = float(rng.random()) if self._start == "random" else 0.0
        if self._motion == "bounce":
            self._direction = 1 if rng.random() < 0.5 else -1

    def next(self, size: Size) -> Frame:
        """Return the picture to show now, `(H, W, 3)` uint8, and move on; never write into it.

        Args:
            size: Height and width; it may change between calls.

        Raises:
            BrokenAsset: if no clip of the pack can be decoded.
        """
        footage = self._load(size)
        if self._order == "running" and self._first(footage) + self._passed() >= len(footage):
            self._move_on()
            footage = self._load(size)
        length = len(footage)
        frame = MOTIONS[self._motion](self._passed(), self._first(footage), self._direction, length)
        if self._shown is None:
            self._shown = {"clip": self._name, "frame": frame}
        self._step += 1
        picture = footage[frame]
        return _without_colors(picture) if self._grey else picture

    def describe(self) -> dict[str, Any]:
        """Return the pack, and the clip and frame that this episode begins with."""
        return {"pack": self._pack, **(self._shown or {"clip": self._name})}

    def __getstate__(self) -> dict[str, Any]:
        # Megabytes of pictures that the cache gives back at the next frame.
        return {**self.__dict__, "_footage": None}

    @property
    def _name(self) -> str:
        return self._clips[self._index or 0].name

    def _choose(self, rng: np.random.Generator) -> int:
        count = len(self._clips)
        if self._order == "random":
            return int(rng.integers(count))
        if self._order == "seeded":
            return self._cycle.next(rng)
        if self._order == "running":
            return int(rng.integers(count)) if self._start == "random" else 0
        return self._after()  # before it is used: the papers'

    def _after(self) -> int:
        return ((self._index or 0) + 1) % len(self._clips)

    def _passed(self) -> int:
        """Return how many frames have gone by since the episode's, or the tape's clip's, first."""
        return int(self._step * self._frames_per_step)

    def _first(self, footage: Footage) -> int:
        return int(self._share * len(footage))

    def _move_on(self) -> None:
        """Go to the beginning of the next clip."""
        self._index = self._after()
        self._footage, self._share, self._step = None, 0.0, 0

    def _load(self, size: Size) -> Footage:
        """Return the clip that is playing, or the next one that is not broken."""
        if self._footage is not None and self._footage.shape[1:3] == size:
            return self._footage
        problem: BrokenAsset | None = None
        for _ in self._clips:
            try:
                self._footage = cache.frames(self._clips[self._index or 0], size).view(np.ndarray)
                return self._footage
            except BrokenAsset as error:
                problem = error
                _warn(self._name, error)
                self._index = self._after()
        raise BrokenAsset(
            f"none of the {len(self._clips)} clips of {self._pack!r} can be decoded. The last "
            f"one's fault: {problem}"
        )


def _bounced(place: int, length: int) -> int:
    """Fold a place on an endless line into the clip, as Distracting Control Suite's code does.

    At the upper end the last frame is shown twice, at the lower end the first one once.
    """
    phase = place % (2 * length - 1)
    return min(phase, 2 * length - 1 - phase)


def _without_colors(picture: Frame) -> Frame:
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _warn(name: str, error: BrokenAsset) -> None:
    """Say once per process which clip is skipped; packs have clips of the same names."""
    message = f"the clip {name} is skipped: {error}"
    if message not in _warned:
        _warned.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=5)
