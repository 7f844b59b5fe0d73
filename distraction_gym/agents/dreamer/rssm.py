"""The recurrent state-space model: what the world is in, from pictures or from imagination.

DreamerV3 (arXiv 2301.04104), equation 3, with the sizes and cells of its January 2023 code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distraction_gym.agents.dreamer.distributions import mode_one_hot, sample_one_hot, unimix
from distraction_gym.agents.dreamer.late import LateLinear
from distraction_gym.agents.dreamer.layers import EPSILON, Dense, start_normal, start_uniform


class State(NamedTuple):
    """What the model believes; leading axes are batch, or batch and time."""

    deter: Tensor
    """The recurrent part h, `(..., deter)`."""
    stoch: Tensor
    """The drawn part z, one-hot, `(..., stoch, classes)`."""

    @property
    def features(self) -> Tensor:
        """What every head reads, `(..., stoch * classes + deter)`: z, then h."""
        return torch.cat([self.stoch.flatten(-2), self.deter], dim=-1)


class NormGRU(nn.Module):
    """A GRU cell with one LayerNorm over its three gates together.

    The reset gate multiplies the candidate after the norm, and the update gate has a bias of -1,
    so that a new cell keeps most of its state. Both are the code's.
    """

    def __init__(self, inputs: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs + size, 3 * size, bias=False)
        self.norm = nn.LayerNorm(3 * size, eps=EPSILON)
        self.apply(start_normal)

    def forward(
        self, inputs: Tensor, state: Tensor, linear: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Return the next state `(B, size)`; `linear` stands in for the layer of that name."""
        gates = self.norm((linear or self.linear)(torch.cat([inputs, state], dim=-1)))
        reset, candidate, update = gates.chunk(3, dim=-1)
        candidate = torch.tanh(torch.sigmoid(reset) * candidate)
        return torch.lerp(state, candidate, torch.sigmoid(update - 1.0))


