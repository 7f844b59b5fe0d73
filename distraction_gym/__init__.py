"""Does my agent still work when the picture is full of things that do not matter?

`import distraction_gym` registers the environment IDs and loads numpy and gymnasium only.
"""

from distraction_gym.registration import env_id, parse_id, register_all

__version__ = "0.1.0"
__all__ = ["env_id", "parse_id", "register_all"]

register_all()
