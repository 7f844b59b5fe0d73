"""Records that were never measured."""

from __future__ import annotations

from typing import Any

from distraction_gym.bench.records import Record


def record(**changes: Any) -> Record:
    values: dict[str, Any] = {
        "suite": "mini",
        "task": "reach",
        "mode": "clean",
        "algo": "sac",
        "seed": 0,
        "eval_seed": 42,
        "steps": 100,
        "frames": 100,
        "returns": (1.0, 2.0, 3.0),
        "assets": "generated",
        "clips": "",
        "finished": "2026-01-01T00:00:00+00:00",
    }
    return Record(**{**values, **changes})
