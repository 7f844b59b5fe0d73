"""What is in a picture: what a distraction may ask of an environment's scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.typing import RGB, Frame, Matte

Vector = npt.NDArray[np.float64]
"""`(3,)` float64: metres, in the world's axes."""


class Pose(NamedTuple):
    """Where a camera is and how it is turned."""

    position: Vector
    rotation: npt.NDArray[np.float64]
    """`(3, 3)`: columns are the camera's right, up and backward axes, as in MuJoCo's `cam_xmat`."""


@dataclass(frozen=True)
class Light:
    """One light of a scene; colours in [0, 1]."""

    position: tuple[float, float, float]
    direction: tuple[float, float, float]
    ambient: RGB
    diffuse: RGB
    specular: RGB
    casts_shadow: bool = True
    is_headlight: bool = False


@dataclass(frozen=True)
class Solid:
    """A body that is drawn into the scene and touches nothing: physics does not know it."""

    shape: str
    """`"sphere"`, `"box"`, `"capsule"`, `"cylinder"` or `"ellipsoid"`."""
    position: tuple[float, float, float]
    """Metres, in the world's axes."""
    size: tuple[float, float, float]
    """Half sizes in metres."""
    color: RGB
    rotation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    """Rotation matrix, row by row."""
    material: str | None = None
    """A material of the scene that it wears, texture and all, instead of the colour."""


class Segments(NamedTuple):
    """Which object each pixel shows."""

    ids: npt.NDArray[np.int32]
    """`(H, W)`: indices into `names`."""
    names: tuple[str, ...]
    """`"sky"`, `"geom:torso"`, `"site:target"`, `"tendon:string"`, ..."""


def inverse(matte: Matte) -> Matte:
    """Return what a matte leaves out, with its shape and dtype."""
    if matte.dtype == np.bool_:
        return np.logical_not(matte)
    return np.float32(1.0) - matte


