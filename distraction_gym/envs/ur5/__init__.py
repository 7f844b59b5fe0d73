"""UR5 and UR5e: a visual task in simulation and on the real arm."""
