"""MaDi's task on the UR5 or UR5e of a lab (the table)."""

from distraction_gym.registration import Suite

SUITE = Suite(
    name="ur5_real",
    entry_point="distraction_gym.envs.ur5_real.env:make",
    tasks=("reach",),
    modes=("lab",),
    extra="ur5",
    hardware=True,
)
