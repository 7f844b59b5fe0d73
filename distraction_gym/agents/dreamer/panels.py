"""What the world model sees and expects, as pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.world_model import Sequences, WorldModel

CONTEXT = 5
"""Pictures that the model is shown before it goes on without them."""


@torch.no_grad()
def open_loop(model: WorldModel, batch: Sequences, rows: int = 4) -> npt.NDArray[np.uint8]:
    """Draw sequences: what was seen, what the decoder learns, what it makes of the model's states.

    From the sixth picture on (or the middle of short sequences) the model sees nothing and
    imagines, given the true actions. What comes after an episode's end, which it cannot foresee,
    is left black.

    Returns:
        `(rows * 3 * H, T * W, 3)` uint8, RGB; two strips a sequence where the decoder learns what
        was seen.
    """
    part = batch.map(lambda value: value[:rows])
    seen, target = model.pictures(part), model.target(part)
    context = min(CONTEXT, (seen.shape[1] + 1) // 2)
    made = model.decoder(_states(model, part, seen, context).features)
    cut = (part.first[:, context:].cumsum(dim=1) > 0)[..., None, None, None]
    made[:, context:] = made[:, context:].masked_fill(cut, 0.0)
    strips = [seen, made] if torch.equal(seen, target) else [seen, target, made]
    return _sheet(torch.stack(strips, dim=1))


def _states(model: WorldModel, part: Sequences, seen: Tensor, context: int) -> State:
    """Follow the first pictures and imagine the rest."""
    embed = model.encoder(seen[:, :context])
    shown, _, _ = model.rssm.observe(part.action[:, :context], part.first[:, :context], embed)
    states = [
        State(deter, stoch) for deter, stoch in zip(*(p.unbind(1) for p in shown), strict=True)
    ]
    for action in part.action[:, context:].unbind(1):
        states.append(model.rssm.imagine(states[-1], action))
    return State(*(torch.stack(each, dim=1) for each in zip(*states, strict=True)))


def _sheet(pictures: Tensor) -> npt.NDArray[np.uint8]:
    """Lay out `(rows, strips, T, 3, H, W)` in [0, 1] as one picture."""
    rows, strips, steps, colors, height, width = pictures.shape
    laid = pictures.permute(0, 1, 4, 2, 5, 3).reshape(rows * strips * height, steps * width, colors)
    return as_bytes(laid)


def as_bytes(picture: Tensor) -> npt.NDArray[np.uint8]:
    """Return a picture in [0, 1] as uint8, values beyond cut off."""
    return (picture.clamp(0, 1) * 255).round().byte().cpu().numpy()
