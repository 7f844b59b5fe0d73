"""TD-MPC2: planning with a model of rewards and values, not of pictures (arXiv 2310.16828)."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

from distraction_gym.agents.common.acceleration import AccelerationMixin
from distraction_gym.agents.common.allocator import keep_freed_memory
from distraction_gym.agents.common.descent import descend, diverged, frozen
from distraction_gym.agents.common.explain import ExplainMixin
from distraction_gym.agents.common.model_files import SafeSaveMixin
from distraction_gym.agents.common.remembering import Remembering, check_settings
from distraction_gym.agents.common.saliency import input_gradients, normalized, per_pixel
from distraction_gym.agents.tdmpc2.heuristics import discount, length_of_episodes, seed_steps
from distraction_gym.agents.tdmpc2.losses import Weights, model_losses, prior_loss
from distraction_gym.agents.tdmpc2.planning import Plan, Planning, plan
from distraction_gym.agents.tdmpc2.policy import TDMPC2Policy
from distraction_gym.agents.tdmpc2.slices import SliceReplay, Slices
from distraction_gym.agents.tdmpc2.world_model import WorldModel
from distraction_gym.errors import TrainingDiverged, UnsupportedEnvironment

__all__ = ["TDMPC2", "Plan", "Planning", "SliceReplay", "TDMPC2Policy", "WorldModel", "plan"]

CLIP = 20.0
"""Largest norm of the model's gradient, and of the policy prior's."""
PRIOR_EPSILON = 1e-5
"""Adam's, for the policy prior."""


