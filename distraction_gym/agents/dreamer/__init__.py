"""Dreamer: acting on a world model's imagination (DreamerV3, arXiv 2301.04104)."""

from __future__ import annotations

import functools
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor
from torch.optim import Optimizer

from distraction_gym.agents.common.acceleration import AccelerationMixin
from distraction_gym.agents.common.allocator import keep_freed_memory
from distraction_gym.agents.common.descent import descend, diverged, frozen
from distraction_gym.agents.common.model_files import SafeSaveMixin
from distraction_gym.agents.common.remembering import check_settings
from distraction_gym.agents.dreamer.collecting import Collecting
from distraction_gym.agents.dreamer.looking import Looking
from distraction_gym.agents.dreamer.policy import DreamerPolicy
from distraction_gym.agents.dreamer.rssm import State
from distraction_gym.agents.dreamer.sequences import ArraySpec, SequenceReplay
from distraction_gym.agents.dreamer.world_model import Learned, Sequences, WorldModel
from distraction_gym.errors import TrainingDiverged, UnsupportedEnvironment

__all__ = ["ArraySpec", "Dreamer", "DreamerPolicy", "Learned", "Sequences", "WorldModel"]

MODEL_CLIP, BEHAVIOR_CLIP = 1000.0, 100.0
"""Largest norms of gradients."""
BEHAVIOR_EPSILON = 1e-5
"""Adam's, for actor and critic."""


