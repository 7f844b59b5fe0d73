"""Checks that every distraction has to pass: the package's own kinds, and yours.

    import pytest
    from distraction_gym.testing import CHECKS, STAGES, check

    @pytest.mark.parametrize("stage", STAGES)
    @pytest.mark.parametrize("name", CHECKS)
    def test_flicker(name, stage):
        check({"kind": "flicker", "strength": 0.5}, name, stage)

`distraction-gym check` runs them over the registry, what other packages add included.
"""

from distraction_gym.testing.checks import CHECKS, check, composes
from distraction_gym.testing.report import Result, report
from distraction_gym.testing.stages import STAGES, Stage

__all__ = ["CHECKS", "STAGES", "Result", "Stage", "check", "composes", "report"]