class TDMPC2(ExplainMixin, Remembering, AccelerationMixin, SafeSaveMixin, OffPolicyAlgorithm):
    """TD-MPC2 from pixels, for one task, with the settings of its code.

    It plans every action, and starts from the plan that it made before: acting hands that on, as in
    sb3_contrib's `RecurrentPPO`:

    >>> action, state = model.predict(obs, state, episode_start)

    Args:
        policy: `"CnnPolicy"`.
        env: An environment with uint8 channel-first pictures `(3k, H, W)`, or its ID; actions are a
            `Box`. 64 x 64 pictures of three frames in the paper.
        learning_rate: Adam's rate.
        buffer_size: Transitions in the replay buffer.
        learning_starts: Random steps before learning; None for five episodes, at least 1000.
        batch_size: Slices of an update.
        tau: Rate at which the target critics follow.
        gamma: Discount; None for what suits the length of episodes (`heuristics.discount`).
        episode_length: Decisions of an episode; None asks the environment.
        episodic: Learn where episodes terminate. Without it a termination is an error, as in the
            official code; a time limit never is one.
        gradient_steps: Updates after each step of the environments; -1 for one per decision.
        catch_up_updates: Updates made at once when learning starts; None for `learning_starts`.
        enc_lr_scale: What the encoder's rate is of `learning_rate`.
        shift: Largest random shift of pictures, in pixels, in acting too; 0 for none.
        rho: What each further step of a slice counts in losses.
        consistency_coef: Weight of the loss of latent states.
        reward_coef: Weight of the reward's.
        value_coef: Weight of the critics'.
        termination_coef: Weight of the terminations'.
        ent_coef: Weight of the policy prior's entropy.
        horizon: Steps of a slice, and steps that a plan looks ahead.
        iterations: Of planning.
        num_samples: Action sequences that are weighed in each.
        num_elites: The best of them, from which the next are drawn.
        num_pi_trajs: Those of them that are the policy prior's.
        min_std: Least deviation of actions in planning.
        max_std: Largest deviation, where it starts.
        temperature: Of the elites' weights.
        **kwargs: `policy_kwargs` (see `Sizes`), `seed`, `device`, `tensorboard_log`, `verbose` and
            others of Stable-Baselines3's off-policy algorithms; `precision`, `compile_mode` and
            `channels_last` as in `AccelerationMixin`.

    Raises:
        UnsupportedEnvironment: if the observations are no such pictures, or if nobody says how
            long episodes are.
        TypeError: for a setting of Stable-Baselines3's that means nothing here (`NOT_HERE`).
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": TDMPC2Policy}
    policy: TDMPC2Policy  # type: ignore[assignment]
    replay_buffer: SliceReplay

    def __init__(
        self,
        policy: str | type[TDMPC2Policy],
        env: Any,
        learning_rate: float = 3e-4,
        buffer_size: int = 1_000_000,
        learning_starts: int | None = None,
        batch_size: int = 256,
        tau: float = 0.01,
        gamma: float | None = None,
        *,
        episode_length: int | None = None,
        episodic: bool = False,
        gradient_steps: int = -1,
        catch_up_updates: int | None = None,
        enc_lr_scale: float = 0.3,
        shift: int = 3,
        rho: float = 0.5,
        consistency_coef: float = 20.0,
        reward_coef: float = 0.1,
        value_coef: float = 0.1,
        termination_coef: float = 1.0,
        ent_coef: float = 1e-4,
        horizon: int = 3,
        iterations: int = 6,
        num_samples: int = 512,
        num_elites: int = 64,
        num_pi_trajs: int = 24,
        min_std: float = 0.05,
        max_std: float = 2.0,
        temperature: float = 0.5,
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        check_settings(type(self), kwargs)
        self.episode_length, self.episodic = episode_length, episodic
        self.catch_up_updates, self.enc_lr_scale, self.shift = catch_up_updates, enc_lr_scale, shift
        self.rho, self.consistency_coef = rho, consistency_coef
        self.reward_coef, self.value_coef = reward_coef, value_coef
        self.termination_coef, self.ent_coef = termination_coef, ent_coef
        self.horizon, self.iterations = horizon, iterations
        self.num_samples, self.num_elites = num_samples, num_elites
        self.num_pi_trajs, self.temperature = num_pi_trajs, temperature
        self.min_std, self.max_std = min_std, max_std
        self._notes: dict[str, list[Tensor]] = defaultdict(list)
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,  # type: ignore[arg-type]  # `_ask_lengths` fills in both
            batch_size,
            tau,
            gamma,  # type: ignore[arg-type]
            train_freq=1,
            gradient_steps=gradient_steps,
            replay_buffer_class=SliceReplay,
            support_multi_env=True,
            sde_support=False,
            supported_action_spaces=(spaces.Box,),
            **kwargs,
        )
        if _init_setup_model:
            self._setup_model()

    # The loop.

    def train(self, gradient_steps: int, batch_size: int = 256) -> None:
        """Make `gradient_steps` updates, and once the ones to catch up with the random steps."""
        if self.replay_buffer.size() < self.horizon:
            return  # a model that was loaded goes on with an empty buffer
        self.policy.set_training_mode(True)
        self._update_learning_rate([self.optimizers.model, self.optimizers.prior])
        self.optimizers.model.param_groups[0]["lr"] *= self.enc_lr_scale
        if self._n_updates == 0:
            missed = self.catch_up_updates
            gradient_steps += self.learning_starts if missed is None else missed
        for _ in range(gradient_steps):
            batch = self.replay_buffer.sample_slices(batch_size, self.horizon)
            self._n_updates += 1
            try:
                losses = self._update(batch)
            except TrainingDiverged as error:
                raise diverged(self, error) from None
            for name, value in losses.items():
                self._notes[name].append(value)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, values in self._notes.items():
            self.logger.record(f"train/{name}", torch.stack(values).mean().item())
        self._notes.clear()

    def _update(self, batch: Slices) -> dict[str, Tensor]:
        """Step the model, then the policy prior; then the target critics follow."""
        model, weights = self.policy.world_model, self._weights()
        losses, z = model_losses(model, batch, weights, self.gamma)
        told = descend(losses, [self.optimizers.model], CLIP)
        with frozen(model.critics):
            loss, entropy = prior_loss(model, z.detach(), self.policy.scale, weights)
            told |= descend({"prior_loss": loss}, [self.optimizers.prior], CLIP)
        model.follow(self.tau)
        return {**told, "entropy": entropy, "value_scale": self.policy.scale.value.clone()}

    def _weights(self) -> Weights:
        return Weights(
            rho=self.rho,
            consistency=self.consistency_coef,
            reward=self.reward_coef,
            value=self.value_coef,
            termination=self.termination_coef,
            entropy=self.ent_coef,
        )

    def _store_transition(
        self,
        replay_buffer: Any,
        buffer_action: npt.NDArray[Any],
        new_obs: Any,
        reward: npt.NDArray[Any],
        dones: npt.NDArray[Any],
        infos: list[dict[str, Any]],
    ) -> None:
        limits = [info.get("TimeLimit.truncated", False) for info in infos]
        if not self.episodic and (dones & ~np.array(limits)).any():
            raise UnsupportedEnvironment(
                "an episode terminated, and this TDMPC2 does not know that episodes do. Type:  "
                "TDMPC2(..., episodic=True)   (a time limit must be a truncation: Gymnasium's "
                "TimeLimit makes it one)"
            )
        super()._store_transition(replay_buffer, buffer_action, new_obs, reward, dones, infos)  # type: ignore[arg-type]
        self._last_episode_starts = np.asarray(dones, bool)

    # What it looks at.

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Return what the encoder reads of `(B, 3k, H, W)`, not shifted: all of it."""
        return obs

    def attention(self, obs: Tensor) -> Tensor:
        """Return how strongly the critics' mean value depends on each pixel, `(B, H, W)`.

        Of the action that the policy prior would take; no random number is drawn.
        """
        model = self.policy.world_model
        action = model.prior.mode(model.encoder.read(obs))

        def value(pictures: Tensor) -> Tensor:
            return model.all_values(model.encoder.read(pictures), action).mean(dim=0)

        return normalized(per_pixel(input_gradients(value, obs))[:, -1])

    # Construction and files.

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        if self.device.type == "cpu":
            keep_freed_memory()
        return super()._setup_learn(*args, **kwargs)

    def _setup_model(self) -> None:
        self._check_pictures()
        self._ask_lengths()
        # What the settings say elsewhere already is handed over here, and not stored twice.
        own = self.policy_kwargs
        self.policy_kwargs = {
            **own,
            "gamma": self.gamma,
            "planning": self._planning(),
            "model": {"shift": self.shift, "episodic": self.episodic},
        }
        super()._setup_model()
        self.policy_kwargs = own
        self.extras = nn.ModuleDict()
        self._make_optimizers()
        self._accelerate((self.policy,), self.device)

    def _planning(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Planning.__dataclass_fields__}

    def _ask_lengths(self) -> None:
        """Fill in what follows from the length of episodes."""
        if self.gamma is None or self.learning_starts is None:
            if self.episode_length is None:
                self.episode_length = length_of_episodes(self.env)
            if self.gamma is None:
                self.gamma = discount(self.episode_length)
            if self.learning_starts is None:
                self.learning_starts = seed_steps(self.episode_length)

    def _make_optimizers(self) -> None:
        model, rate = self.policy.world_model, self.lr_schedule(1)
        parts = [model.encoder, model.dynamics, model.reward, model.termination, model.critics]
        groups: list[dict[str, Any]] = [
            {"params": part.parameters()} for part in parts if part is not None
        ]
        groups[0]["lr"] = rate * self.enc_lr_scale
        self.optimizers = SimpleNamespace(
            model=torch.optim.Adam(groups, rate),
            prior=torch.optim.Adam(model.prior.parameters(), rate, eps=PRIOR_EPSILON),
        )

    def _check_pictures(self) -> None:
        space = self.observation_space
        shape: tuple[int, ...] = space.shape or ()
        if space.dtype != np.uint8 or len(shape) != 3 or shape[0] % 3:
            raise UnsupportedEnvironment(
                f"TDMPC2 acts from stacked RGB frames, uint8 (3k, H, W), got {space}. Draw and "
                "stack them:  StackFrames(AddRenderObservation(env), 3)"
            )

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", *(f"optimizers.{name}" for name in vars(self.optimizers))], []

    def _excluded_save_params(self) -> list[str]:
        own = ["extras", "_notes", *self.SESSION_ARRAYS]
        return [*super()._excluded_save_params(), *own]
