"""How the robots are drawn: solids that touch nothing and weigh nothing."""

from __future__ import annotations

from itertools import product

from distraction_gym.envs.unitree.robots import Shape

# Half the trunk's width and height, and the radius of its long edges.
_WIDE, _HIGH, _EDGE = 0.097, 0.057, 0.027
_ALONG_X, _ALONG_Y = (1.0, 0.0, 1.0, 0.0), (1.0, 1.0, 0.0, 0.0)


def _bar(radius: float, *ends: float) -> Shape:
    return Shape("capsule", (radius,), ends=ends)


TRUNK = (
    # a box whose long edges are round
    Shape("box", (0.133, _WIDE, _HIGH - _EDGE)),
    Shape("box", (0.133, _WIDE - _EDGE, _HIGH)),
    *(
        Shape(
            "cylinder",
            (_EDGE, 0.133),
            (0.0, side * (_WIDE - _EDGE), level * (_HIGH - _EDGE)),
            _ALONG_X,
        )
        for side, level in product((-1, 1), repeat=2)
    ),
    Shape("box", (0.1, 0.045, 0.002), (0.0, 0.0, 0.057)),  # the lid
    # what holds the hips and the head
    *(Shape("box", (0.055, 0.05, 0.007), (0.18, 0.0, level)) for level in (0.047, -0.047)),
    *(Shape("box", (0.05, 0.05, 0.007), (-0.175, 0.0, level)) for level in (0.047, -0.047)),
    Shape("box", (0.006, 0.062, 0.05), (-0.222, 0.0, 0.0)),
)
HEAD = (
    Shape("box", (0.012, 0.078, 0.046), (0.246, 0.0, -0.004)),
    _bar(0.025, 0.26, -0.058, 0.034, 0.26, 0.058, 0.034),
    _bar(0.012, 0.248, -0.06, -0.042, 0.248, 0.06, -0.042),
    _bar(0.014, 0.252, -0.07, -0.03, 0.258, -0.07, 0.03),
    _bar(0.014, 0.252, 0.07, -0.03, 0.258, 0.07, 0.03),
)


def hip(front: int, left: int) -> tuple[Shape, ...]:
    """Return two motors: one along the trunk, one sideways.

    Args:
        front: 1 for a front leg, -1 for a rear one.
        left: 1 for a left leg, -1 for a right one.
    """
    return (
        Shape("cylinder", (0.042, 0.022), (-0.03 * front, 0.0, 0.0), _ALONG_X),
        Shape("cylinder", (0.044, 0.024), (0.0, 0.018 * left, 0.0), _ALONG_Y),
        Shape("cylinder", (0.047, 0.004), (0.0, 0.03 * left, 0.0), _ALONG_Y),
        Shape("cylinder", (0.04, 0.01), (0.0, 0.052 * left, 0.0), _ALONG_Y),
    )


def thigh(length: float) -> tuple[Shape, ...]:
    """Return a disc that tapers to the knee."""
    knee, fan = (-0.003, 0.0, -0.95 * length), ((0.03, -0.008), (0.012, -0.02), (-0.02, -0.015))
    return (
        Shape("cylinder", (0.047, 0.02), turn=_ALONG_Y),
        Shape("cylinder", (0.034, 0.024), turn=_ALONG_Y),
        *(_bar(0.017, ahead, 0.0, down, *knee) for ahead, down in fan),
        Shape("ellipsoid", (0.035, 0.018, 0.5 * length), (-0.003, 0.0, -0.3 * length)),
        Shape("cylinder", (0.019, 0.018), (0.0, 0.0, -length), _ALONG_Y),
    )


def calf(length: float, foot: float) -> tuple[Shape, ...]:
    """Return a bent shin and a foot."""
    return (
        _bar(0.012, 0.0, 0.0, -0.01, 0.016, 0.0, -0.35 * length),
        _bar(0.011, 0.016, 0.0, -0.35 * length, 0.02, 0.0, -0.65 * length),
        _bar(0.012, 0.02, 0.0, -0.65 * length, 0.006, 0.0, -0.92 * length),
        Shape("ellipsoid", (foot, foot, 1.3 * foot), (0.002, 0.0, 0.3 * foot - length)),
    )
