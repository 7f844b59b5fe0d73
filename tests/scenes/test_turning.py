"""Turns of pictures without a camera."""

import cv2
import gymnasium as gym
import numpy as np
import pytest

from distraction_gym.envs.mini.scene import MiniScene
from distraction_gym.envs.mini.tasks import Sprite
from distraction_gym.errors import UnknownName
from distraction_gym.scenes.keyed import BlendScene, MaskScene, keyed_scene
from distraction_gym.scenes.turning import Turning

SIZE = 61
SPRITES = (Sprite("box", "goal", (0.5, 0.0), (0.2, 0.2)), Sprite("disc", "body", (0, 0), (0.2, 0)))


def dot(row, column):
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    frame[row - 1 : row + 2, column - 1 : column + 2] = 255
    return frame


def place(frame):
    rows, columns = np.nonzero(frame[..., 0] > 64)
    return round(rows.mean()), round(columns.mean())


def turned(frame, **angles):
    turning = Turning()
    turning.add(**{"roll": 0.0, "pan": 0.0, "tilt": 0.0, **angles})
    return turning.frame(frame)


def test_what_a_camera_sees_turns_the_other_way():
    # As MuJoCo's cameras: rolled counterclockwise, panned to the left, tilted upwards.
    middle = SIZE // 2
    assert place(turned(dot(middle, middle + 20), roll=90)) == (middle + 20, middle)
    focal = SIZE / 2 / np.tan(np.radians(22.5))
    move = round(focal * np.tan(np.radians(5)))
    assert place(turned(dot(middle, middle), pan=5)) == (middle, middle + move)
    assert place(turned(dot(middle, middle), tilt=5)) == (middle + move, middle)


def test_turns_add_up_in_their_order():
    turning = Turning()
    turning.add(0, 5, 0), turning.add(90, 0, 0)
    once = turned(dot(30, 30), pan=5, roll=90)  # rotation @ Ry(pan) @ Rz(roll)
    np.testing.assert_array_equal(turning.frame(dot(30, 30)), once)
    assert place(once) != place(turned(turned(dot(30, 30), roll=90), pan=5))


def test_no_turn_is_no_change(rng):
    frame = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    assert Turning().frame(frame) is frame
    np.testing.assert_array_equal(turned(frame), frame)


def test_the_mini_scenes_masks_follow_the_picture():
    scene = MiniScene(SIZE)
    scene.stagehand = lambda: scene.turn(roll=40, pan=6)
    frame = scene.draw(SPRITES)
    for part, color in (("body", (242, 76, 26)), ("goal", (153, 76, 255))):
        shown = (np.abs(frame.astype(int) - color) < 60).all(axis=-1)
        mask = scene.background([part], frame)
        assert mask.sum() > 50 and (shown & mask).sum() > 0.9 * mask.sum()
    matters = scene.foreground(frame)
    np.testing.assert_array_equal(matters, ~scene.background(["sky", "floor"], frame))
    ids, names = scene.segments(frame)
    np.testing.assert_array_equal(ids == names.index("body"), scene.foreground(frame, ["body"]))
    scene.stagehand = None
    assert (scene.draw(SPRITES) != frame).any()


def test_the_mini_scene_is_tinted_and_wrapped():
    scene = MiniScene(SIZE)
    stock = scene.draw(SPRITES)
    materials = scene.materials()
    scene.tint(materials)
    np.testing.assert_array_equal(scene.draw(SPRITES), stock)
    scene.tint({"body": (0.0, 0.0, 1.0), "floor": (1.0, 0.0, 0.0)})
    assert scene.materials()["body"] == (0.0, 0.0, 1.0)
    frame = scene.draw(SPRITES)
    assert (frame[30, 30] == (0, 0, 255)).all()
    assert frame[-1, 0, 0] == stock[-1, 0, 0] and not frame[-1, 0, 1:].any()
    scene.wrap("floor", np.full((8, 8, 3), 7, np.uint8))
    assert (scene.draw(SPRITES)[-1] == 7).all()
    scene.restore()
    np.testing.assert_array_equal(scene.draw(SPRITES), stock)
    for wrong in (lambda: scene.wrap("body", stock), lambda: scene.tint({"robot": (0, 0, 0)})):
        with pytest.raises(UnknownName, match="floor"):
            wrong()


@pytest.mark.parametrize("soft", [False, True])
def test_a_mask_function_sees_the_frame_as_it_was(soft, rng):
    seen = []

    def keep(frame, env):
        seen.append(frame)
        bright = frame[..., 0] > 128
        return bright.astype(np.float32) if soft else bright

    frame = cv2.GaussianBlur(rng.integers(0, 256, (40, 40, 3)).astype(np.uint8), (0, 0), 4)
    frame = ((frame > 127) * np.uint8(255)).astype(np.uint8)
    scene = keyed_scene(keep, gym.Env())
    assert isinstance(scene, MaskScene)
    scene.stagehand = lambda: scene.turn(roll=25)
    shown = scene.redraw(frame)
    behind = scene.background(["sky"], shown)
    assert seen[0] is frame and shown is not frame
    assert behind.dtype == (np.float32 if soft else bool)
    assert ((behind > 0.5) == (shown[..., 0] < 128)).mean() > 0.95
    scene.stagehand = None
    assert scene.redraw(frame) is frame


def test_a_blend_stays_a_blend_when_turned(rng):
    scene = BlendScene(0.3)
    scene.stagehand = lambda: scene.turn(roll=25, tilt=3)
    shown = scene.redraw(rng.integers(0, 256, (40, 40, 3)).astype(np.uint8))
    np.testing.assert_allclose(scene.background(["sky"], shown), 0.3, rtol=1e-5)
