"""One model under every mode: the same seeds, so the same episodes beneath the distractions."""

import argparse
from pathlib import Path

from distraction_gym.bench.evaluate import evaluate
from distraction_gym.bench.report import return_table
from distraction_gym.bench.runs import load_model, read_config
from distraction_gym.bench.summary import summarize
from distraction_gym.bench.training import Habits, configure, train

MODES = ("clean", "color_easy", "color_hard", "video_easy", "video_hard")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, help="of training; default: the preset's")
parser.add_argument("--episodes", type=int, default=10)
parser.add_argument("--run", type=Path, default=Path("runs/sac-mini-reach"))
args = parser.parse_args()

# What `distraction-gym train` does. With go_on, a finished run is taken as it is.
config = configure("sac", "mini-reach-clean-v0", steps=args.steps)
train(config, args.run, Habits(progress="none"), go_on=True)

# What `distraction-gym eval` does.
model, config = load_model(args.run), read_config(args.run)
records = [evaluate(model, config, mode, args.episodes) for mode in MODES]
print(return_table(summarize(records)))
