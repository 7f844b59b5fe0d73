import numpy as np

from distraction_gym.distractions.composite import composite


def _pictures(rng):
    frame, behind = rng.integers(0, 256, (2, 9, 7, 3), np.uint8)
    frame.setflags(write=False)
    behind.setflags(write=False)
    return frame, behind


def test_booleans_choose(rng):
    frame, behind = _pictures(rng)
    matte = rng.random((9, 7)) < 0.5
    out = composite(frame, behind, matte)
    np.testing.assert_array_equal(out[matte], behind[matte])
    np.testing.assert_array_equal(out[~matte], frame[~matte])
    assert out.dtype == np.uint8
    assert out.flags.writeable


def test_weights_blend_and_their_ends_are_exact(rng):
    frame, behind = _pictures(rng)
    weight = rng.random((9, 7)).astype(np.float32)
    weight[0], weight[1] = 0.0, 1.0
    out = composite(frame, behind, weight)
    np.testing.assert_array_equal(out[0], frame[0])
    np.testing.assert_array_equal(out[1], behind[1])
    expected = frame + weight[..., None].astype(float) * (behind.astype(float) - frame)
    assert np.abs(out - expected).max() <= 0.5 + 1e-3  # nearest, not cut off
    assert out.dtype == np.uint8
