"""What stands on the table, as MJCF: sizes, masses and colours of SMG's models.

Materials `block` and `board` carry the scene's colour; `HELD` is fixed to the arm's last link. All
joints, free ones too, have the armature of SMG's defaults, so that things hardly turn.
"""

from __future__ import annotations

DISC = """
<body name="target" mocap="true" pos="1.605 .3 .58">
  <site name="target" type="cylinder" size=".0475 .001" rgba="1 0 0 1"/>
</body>
"""

CUBE = """
<body name="cube" pos="1.355 .3 .616">
  <joint name="cube" type="free"/>
  <geom name="cube" type="box" size=".035 .035 .035" material="block" density="50000" condim="4"
        friction="1 1 1"/>
</body>
"""

BOX = """
<body name="box" pos="1.605 .3 .62">
  <joint name="box" type="free"/>
  <geom class="wall" size=".065 .002 .04" mass="1"/>
  <geom class="wall" size=".065 .002 .04" pos="0 .149 0"/>
  <geom class="wall" size=".002 .075 .04" pos=".064 .074 0"/>
  <geom class="wall" size=".002 .075 .04" pos="-.064 .074 0"/>
  <geom class="wall" size=".065 .075 .002" pos="0 .074 -.038"/>
</body>
"""

BOARD = """
<body name="board" pos="1.555 .3 .73">
  <joint name="board" type="free"/>
  <geom name="board" type="box" size=".045 .1 .045" mass="500" condim="4" material="board"/>
  {nails}
</body>
"""

_NAIL = """
<site name="goal{number}" class="unseen" pos="{x} {y} .05"/>
<body name="nail{number}" pos="{x} {y} .005">
  <joint name="nail{number}" type="slide" axis="0 0 -1" range="-.046 -.005" frictionloss="2000.5"/>
  <geom class="nail" size=".023 .005" pos="0 0 .04" rgba="{color} 1"/>
  <geom class="nail" size=".012 .023" pos="0 0 .015" rgba="{color} 1"/>
  <site name="nail{number}" class="unseen" pos="0 0 .04"/>
</body>
"""
_NAILS = (
    (0.025, 0.077, ".6 .79 .16"),
    (-0.025, 0.033, ".87 .1 0"),
    (-0.025, -0.033, "1 .6 0"),
    (0.025, -0.077, "1 .9 0"),
)
NAILS = tuple(range(1, len(_NAILS) + 1))

# In the frame of link7, which looks down: its z axis is the world's -z, its x axis the world's x.
PEG = """
<body name="knot" pos="0 0 .1635">
  <joint name="swing1" axis="1 0 0" range="-.1 .1" frictionloss="1"/>
  <joint name="swing2" axis="0 1 0" range="-.1 .1" frictionloss="1"/>
  <joint name="swing3" axis="0 0 1" range="-.1 .1" frictionloss="1"/>
  <geom type="capsule" size=".002" fromto="0 0 .01 0 0 .07" rgba="0 0 0 1" mass=".002"/>
  <geom name="peg" type="cylinder" size=".03 .035" pos="0 0 .09" rgba=".6 .8 .5 1" mass=".1"/>
  <site name="peg" class="unseen" pos="0 0 .09"/>
</body>
"""

HAMMER = """
<body name="hammer" pos="-.04 0 .1535" euler="0 0 3.14159265">
  <geom class="steel" type="capsule" size=".02" fromto="-.045 0 0 .045 0 0"/>
  <geom class="steel" type="capsule" size=".01" fromto="-.095 0 0 -.065 0 0"/>
  <geom class="steel" type="cylinder" size=".025 .03" pos="-.11 0 0"/>
  <site name="tool" class="unseen" pos="-.11 0 .03"/>
</body>
"""

ON_TABLE = {
    "reach": DISC,
    "push": DISC + CUBE,
    "pegbox": BOX,
    "hammerall": BOARD.format(
        nails="".join(
            _NAIL.format(number=number, x=x, y=y, color=color)
            for number, (x, y, color) in zip(NAILS, _NAILS, strict=True)
        )
    ),
}
HELD = {"pegbox": ("knot", PEG), "hammerall": ("hammer", HAMMER)}
"""Task -> the name of the body in the hand, and its text."""

RELEVANT = {
    "reach": ("site:target",),
    "push": ("site:target", "body:cube"),
    "pegbox": ("body:box", "body:held/knot"),
    "hammerall": ("body:held/hammer", "body:board", *(f"body:nail{number}" for number in NAILS)),
}
"""What matters to a task beside the arm, as `MujocoScene.foreground` takes it."""
