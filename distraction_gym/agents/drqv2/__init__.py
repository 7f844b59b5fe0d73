"""DrQ-v2: mastering visual continuous control (arXiv 2107.09645)."""

from distraction_gym.agents.common.visual_ddpg import VisualDDPG


class DrQv2(VisualDDPG):
    """DDPG with clipped double Q, n-step targets, random shift and scheduled noise."""


__all__ = ["DrQv2"]
