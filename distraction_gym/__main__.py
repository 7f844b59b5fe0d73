"""`python -m distraction_gym`: the command line without its script."""

import sys

from distraction_gym.cli import main

sys.exit(main())
