"""A simulated UR controller on a loopback address, for the unmodified `ur-rtde` client.

A test bed. It protects nobody, and nothing here is a safety function.
"""

from distraction_gym.envs.ur5.controller.process import CameraProcess, ControllerProcess

__all__ = ["CameraProcess", "ControllerProcess"]
