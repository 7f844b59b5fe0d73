"""Stand-ins for what tests should not need a simulator for."""

from __future__ import annotations

import cv2
import numpy as np

from distraction_gym.registry import unknown
from distraction_gym.scene import Light, Pose, Scene

STOCK = {
    "sky": ((0.4, 0.6, 0.8),),
    "floor": ((0.1, 0.2, 0.3), (0.2, 0.3, 0.4)),
    "body": ((0.7, 0.5, 0.3),),
}
MATERIALS = {"grid": (1.0, 1.0, 1.0), "self": (0.7, 0.5, 0.3), "decoration": (0.2, 0.05, 0.8)}
LIGHTS = (
    Light((0, 0, 0), (0, 1, 0), (0.1,) * 3, (0.4,) * 3, (0.5,) * 3, is_headlight=True),
    Light((0, 0, 3), (0, 0, -1), (0.0,) * 3, (0.7,) * 3, (0.3,) * 3),
)


class FakeScene(Scene):
    """A sky over a striped floor, with a block in front; see `distraction_gym.scene.Scene`.

    `calls` lists what was asked of it. With `soft`, backgrounds are float32 weights. A camera 4 m
    in front of the origin looks at it; set `middle` (what it tracks) and `stock_pose` at will.
    `frame()` begins a frame; after it, `pose`, `lamps` and `solids` hold what was edited.
    """

    parts = ("sky", "floor", "body")

    def __init__(self, height=24, width=20, soft=False):
        self.shape, self.soft, self.calls = (height, width), soft, []
        # columns: right, up (the world's z) and backward
        level = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
        self.stock_pose, self.middle = Pose(np.array([0.0, -4.0, 0.0]), level), np.zeros(3)
        self.restore()
        self.frame()

    def draw(self):
        """Return the picture as it stands, `(H, W, 3)` uint8."""
        frame = np.empty((*self.shape, 3), np.uint8)
        for part, (first, *others) in self.colors.items():
            frame[self._where(part)] = self._pixel(first)
            if others:
                stripes = self._where(part) & (np.arange(self.shape[1]) % 2 == 1)
                frame[stripes] = self._pixel(others[0])
        return frame

    def background(self, parts, frame):
        assert frame.shape == (*self.shape, 3)
        for part in parts:
            if part not in self.parts:
                raise unknown("part", part, self.parts)
        matte = np.any([self._where(part) for part in parts], axis=0)
        return cv2.blur(matte.astype(np.float32), (3, 3)) if self.soft else matte

    def recolor(self, colors):
        self.calls.append(("recolor", {part: tuple(given) for part, given in colors.items()}))
        self.colors.update(self.calls[-1][1])

    def flood(self, parts, color):
        self.calls.append(("flood", tuple(parts), color))
        self.colors.update(dict.fromkeys(parts, (color,)))

    def restore(self):
        self.colors, self.tints, self.alphas = dict(STOCK), dict(MATERIALS), {}
        self.pictures = {}

    def frame(self, *distractions):
        """Begin a frame and let distractions stage it."""
        self.pose, self.lamps, self.solids = self.stock_pose, LIGHTS, []
        for distraction in distractions:
            distraction.stage(self)

    def materials(self):
        return dict(self.tints)

    def tint(self, colors):
        assert set(colors) <= set(self.tints)
        self.tints.update(colors)

    def fade(self, part, alpha):
        self.alphas[part] = alpha

    def wrap(self, part, picture, opacity=1.0):
        self.calls.append(("wrap", part, opacity))
        self.pictures[part] = picture

    def view(self):
        return self.pose

    def focus(self):
        return self.middle.copy()

    def center(self):
        return self.middle.copy()

    def aim(self, pose):
        self.pose = pose

    def turn(self, *, roll=0.0, pan=0.0, tilt=0.0):
        self.calls.append(("turn", {"roll": roll, "pan": pan, "tilt": tilt}))

    def lights(self):
        return self.lamps

    def light(self, lights):
        assert len(lights) == len(self.lamps)
        self.lamps = tuple(lights)

    def place(self, solids):
        self.solids += solids

    def _where(self, part):
        rows, columns = np.indices(self.shape)
        height, width = self.shape
        body = (abs(rows - height // 2) < height // 4) & (abs(columns - width // 2) < width // 5)
        sky = rows < height // 2
        return {"body": body, "sky": sky & ~body, "floor": ~sky & ~body}[part]

    @staticmethod
    def _pixel(color):
        return np.round(255 * np.array(color)).astype(np.uint8)


def write_clip(path, frames=12, height=100, width=100, seed=0):
    """Write a small mp4 of flat frames whose grey value is `10 + 8 * frame + seed`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (width, height))
    assert writer.isOpened()
    for index in range(frames):
        writer.write(np.full((height, width, 3), 10 + 8 * index + seed, np.uint8))
    writer.release()
    return path
