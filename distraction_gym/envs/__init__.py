"""The suites: one folder each. The tables here import no simulator."""

from distraction_gym.envs.adroit import SUITE as ADROIT
from distraction_gym.envs.arm import SUITE as ARM
from distraction_gym.envs.dcs import SUITE as DCS
from distraction_gym.envs.dmcgb import SUITE as DMCGB
from distraction_gym.envs.dmcgb2 import SUITE as DMCGB2
from distraction_gym.envs.metaworld import SUITE as METAWORLD
from distraction_gym.envs.mini import SUITE as MINI
from distraction_gym.envs.sd import SUITE as SD
from distraction_gym.envs.unitree import SUITE as UNITREE
from distraction_gym.envs.ur5 import SUITE as UR5
from distraction_gym.envs.ur5_real import SUITE as UR5_REAL

TABLES = (MINI, DMCGB, DMCGB2, DCS, SD, ADROIT, UNITREE, METAWORLD, ARM, UR5, UR5_REAL)


def __getattr__(name: str) -> object:
    if name == "ModelEnv":  # loads MuJoCo
        from distraction_gym.envs.model import ModelEnv

        return ModelEnv
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
