"""The one training loop of the pixel-SAC family; a method overrides the hooks that it changes.

One update, in the order of MaDi's official code (arXiv 2312.15339): critic and extra modules,
then, every second time, actor and entropy coefficient, then the target.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, ClassVar, NamedTuple

import numpy as np
import stable_baselines3
import torch
import torch.nn.functional as F
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.utils import polyak_update
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import AccelerationMixin
from distraction_gym.agents.common.allocator import keep_freed_memory
from distraction_gym.agents.common.asynchronous import AsynchronousMixin
from distraction_gym.agents.common.augmentations import RandomShift
from distraction_gym.agents.common.descent import descend, diverged, frozen
from distraction_gym.agents.common.explain import ExplainMixin
from distraction_gym.agents.common.failing import FailureMixin
from distraction_gym.agents.common.model_files import SafeSaveMixin
from distraction_gym.agents.common.policy import PixelCritic, VisualSACPolicy
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.errors import TrainingDiverged, UnsupportedEnvironment


class Batch(NamedTuple):
    """Transitions for one update; pictures are float, 0-255, shifted but not yet masked."""

    obs: Tensor
    """`(B, 3k, H, W)`."""
    action: Tensor
    """`(B, A)` in [-1, 1]."""
    reward: Tensor
    """`(B, 1)`."""
    next_obs: Tensor
    discount: Tensor
    """`(B, 1)`: gamma, or 0 where the episode terminated (never at a time limit)."""
    raw: Tensor | None = None
    """Observations as they were sampled, uint8, not even shifted."""


class VisualSAC(
    FailureMixin,
    ExplainMixin,
    AsynchronousMixin,
    AccelerationMixin,
    SafeSaveMixin,
    stable_baselines3.SAC,
):
    """SAC from pixels: a trunk shared by actor and critic, trained by the critic's loss.

    Defaults are those of DMC-GB's code (arXiv 2011.13389). With
    `policy_kwargs={"share_encoder": False}` and SB3's hyperparameters it equals SB3's `SAC`.

    Args:
        policy: `"CnnPolicy"`.
        env: An environment with uint8 channel-first pictures `(3k, H, W)`, or its ID.
        learning_rate: Adam's rate for actor and critic.
        buffer_size: Transitions in the replay buffer.
        learning_starts: Random steps before learning.
        batch_size: Transitions of an update.
        tau: Rate at which the target's Q networks follow.
        gamma: Discount.
        ent_coef: Entropy coefficient; `"auto_0.1"` learns it, from 0.1.
        target_update_interval: Updates from one target update to the next.
        n_steps: Steps whose rewards a target sums up before it asks the target network.
        replay_buffer_class: None for `FrameReplayBuffer`, which stores each frame once.
        replay_buffer_kwargs: Its arguments.
        encoder_tau: Rate at which the target's trunk and projection follow; None for `tau`.
        ent_coef_lr: Adam's rate for the entropy coefficient; None for `learning_rate`.
        ent_coef_beta1: Adam's first beta there.
        actor_update_interval: Updates of the critic from one of the actor to the next.
        catch_up_updates: Updates made at once when learning starts; None for `learning_starts`.
        shift: Pixels of random shift of observations; 0 for none.
        shift_next: The same for next observations.
        **kwargs: As in Stable-Baselines3's `SAC`; `precision`, `compile_mode` and `channels_last`
            as in `AccelerationMixin`, `asynchronous` as in `AsynchronousMixin`.

    Raises:
        UnsupportedEnvironment: if the observations are no such pictures.
        ValueError: for `use_sde`.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": VisualSACPolicy}
    sb3_networks: ClassVar[dict[str, Any]] = {"share_encoder": False}
    policy: VisualSACPolicy

    def __init__(
        self,
        policy: str | type[VisualSACPolicy],
        env: Any,
        learning_rate: float = 1e-3,
        buffer_size: int = 500_000,
        learning_starts: int = 1000,
        batch_size: int = 128,
        tau: float = 0.01,
        gamma: float = 0.99,
        *,
        ent_coef: str | float = "auto_0.1",
        target_update_interval: int = 2,
        n_steps: int = 1,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        encoder_tau: float | None = 0.05,
        ent_coef_lr: float | None = 1e-4,
        ent_coef_beta1: float = 0.5,
        actor_update_interval: int = 2,
        catch_up_updates: int | None = None,
        shift: int = 0,
        shift_next: int = 0,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("use_sde"):
            raise ValueError("use_sde=True: the actor here has noise of its own. Leave it out")
        self.encoder_tau = encoder_tau
        self.ent_coef_lr = ent_coef_lr
        self.ent_coef_beta1 = ent_coef_beta1
        self.actor_update_interval = actor_update_interval
        self.catch_up_updates = catch_up_updates
        self.shift, self.shift_next = shift, shift_next
        self._notes: dict[str, list[Tensor]] = defaultdict(list)
        returns = {"n_steps": n_steps, "gamma": gamma} if n_steps > 1 else {}
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            tau,
            gamma,
            ent_coef=ent_coef,
            target_update_interval=target_update_interval,
            replay_buffer_class=replay_buffer_class or FrameReplayBuffer,
            # To the buffer alone: SB3 warns of its own `n_steps` beside a buffer class.
            replay_buffer_kwargs={**returns, **(replay_buffer_kwargs or {})},
            _init_setup_model=_init_setup_model,
            **kwargs,
        )

    # Hooks: what a method may change.

    def augment_batch(self, obs: Tensor, next_obs: Tensor) -> tuple[Tensor, Tensor]:
        """Augment sampled pictures, float `(B, 3k, H, W)` 0-255, before any loss sees them."""
        return self._shift(obs, self.shift), self._shift(next_obs, self.shift_next)

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Change pictures, float `(B, 3k, H, W)` 0-255, on their way to every network."""
        return obs

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the method's own networks by name, `self.extras[name]` from then on."""
        return {}

    def critic_groups(self) -> list[dict[str, Any]]:
        """Return Adam's groups (`params`, `lr`) of what the critic's loss trains too."""
        return []

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return the loss of critic, trunk and `critic_groups`: here the squared TD error."""
        return self.q_error(batch.obs, batch.action, self.td_target(batch))

    def actor_loss(self, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the actor's loss, and the log-probabilities `(B, 1)` of the actions it took."""
        with torch.no_grad():
            obs = self.encode_inputs(batch.obs)
            # A shared trunk learns nothing here; unshared extractors do, further down.
            encoded = self.policy.encode(obs)
        action, log_prob = self.policy.act(encoded, noise)
        q_value = self.policy.q_values(encoded, action).min(dim=1, keepdim=True).values
        return (self._alpha() * log_prob - q_value).mean(), log_prob

    # Parts for hooks.

    @torch.no_grad()
    def td_target(self, batch: Batch) -> Tensor:
        """Return `r + discount * (min_i Q'_i(o', a') - alpha log pi(a'|o'))`, `(B, 1)`.

        `o'` is never strongly augmented, and `a'` comes from the online actor.
        """
        return self.bootstrap(batch, self.encode_inputs(batch.next_obs))

    @torch.no_grad()
    def bootstrap(self, batch: Batch, obs: Tensor) -> Tensor:
        """Return that target from next observations as `encode_inputs` has left them."""
        action, log_prob = self.policy.act(self.policy.encode(obs), self._noise(len(obs)))
        encoded = self.policy.encode(obs, target=True)
        q_value = self.policy.q_values(encoded, action, target=True).min(1, keepdim=True).values
        return batch.reward + batch.discount * (q_value - self._alpha() * log_prob)

    def q_error(self, obs: Tensor, action: Tensor, target: Tensor) -> Tensor:
        """Return `1/2 sum_i mean (Q_i(obs, action) - target)^2`, as Stable-Baselines3 has it."""
        return self.seen_error(self.encode_inputs(obs), action, target)

    def seen_error(self, obs: Tensor, action: Tensor, target: Tensor) -> Tensor:
        """Return that error of observations as `encode_inputs` has left them."""
        q_values = self.policy.q_values(self.policy.encode(obs), action)
        errors = [F.mse_loss(q[:, None], target) for q in q_values.unbind(1)]
        return 0.5 * torch.stack(errors).sum()

    def note(self, name: str, value: Tensor) -> None:
        """Log a number beside the losses, as `train/<name>`, averaged over updates."""
        self._notes[name].append(value.detach())

    def sample_pictures(self, size: int) -> Tensor:
        """Draw observations from the replay buffer, float `(size, 3k, H, W)`, not augmented."""
        return self._draw(size).observations.float()

    # The loop.

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Make `gradient_steps` updates, and once the ones to catch up with the random steps."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self._scheduled())
        if self._n_updates == 0 and self._learner is None:
            gradient_steps += self.missed_updates
        for _ in range(gradient_steps):
            batch = self._sample(batch_size)
            try:
                losses = self._update(batch)
            except TrainingDiverged as error:
                if self._learner is not None:  # which has it told by the loop's thread
                    raise
                raise diverged(self, error) from None
            for name, value in losses.items():
                self.note(name, value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, values in self._notes.items():
            self.logger.record(f"train/{name}", torch.stack(values).mean().item())
        self._notes.clear()

    def _scheduled(self) -> list[torch.optim.Optimizer]:
        """Return the optimizers whose rate is `learning_rate`, perhaps a schedule."""
        found = [self.actor.optimizer, self.critic.optimizer]
        if self.ent_coef_optimizer is not None and self.ent_coef_lr is None:
            found.append(self.ent_coef_optimizer)
        return found

    @property
    def missed_updates(self) -> int:
        """Updates to make at once when learning starts."""
        missed = self.catch_up_updates
        return self.learning_starts if missed is None else missed

    def _update(self, batch: Batch) -> dict[str, Tensor]:
        self._n_updates += 1
        acts = self._n_updates % self.actor_update_interval == 0
        # Drawn before the target's, so that the random numbers fall as in SB3's own loop.
        noise = self._noise(len(batch.obs)) if acts else None
        alpha = self._alpha()
        losses = self._update_critic(batch)
        if noise is not None:
            losses |= self._update_actor(batch, noise)
        if self._n_updates % self.target_update_interval == 0:
            self._update_target()
        return {**losses, "ent_coef": alpha.squeeze()}

    def _update_critic(self, batch: Batch) -> dict[str, Tensor]:
        losses = {"critic_loss": self.critic_loss(batch)}
        return descend(losses, [self.critic.optimizer, self.extra_optimizer])

    def _update_actor(self, batch: Batch, noise: Tensor) -> dict[str, Tensor]:
        with frozen(self.critic):
            actor_loss, log_prob = self.actor_loss(batch, noise)
        losses = descend({"actor_loss": actor_loss}, [self.actor.optimizer])
        if self.ent_coef_optimizer is not None:
            assert self.log_ent_coef is not None
            missing = (log_prob + float(self.target_entropy)).detach()
            loss = -(self.log_ent_coef * missing).mean()
            losses |= descend({"ent_coef_loss": loss}, [self.ent_coef_optimizer])
        return losses

    def _update_target(self) -> None:
        online, target = self.critic, self.critic_target
        if self.encoder_tau is None or not isinstance(online, PixelCritic):
            polyak_update(online.parameters(), target.parameters(), self.tau)
        else:
            assert isinstance(target, PixelCritic)
            encoders = online.encoder_parameters(), target.encoder_parameters()
            polyak_update(*encoders, self.encoder_tau)
            heads = online.q_networks, target.q_networks
            for head, target_head in zip(*heads, strict=True):
                polyak_update(head.parameters(), target_head.parameters(), self.tau)
        polyak_update(self.batch_norm_stats, self.batch_norm_stats_target, 1.0)

    def _sample(self, batch_size: int) -> Batch:
        data = self._draw(batch_size)
        discount = self.gamma if data.discounts is None else data.discounts
        raw = data.observations
        obs, next_obs = self.augment_batch(raw.float(), data.next_observations.float())
        discount = (1 - data.dones) * discount
        return Batch(obs, data.actions, data.rewards, next_obs, discount, raw)

    def _draw(self, size: int) -> Any:
        assert self.replay_buffer is not None
        with self._alone_with_replay():
            return self.replay_buffer.sample(size, env=self._vec_normalize_env)

    def _store_transition(self, *args: Any, **kwargs: Any) -> None:
        with self._alone_with_replay():
            super()._store_transition(*args, **kwargs)

    @staticmethod
    def _shift(obs: Tensor, pad: int) -> Tensor:
        return RandomShift(pad)(obs) if pad else obs

    def _noise(self, batch: int) -> Tensor:
        shape = (batch, spaces.flatdim(self.action_space))
        return torch.normal(torch.zeros(shape, device=self.device), 1.0)

    def _alpha(self) -> Tensor:
        if self.log_ent_coef is None:
            return self.ent_coef_tensor
        return self.log_ent_coef.detach().exp()

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        if self.batch_size > self.buffer_size:
            raise ValueError(
                f"batch_size={self.batch_size} is more than buffer_size={self.buffer_size} holds: "
                "make the batch smaller or the buffer larger"
            )
        if self.device.type == "cpu":
            keep_freed_memory()
        return super()._setup_learn(*args, **kwargs)

    # Construction and files.

    def _setup_model(self) -> None:
        self._check_pictures()
        if "n_steps" in self.replay_buffer_kwargs:  # `load` may have been given another gamma
            self.replay_buffer_kwargs = {**self.replay_buffer_kwargs, "gamma": self.gamma}
        super()._setup_model()
        if self.log_ent_coef is not None:
            rate = self.lr_schedule(1) if self.ent_coef_lr is None else self.ent_coef_lr
            betas = (self.ent_coef_beta1, 0.999)
            self.ent_coef_optimizer = torch.optim.Adam([self.log_ent_coef], rate, betas)
        self.extras = nn.ModuleDict(self.extra_modules()).to(self.device)
        groups = self.critic_groups()
        self.extra_optimizer = torch.optim.Adam(groups) if groups else None
        self.policy.input_hook = self.encode_inputs
        self._accelerate((self.policy, self.extras), self.device)

    def _check_pictures(self) -> None:
        if not self.policy_kwargs.get("share_encoder", True):
            return
        space = self.observation_space
        shape: tuple[int, ...] = space.shape or ()
        if space.dtype != np.uint8 or len(shape) != 3 or shape[0] % 3:
            raise UnsupportedEnvironment(
                f"{type(self).__name__} acts from stacked RGB frames, uint8 (3k, H, W), got "
                f"{space}. Draw and stack them:  StackFrames(AddRenderObservation(env), 3)"
            )

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules, tensors = super()._get_torch_save_params()
        tensors = [name for name in tensors if name != "ent_coef_tensor"]  # a setting
        if len(self.extras):
            modules = [*modules, "extras"]
        if self.extra_optimizer is not None:
            modules = [*modules, "extra_optimizer"]
        return modules, tensors

    def _excluded_save_params(self) -> list[str]:
        own = ["extras", "extra_optimizer", "ent_coef_tensor", "_notes", "_learner", "train"]
        return [*super()._excluded_save_params(), *own]
