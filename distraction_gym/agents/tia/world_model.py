"""TIA's world model: one for the task and one for the rest, which draw each picture together."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from distraction_gym.agents.common.descent import frozen
from distraction_gym.agents.dreamer import Learned, Sequences, WorldModel
from distraction_gym.agents.dreamer.distributions import mode_one_hot
from distraction_gym.agents.dreamer.heads import TwoHotHead
from distraction_gym.agents.dreamer.pictures import Decoder, Encoder
from distraction_gym.agents.dreamer.rssm import RSSM, State
from distraction_gym.agents.dreamer.world_model import latent_notes, pixel_error
from distraction_gym.agents.tia.drawing import Blend, MaskedDecoder, laid_over

DISTRACTOR = ("distractor_encoder", "distractor_rssm", "alone_decoder")
"""What the distractor's losses train."""
DRAWING = ("distractor_decoder", "blend")
"""What draws pictures together with the task's decoder."""


class Distraction(NamedTuple):
    """What the distractor's stream makes of a batch."""

    states: State
    """`(B, T, ...)`."""
    posterior: Tensor
    """Log-probabilities `(B, T, stoch, classes)`."""
    prior: Tensor
    """The same."""


class TIAWorld(WorldModel):
    """The task's world model, and a second one for what the reward does not depend on.

    Args:
        *args: As `WorldModel`.
        alone_scale: Weight of the picture that the distractor draws alone.
        adversarial_scale: Weight of what keeps rewards out of the distractor's states.
        **kwargs: As `WorldModel`.
    """

    def __init__(
        self, *args: Any, alone_scale: float, adversarial_scale: float, **kwargs: Any
    ) -> None:
        self.alone_scale, self.adversarial_scale = alone_scale, adversarial_scale
        super().__init__(*args, **kwargs)

    def make_decoder(self) -> MaskedDecoder:
        """Return what draws the task's part."""
        return MaskedDecoder(self.features, self.side, self.sizes.depth)

    def extra_modules(self) -> dict[str, nn.Module]:
        """Add the distractor's stream, what draws both together, and the adversary."""
        sizes, side = self.sizes, self.side
        encoder = Encoder(side, sizes.depth)
        rssm = RSSM(
            self.actions, encoder.size, sizes.deter, sizes.stoch, sizes.classes, sizes.hidden
        )
        return {
            "distractor_encoder": encoder,
            "distractor_rssm": rssm,
            "distractor_decoder": MaskedDecoder(rssm.features, side, sizes.depth),
            "blend": Blend(),
            "alone_decoder": Decoder(rssm.features, side, sizes.depth),
            "adversary": TwoHotHead(rssm.features, sizes.units, sizes.layers),
        }

    def observe_distractor(self, batch: Sequences) -> Distraction:
        """Follow a batch, as `observe`, with the distractor's stream."""
        embed = self.extras["distractor_encoder"](self.pictures(batch))
        rssm = self.extras["distractor_rssm"]
        assert isinstance(rssm, RSSM)
        return Distraction(*rssm.observe(batch.action, batch.first, embed))

    def learn(self, batch: Sequences, distraction: Distraction | None = None) -> Learned:
        """Return the losses of both streams, and the task's states.

        Args:
            batch: Sequences.
            distraction: What `observe_distractor` makes of them, if that is known.
        """
        states, posterior, prior = self.observe(batch)
        other = distraction or self.observe_distractor(batch)
        features, others = states.features, other.states.features
        picture, mask = self.draw(features, others)
        losses = {
            "image_loss": pixel_error(picture, self.target(batch)).mean(),
            **self.reward_loss(batch, features),
            **self.continue_loss(batch, features),
            **self.kl_loss(posterior, prior),
            **{f"distractor_{k}": v for k, v in self.kl_loss(*other[1:]).items()},
            **self.distractor_losses(batch, others),
        }
        notes = {
            **latent_notes(posterior, prior),
            "distractor_kl": latent_notes(*other[1:])["kl"],
            "mask": mask.detach().mean(),
        }
        return Learned(losses, states, notes)

    def draw(self, features: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Draw pictures together.

        Args:
            features: The task's, `(B, T, F)`.
            others: The distractor's, `(B, T, F)`.

        Returns:
            Pictures `(B, T, 3, H, W)`, and masks `(B, T, 1, H, W)`: 1 where the task's shows.
        """
        decoders = self.decoder, self.extras["distractor_decoder"]
        (task, votes), (rest, other_votes) = (
            decoder.parts(each)  # type: ignore[operator]
            for decoder, each in zip(decoders, (features, others), strict=True)
        )
        mask = self.extras["blend"](votes, other_votes)
        return laid_over(task, rest, mask), mask

    def distractor_losses(self, batch: Sequences, others: Tensor) -> dict[str, Tensor]:
        """Return what keeps the distractor's features `(B, T, F)` full of all but rewards.

        Returns:
            `alone_loss`: they draw the picture by themselves, or they might forget it all;
            `adversarial_loss`: minus the adversary's loss, whose weights take no gradient.
        """
        alone = pixel_error(self.extras["alone_decoder"](others), self.target(batch)).mean()
        adversary = self.extras["adversary"]
        with frozen(adversary):
            told = self.adversary_loss(others, batch.reward)
        return {
            "alone_loss": self.alone_scale * alone,
            "adversarial_loss": -self.adversarial_scale * told,
        }

    def adversary_loss(self, others: Tensor, reward: Tensor) -> Tensor:
        """Return how badly the adversary tells rewards `(B, T)` from `(B, T, F)`, a scalar."""
        adversary = self.extras["adversary"]
        assert isinstance(adversary, TwoHotHead)
        return adversary.loss(others, reward).mean()

    def first_distraction(self, pictures: Tensor) -> State:
        """Return the distractor's likeliest states of `(N, 3, H, W)` that begin an episode."""
        rssm, embed = self.extras["distractor_rssm"], self.extras["distractor_encoder"](pictures)
        assert isinstance(rssm, RSSM)
        deter = rssm.step(rssm.initial(len(embed)), embed.new_zeros(len(embed), self.actions))
        return State(deter, mode_one_hot(rssm.posterior(deter, embed)))
