"""Gymnasium wrappers: distractions on any environment with pictures, and what pixels need."""

from distraction_gym.wrappers.action_repeat import ActionRepeat
from distraction_gym.wrappers.distraction import DistractionWrapper
from distraction_gym.wrappers.foreground import AddForegroundMask
from distraction_gym.wrappers.mask import MaskObservation
from distraction_gym.wrappers.observe_scene import ObserveScene
from distraction_gym.wrappers.proprioception import AddProprioception
from distraction_gym.wrappers.segments import AddSegments
from distraction_gym.wrappers.stack import StackFrames
from distraction_gym.wrappers.vector import DistractionVectorWrapper

__all__ = [
    "ActionRepeat",
    "AddForegroundMask",
    "AddProprioception",
    "AddSegments",
    "DistractionVectorWrapper",
    "DistractionWrapper",
    "MaskObservation",
    "ObserveScene",
    "RecordComparison",
    "StackFrames",
]


def __getattr__(name: str) -> object:
    if name == "RecordComparison":  # writes videos: loads OpenCV
        from distraction_gym.wrappers.record import RecordComparison

        return RecordComparison
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
