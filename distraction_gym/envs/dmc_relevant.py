"""What matters in the pictures of dm_control's tasks: the sets of Segmentation Dreamer's oracle.

The poster shows them for some tasks: cart and pole without rails, the cheetah's body without the
ground, the reacher's arm with its target; the other sets follow that rule. Objects are told apart
by type and name: the finger's target and tip are sites, the cup's string is a tendon.
"""

from __future__ import annotations

_LEGS = ("thigh", "leg", "foot")
RELEVANT: dict[str, tuple[str, ...]] = {
    "ball_in_cup": ("body:cup", "body:ball", "tendon:string"),
    "cartpole": ("body:cart", "body:pole_1"),
    "cheetah": (
        "body:torso",
        *(f"body:{side}{part}" for side in "bf" for part in ("thigh", "shin", "foot")),
    ),
    # The spinning task makes target and tip invisible, so that they are in no mask there.
    "finger": ("body:proximal", "body:distal", "body:spinner", "site:target", "site:tip"),
    "hopper": ("body:torso", "body:pelvis", "body:thigh", "body:calf", "body:foot"),
    "pendulum": ("body:pole",),
    "point_mass": ("body:pointmass", "geom:target"),
    "reacher": ("body:arm", "body:hand", "body:finger", "geom:root", "geom:target"),
    "walker": (
        "body:torso",
        *(f"body:{side}_{part}" for side in ("right", "left") for part in _LEGS),
    ),
}
"""Domain -> names as `Scene.foreground` takes them."""
_MORE = {
    "cartpole_two_poles": ("body:pole_2",),
    "cartpole_three_poles": ("body:pole_2", "body:pole_3"),
}


def relevant(domain: str, name: str) -> list[str] | None:
    """Return what matters in a task; None, whatever is neither sky nor floor, for other domains.

    Args:
        domain: dm_control's domain, such as `"walker"`.
        name: Its task, such as `"walk"`.
    """
    if domain not in RELEVANT:
        return None
    return [*RELEVANT[domain], *_MORE.get(f"{domain}_{name}", ())]