class RSSM(nn.Module):
    """h follows from state and action, z from h alone (prior) or from h and a picture (posterior).

    Args:
        actions: Numbers of an action.
        embed: Numbers that the encoder makes of a picture.
        deter: Size of h.
        stoch: Categoricals of z.
        classes: Classes of each.
        hidden: Units of the layers between.
    """

    def __init__(
        self, actions: int, embed: int, deter: int, stoch: int, classes: int, hidden: int
    ) -> None:
        super().__init__()
        self.deter, self.shape = deter, (stoch, classes)
        latents = stoch * classes
        self.inputs = Dense(latents + actions, hidden)
        self.cell = NormGRU(hidden, deter)
        self.prior_hidden = Dense(deter, hidden)
        self.prior_logits = nn.Linear(hidden, latents)
        self.posterior_hidden = Dense(deter + embed, hidden)
        self.posterior_logits = nn.Linear(hidden, latents)
        self.start = nn.Parameter(torch.zeros(deter))
        for layer in (self.prior_logits, self.posterior_logits):
            start_uniform(layer, 1.0)

    @property
    def features(self) -> int:
        """Numbers that heads read."""
        return self.shape[0] * self.shape[1] + self.deter

    def initial(self, batch: int) -> State:
        """Return the learned state before an episode's first picture."""
        deter = torch.tanh(self.start)[None]
        stoch = mode_one_hot(self.prior(deter))
        return State(deter.expand(batch, -1), stoch.expand(batch, -1, -1))

    def prior(self, deter: Tensor) -> Tensor:
        """Return log-probabilities of z `(..., stoch, classes)` given h."""
        logits = self.prior_logits(self.prior_hidden(deter))
        return self._mixed(logits)

    def posterior(self, deter: Tensor, embed: Tensor) -> Tensor:
        """Return log-probabilities of z `(..., stoch, classes)` given h and a picture."""
        logits = self.posterior_logits(self.posterior_hidden(torch.cat([deter, embed], dim=-1)))
        return self._mixed(logits)

    def step(self, state: State, action: Tensor) -> Tensor:
        """Return the next h `(B, deter)` after an action `(B, A)` in [-1, 1]."""
        inputs = self.inputs(torch.cat([state.stoch.flatten(-2), action], dim=-1))
        return self.cell(inputs, state.deter)

    def imagine(self, state: State, action: Tensor) -> State:
        """Return the state that the prior expects after an action."""
        deter = self.step(state, action)
        return State(deter, sample_one_hot(self.prior(deter)))

    def observe_one(self, state: State, action: Tensor, first: Tensor, embed: Tensor) -> State:
        """Return the state after one more picture; arguments as `restart` and `posterior`."""
        before = restart(state, first, self.initial(1))
        deter = self.step(before, action * (1 - first)[:, None])
        return State(deter, sample_one_hot(self.posterior(deter, embed)))

    def observe(self, action: Tensor, first: Tensor, embed: Tensor) -> tuple[State, Tensor, Tensor]:
        """Follow sequences, each from the initial state on.

        Args:
            action: `(B, T, A)`; the action at t led to the picture at t.
            first: `(B, T)` 1 where an episode begins, else 0.
            embed: `(B, T, embed)`.

        Returns:
            The states `(B, T, ...)`, and log-probabilities `(B, T, stoch, classes)` of posterior
            and prior.
        """
        initial, late = self.initial(len(action)), self._late(action, first, embed)
        state, states, posteriors = initial, [], []
        for at in range(action.shape[1]):
            before = restart(state, first[:, at], initial)
            hidden = self.inputs.rest(late.inputs(before.stoch.flatten(-2)))
            deter = self.cell(hidden, before.deter, late.cell)
            logits = late.logits(self.posterior_hidden.rest(late.hidden(deter)))
            posteriors.append(self._mixed(logits))
            state = State(deter, sample_one_hot(posteriors[-1]))
            states.append(state)
        deters, stochs = (torch.stack(part, dim=1) for part in zip(*states, strict=True))
        # The prior asks for nothing but h: all its steps at once.
        return State(deters, stochs), torch.stack(posteriors, dim=1), self.prior(deters)

    def _mixed(self, logits: Tensor) -> Tensor:
        return unimix(logits.reshape(*logits.shape[:-1], *self.shape))

    def _late(self, action: Tensor, first: Tensor, embed: Tensor) -> _Late:
        """Return the linear layers of `observe`; what does not depend on states is worked out."""
        from_latents, from_action = _columns(self.inputs, self.shape[0] * self.shape[1])
        from_deter, from_embed = _columns(self.posterior_hidden, self.deter)
        acted = F.linear(action * (1 - first)[..., None], from_action)
        return _Late(
            LateLinear(from_latents, acted),
            LateLinear.of(self.cell.linear, *first.shape),
            LateLinear(from_deter, F.linear(embed, from_embed)),
            LateLinear.of(self.posterior_logits, *first.shape),
        )


class _Late(NamedTuple):
    """The linear layers of a step, in their order."""

    inputs: LateLinear
    cell: LateLinear
    hidden: LateLinear
    logits: LateLinear


def _columns(layer: Dense, first: int) -> tuple[Tensor, ...]:
    """Return a layer's weights of its first inputs, and of the others."""
    weight = layer.linear.weight
    return torch.split_with_sizes(weight, [first, weight.shape[1] - first], dim=1)


def restart(state: State, first: Tensor, initial: State) -> State:
    """Put the initial state where an episode begins.

    Args:
        state: Of the step before.
        first: `(B,)` 1 where the present picture is an episode's first, else 0.
        initial: What to put there.
    """
    first = first[:, None]
    deter = torch.lerp(state.deter, initial.deter, first)
    stoch = torch.lerp(state.stoch, initial.stoch, first[..., None])
    return State(deter, stoch)