class Dreamer(Looking, Collecting, AccelerationMixin, SafeSaveMixin, OffPolicyAlgorithm):
    """DreamerV3 in the size and with the settings of its code of January 2023.

    It looks at one picture at a time and remembers: of stacked frames it takes the newest. Acting
    hands a memory on, as in sb3_contrib's `RecurrentPPO`:

    >>> action, state = model.predict(obs, state, episode_start)

    Args:
        policy: `"CnnPolicy"`.
        env: An environment with uint8 channel-first square pictures `(3k, H, W)`, or its ID;
            actions are a `Box`.
        learning_rate: Adam's rate for the world model.
        buffer_size: Steps in the replay buffer.
        learning_starts: Random steps before learning.
        batch_size: Sequences of an update.
        batch_length: Steps of a sequence.
        train_ratio: Steps that are replayed for each step that is made: 512 steps of batches of
            16 x 64 are an update every second step.
        pretrain_updates: Updates made at once when learning starts.
        gamma: Discount.
        return_lambda: Of the imagined returns.
        horizon: States of an imagined trajectory.
        actor_lr: Adam's rate for the actor.
        critic_lr: Adam's rate for the critic.
        ent_coef: Weight of the actor's entropy.
        tau: Rate at which the slow critic follows.
        free_nats: KL between posterior and prior that costs nothing, for each step.
        dyn_scale: Weight of the loss that moves the prior.
        rep_scale: Weight of the loss that moves the posterior.
        draw_every: Updates between pictures in the log of what the model expects; 0 for none.
        **kwargs: `policy_kwargs` (see `Sizes`), `seed`, `device`, `tensorboard_log`, `verbose` and
            others of Stable-Baselines3's off-policy algorithms; `precision`, `compile_mode` and
            `channels_last` as in `AccelerationMixin`.

    Raises:
        UnsupportedEnvironment: if the observations are no such pictures.
        TypeError: for a setting of Stable-Baselines3's that means nothing here (`NOT_HERE`).
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": DreamerPolicy}
    world_model_class: ClassVar[type[WorldModel]] = WorldModel
    policy: DreamerPolicy  # type: ignore[assignment]
    replay_buffer: SequenceReplay

    def __init__(
        self,
        policy: str | type[DreamerPolicy],
        env: Any,
        learning_rate: float = 1e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int = 2500,
        batch_size: int = 16,
        batch_length: int = 64,
        *,
        train_ratio: float = 512.0,
        pretrain_updates: int = 100,
        gamma: float = 0.997,
        return_lambda: float = 0.95,
        horizon: int = 15,
        actor_lr: float = 3e-5,
        critic_lr: float = 3e-5,
        ent_coef: float = 3e-4,
        tau: float = 0.02,
        free_nats: float = 1.0,
        dyn_scale: float = 0.5,
        rep_scale: float = 0.1,
        draw_every: int = 2500,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        check_settings(type(self), kwargs)
        if horizon < 2:
            raise ValueError(f"horizon counts states, so it must be 2 or more, got {horizon}")
        self.batch_length, self.train_ratio = batch_length, train_ratio
        self.pretrain_updates = pretrain_updates
        self.return_lambda, self.horizon = return_lambda, horizon
        self.actor_lr, self.critic_lr, self.ent_coef = actor_lr, critic_lr, ent_coef
        self.free_nats, self.dyn_scale, self.rep_scale = free_nats, dyn_scale, rep_scale
        self.draw_every = draw_every
        self._notes: dict[str, list[Tensor]] = defaultdict(list)
        self._due = 0.0
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            tau,
            gamma,
            train_freq=1,
            gradient_steps=-1,  # as many as there were steps: `train` counts them
            replay_buffer_class=SequenceReplay,
            support_multi_env=True,
            sde_support=False,
            supported_action_spaces=(spaces.Box,),
            **kwargs,
        )
        if _init_setup_model:
            self._setup_model()

    # Hooks: what a method may change.

    def world_model_kwargs(self) -> dict[str, Any]:
        """Return the arguments of `world_model_class` beside sizes, as JSON types."""
        return {
            "free_nats": self.free_nats,
            "dyn_scale": self.dyn_scale,
            "rep_scale": self.rep_scale,
        }

    def augment_batch(self, batch: Sequences) -> Sequences:
        """Change a batch before any loss sees it."""
        return batch

    def extra_optimizers(self) -> dict[str, Optimizer]:
        """Return the method's own optimizers, `self.optimizers.NAME` from then on.

        What they own of the world model is left out of the world model's own.
        """
        return {}

    def update_model(self, batch: Sequences) -> tuple[Learned, dict[str, Tensor]]:
        """Step the world model down its losses; return what it learned, and losses to log."""
        learned = self.policy.world_model.learn(batch)
        return learned, descend(learned.losses, [self.optimizers.model], MODEL_CLIP)

    def extra_updates(self, batch: Sequences, learned: Learned) -> dict[str, Tensor]:
        """Step the method's own optimizers, after the world model's; return losses to log."""
        return {}

    # The loop.

    def train(self, gradient_steps: int, batch_size: int = 16) -> None:
        """Make the updates that are due after `gradient_steps` further steps."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.optimizers.model)
        if self._n_updates == 0 and self._due == 0:
            self._due += self.pretrain_updates
        self._due += gradient_steps * self.train_ratio / (batch_size * self.batch_length)
        while self._due >= 1:
            self._due -= 1
            self._n_updates += 1
            try:
                losses = self._update(self._sample(batch_size))
            except TrainingDiverged as error:
                raise diverged(self, error) from None
            for name, value in losses.items():
                self.note(name, value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, values in self._notes.items():
            self.logger.record(f"train/{name}", torch.stack(values).mean().item())
        self._notes.clear()

    def note(self, name: str, value: Tensor) -> None:
        """Log a number beside the losses, as `train/<name>`, averaged over updates."""
        self._notes[name].append(value.detach())

    def _sample(self, batch_size: int) -> Sequences:
        batch = self.replay_buffer.sample_sequences(batch_size, self.batch_length)
        return self.augment_batch(batch)

    def _update(self, batch: Sequences) -> dict[str, Tensor]:
        learned, losses = self.update_model(batch)
        losses |= self.extra_updates(batch, learned)
        starts = State(*(part.detach().flatten(0, 1) for part in learned.states))
        losses |= self._update_behavior(starts)
        if self.draw_every and self._n_updates % self.draw_every == 0:
            self.draw(batch)
        return {**losses, **learned.notes}

    def _update_behavior(self, starts: State) -> dict[str, Tensor]:
        behavior = self.policy.behavior
        behavior.follow(self.tau)
        with frozen(self.policy.world_model), frozen(behavior.critic):
            outlook = behavior.outlook(self.policy.world_model, starts)
            behavior.range.update(outlook.returns)
            actor_loss = behavior.actor_loss(outlook)
        losses = descend({"actor_loss": actor_loss}, [self.optimizers.actor], BEHAVIOR_CLIP)
        critic_loss = {"critic_loss": behavior.critic_loss(outlook)}
        losses |= descend(critic_loss, [self.optimizers.critic], BEHAVIOR_CLIP)
        low, high = behavior.range.ends.clone()
        return {
            **losses,
            "return_low": low,
            "return_high": high,
            "imagined_return": outlook.returns.detach().mean(),
            "imagined_value": outlook.values.detach().mean(),
            "actor_entropy": outlook.entropy.detach().mean(),
        }

    # Construction and files.

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        if self.device.type == "cpu":
            keep_freed_memory()
        return super()._setup_learn(*args, **kwargs)

    def _setup_model(self) -> None:
        self._check_pictures()
        # What the settings say elsewhere already is handed over here, and not stored twice.
        own = self.policy_kwargs, self.replay_buffer_kwargs
        self.policy_kwargs = {**own[0], **self._networks()}
        arrays = {name: tuple(spec) for name, spec in self.extra_arrays().items()}
        self.replay_buffer_kwargs = {**own[1], "extras": arrays}
        super()._setup_model()
        self.policy_kwargs, self.replay_buffer_kwargs = own
        self.extras = self.policy.world_model.extras
        self._make_optimizers()
        self._accelerate((self.policy,), self.device)

    def _networks(self) -> dict[str, Any]:
        behavior = {
            "horizon": self.horizon,
            "gamma": self.gamma,
            "lambda_": self.return_lambda,
            "ent_coef": self.ent_coef,
        }
        return {
            "world_model_class": self.world_model_class,
            "world_model_kwargs": self.world_model_kwargs(),
            "behavior_kwargs": behavior,
        }

    def _make_optimizers(self) -> None:
        extra = self.extra_optimizers()
        groups = [group for optimizer in extra.values() for group in optimizer.param_groups]
        taken = {id(p) for group in groups for p in group["params"]}
        model = [p for p in self.policy.world_model.parameters() if id(p) not in taken]
        behavior = self.policy.behavior
        # One pass over weights and moments, where there is such a kernel, in place of a dozen.
        fused = self.device.type in ("cpu", "cuda")
        adam = functools.partial(torch.optim.Adam, fused=fused)
        self.optimizers = SimpleNamespace(
            model=adam(model, self.lr_schedule(1)),
            actor=adam(behavior.actor.parameters(), self.actor_lr, eps=BEHAVIOR_EPSILON),
            critic=adam(behavior.critic.parameters(), self.critic_lr, eps=BEHAVIOR_EPSILON),
            **extra,
        )

    def _check_pictures(self) -> None:
        space = self.observation_space
        shape: tuple[int, ...] = space.shape or ()
        square = len(shape) == 3 and shape[0] % 3 == 0 and shape[1] == shape[2]
        if space.dtype != np.uint8 or not square:
            raise UnsupportedEnvironment(
                f"{type(self).__name__} acts from square RGB pictures, uint8 (3k, H, H), got "
                f"{space}. Draw them:  StackFrames(AddRenderObservation(env), 1)"
            )

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", *(f"optimizers.{name}" for name in vars(self.optimizers))], []

    def _excluded_save_params(self) -> list[str]:
        own = ["extras", "_notes", *self.SESSION_ARRAYS]
        return [*super()._excluded_save_params(), *own]
