"""The suite's modes as lists of distractions. They are ours: no paper names distractions here."""

from __future__ import annotations

from collections.abc import Sequence

from distraction_gym.distractions.modes import MODES, Mode

COLORS = ("color_easy", "color_hard")


def pipeline(mode: str, lab: Sequence[str]) -> Mode:
    """Return a mode's distractions.

    Args:
        mode: A name in the suite's modes, or another of `distractions.MODES`.
        lab: The materials of table and floor: colours change there, as in RL-ViGen's Adroit,
            and in the sky. Robot and objects keep theirs.

    Raises:
        UnknownName: for a mode that does not exist.
    """
    if mode in COLORS:
        return [{"kind": "repaint", "table": mode, "names": list(lab)}]
    return MODES[mode]
