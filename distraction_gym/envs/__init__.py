"""The suites: one folder each. The tables here import no simulator."""

from distraction_gym.envs.dmcgb import SUITE as DMCGB
from distraction_gym.envs.mini import SUITE as MINI

TABLES = (MINI, DMCGB)
