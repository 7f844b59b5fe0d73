"""What disturbs a picture or a scene: mechanisms (`DISTRACTIONS`) and named sets of them (`MODES`).

Nothing here knows an environment or a simulator; see `scene.Scene` for what a distraction asks.
"""

from distraction_gym.distractions.base import DISTRACTIONS, Distraction
from distraction_gym.distractions.modes import MODES, build

__all__ = ["DISTRACTIONS", "MODES", "Distraction", "build"]
