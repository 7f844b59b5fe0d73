"""SAC from pixels, the reference of the papers: the shared loop, and nothing else."""

from distraction_gym.agents.common.visual_sac import VisualSAC


class SAC(VisualSAC):
    """The papers' pixel SAC at 84 pixels: no augmentation (DMC-GB's code)."""


__all__ = ["SAC"]