class Scene:
    """What a distraction may ask of the thing in the picture.

    Subclass it for an environment of your own, give the environment an attribute `scene`, and
    override what it can do: everything else refuses with `UnsupportedEnvironment`. A scene that
    draws calls `stage()` first, once per frame.

    Parts are named: `"sky"` (everything at infinity), `"floor"` (the ground), `"body"` (the
    robot's own material); a scene may know more and lists them in `parts`.
    """

    parts: tuple[str, ...] = ()
    stagehand: Callable[[], None] | None = None
    """Called before every frame is drawn, after the physics: distractions edit the scene in it."""

    def stage(self) -> None:
        """Let the distractions edit the scene for the frame that is about to be drawn."""
        if self.stagehand is not None:
            self.stagehand()

    def redraw(self, frame: Frame) -> Frame:
        """Return the newest frame with the scene's edits in it, `(H, W, 3)` uint8.

        Scenes that draw the environment's frames return `frame` itself. Those that only know how
        an environment draws call `stage()`, and draw the picture again if anything was edited.
        """
        return frame

    def restore(self) -> None:
        """Undo every edit: the next frame shows the stock scene."""

    def close(self) -> None:
        """Free what drawing needs; called when the environment is closed."""

    # Masks -----------------------------------------------------------------------------------

    def background(self, parts: Sequence[str], frame: Frame) -> Matte:
        """Return where `frame` (just drawn from this scene) shows the given parts, `(H, W)`.

        Raises:
            UnknownName: for a part that the scene does not have.
        """
        self._refuse("masks")

    def segments(self, frame: Frame) -> Segments:
        """Return which object each pixel of `frame` (just drawn from this scene) shows."""
        self._refuse("instance masks")

    def owner(self, name: str) -> str:
        """Return the larger thing that an object of `segments` belongs to, or the object itself.

        Such as `"body:torso"` for one of the torso's geoms: a name that `foreground` takes.
        """
        return name

    def foreground(self, frame: Frame, objects: Sequence[str] | None = None) -> Matte:
        """Return where `frame` (just drawn from this scene) shows what matters, `(H, W)`.

        Args:
            frame: `(H, W, 3)` uint8.
            objects: Names as in `segments`; for MuJoCo also `"body:torso"` (its geoms) and
                `"group:1"` (a geom group). None takes the task's own set, or whatever is neither
                sky nor floor.

        Raises:
            UnknownName: for an object that the scene does not have.
        """
        if objects is not None:
            self._refuse("masks of single objects")
        behind = [part for part in ("sky", "floor") if part in self.parts]
        return inverse(self.background(behind, frame))

    # Colours and textures --------------------------------------------------------------------

    def recolor(self, colors: Mapping[str, Sequence[RGB]]) -> None:
        """Give parts new colours before the next frame is drawn.

        `"sky"` takes one colour (the top of its gradient), `"floor"` two (the checker's fields),
        `"body"` one. Marks, edges and lights stay as they are.
        """
        self._refuse("colours")

    def flood(self, parts: Sequence[str], color: RGB) -> None:
        """Give every pixel of the parts one flat colour (marks and edges too), for chroma keys."""
        self._refuse("colours")

    def materials(self) -> dict[str, RGB]:
        """Return the colour of every named material, as edited so far."""
        self._refuse("materials")

    def tint(self, colors: Mapping[str, RGB]) -> None:
        """Give materials new colours; textures on them stay and are multiplied by the colour.

        Raises:
            UnknownName: for a material that does not exist.
        """
        self._refuse("materials")

    def fade(self, part: str, alpha: float) -> None:
        """Make a part translucent: 0 is invisible, 1 its stock opacity."""
        self._refuse("opacity")

    def wrap(self, part: str, picture: Frame, opacity: float = 1.0) -> None:
        """Lay a picture over a part's texture (the sky: over each of its six sides).

        Args:
            part: `"sky"`, `"floor"`, or the name of a texture.
            picture: `(S, S, 3)` uint8; scaled to the texture where its size is fixed.
            opacity: In [0, 1]; below 1 the stock texture shines through.
        """
        self._refuse("textures")

    def hide(self, parts: Sequence[str]) -> None:
        """Expect every pixel of the parts to be covered by a picture, until `restore()`.

        A scene may then draw them as cheaply as it likes. Call it in `reset`, and only if nothing
        of them will shine through.
        """

    # Camera, lights, solids: call these within `stage`; they hold for one frame ---------------

    def view(self) -> Pose:
        """Return the pose from which the next frame is drawn, as edited so far."""
        self._refuse("the camera")

    def focus(self) -> Vector:
        """Return the point that a camera should look at: the robot's centre, or the origin."""
        self._refuse("the camera")

    def center(self) -> Vector:
        """Return the robot's centre of mass, wherever the camera looks."""
        self._refuse("the camera")

    def aim(self, pose: Pose) -> None:
        """Draw the next frame from another pose."""
        self._refuse("the camera")

    def turn(self, *, roll: float = 0.0, pan: float = 0.0, tilt: float = 0.0) -> None:
        """Turn the next frame's view about its own axes, in degrees.

        On top of `aim` and other turns: rotation <- rotation @ Ry(pan) @ Rx(tilt) @ Rz(roll). A
        scene without a camera rotates and moves the picture instead.
        """
        self._refuse("the camera")

    def lights(self) -> tuple[Light, ...]:
        """Return the lights of the next frame, as edited so far."""
        self._refuse("lights")

    def light(self, lights: Sequence[Light]) -> None:
        """Draw the next frame under other lights, as many as there are in `lights()`."""
        self._refuse("lights")

    def place(self, solids: Sequence[Solid]) -> None:
        """Draw solids into the next frame."""
        self._refuse("solids")

    def _refuse(self, what: str) -> NoReturn:
        raise UnsupportedEnvironment(
            f"this mode edits {what} inside a simulator, and {type(self).__name__} cannot. Take a "
            "mode that disturbs pixels (distraction-gym list --kinds), or a MuJoCo environment: "
            "DistractionWrapper(ObserveScene(env), ...)."
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "stagehand": None}  # the wrapper around registers itself again
