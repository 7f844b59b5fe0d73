"""What an agent makes of an observation: its mask, and what reaches its network."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from distraction_gym.wrappers.record import View, newest_frame

SEEN = "network sees"


def agent_view(model: Any) -> View:
    """Return a function from an observation to panels: what `explain` shows, and what is seen.

    Args:
        model: A trained model. One with `encode_inputs` shows what that hook passes on, one with
            `views` those as well, by their titles (such as `"mask"`); any other sees the
            observation itself.
    """

    def view(obs: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray]:
        if not hasattr(model, "encode_inputs"):
            return {SEEN: newest_frame(obs)}
        panels: dict[str, npt.NDArray] = {}
        with torch.no_grad():
            batch = torch.as_tensor(obs[None], device=model.device).float()
            if hasattr(model, "views"):
                panels |= model.views(batch)
            seen = model.encode_inputs(batch)[0].clamp(0, 255).round().byte().cpu().numpy()
        return {**panels, SEEN: newest_frame(seen)}

    return view
