"""The loop of the DrQ-v2 family: `VisualSAC` without entropy, with scheduled noise.

Every hook stays, so a method written for `VisualSAC` runs on this base when it is mixed in front:
`class SVEAv2(SVEA, VisualDDPG)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import polyak_update
from torch import nn

from distraction_gym.agents.common.ddpg_policy import VisualDDPGPolicy
from distraction_gym.agents.common.visual_sac import VisualSAC


class VisualDDPG(VisualSAC):
    """DrQ-v2's learner: n-step targets, clipped double Q, a deterministic actor with noise.

    Source: the official code of DrQ-v2 (arXiv 2107.09645). One update every second agent step.

    Args:
        policy: `"CnnPolicy"`.
        env: As `VisualSAC`.
        learning_rate: Adam's rate for actor, critic and trunk.
        buffer_size: Transitions in the replay buffer.
        learning_starts: Uniformly random steps before learning.
        batch_size: Transitions of an update.
        noise_std: Standard deviation of the actor's noise: at the start, at the end.
        noise_steps: Agent steps over which it falls (100k in easy tasks, 500k in medium ones, 2M
            in hard ones).
        train_freq: Agent steps from one update to the next.
        n_steps: Steps whose rewards a target sums up.
        shift: Pixels of random shift of observations.
        shift_next: The same for next observations.
        **kwargs: As `VisualSAC`.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": VisualDDPGPolicy}
    policy: VisualDDPGPolicy

    def __init__(
        self,
        policy: str | type[VisualDDPGPolicy],
        env: Any,
        learning_rate: float = 1e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 2000,
        batch_size: int = 256,
        *,
        noise_std: Sequence[float] = (1.0, 0.1),
        noise_steps: int = 100_000,
        train_freq: int = 2,
        n_steps: int = 3,
        shift: int = 4,
        shift_next: int = 4,
        **kwargs: Any,
    ) -> None:
        self.noise_std, self.noise_steps = list(noise_std), noise_steps
        no_entropy: dict[str, Any] = {"ent_coef": 0.0, "encoder_tau": None}
        every_update = {"actor_update_interval": 1, "target_update_interval": 1}
        defaults = {**no_entropy, **every_update, "catch_up_updates": 0}
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            train_freq=train_freq,
            n_steps=n_steps,
            shift=shift,
            shift_next=shift_next,
            **{**defaults, **kwargs},
        )

    def noise(self) -> float:
        """Return the standard deviation of the actor's noise at this step of the run."""
        start, end = self.noise_std
        return start + (end - start) * min(self.num_timesteps / self.noise_steps, 1.0)

    def _on_step(self) -> None:
        super()._on_step()
        self.policy.actor.std.fill_(self.noise())

    def _update_target(self) -> None:
        polyak_update(_heads(self.critic), _heads(self.critic_target), self.tau)


def _heads(critic: nn.Module) -> list[nn.Parameter]:
    """List what the target has of its own: everything but the trunk, which is the online one."""
    return [p for name, p in critic.named_parameters() if "features_extractor" not in name]
