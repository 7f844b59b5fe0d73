"""What TRMS changes over its learner: teacher and selector first, a student after them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from stable_baselines3.common.logger import Image
from torch import Tensor, nn

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.learning import KnowsLearning
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.agents.common.strong import StrongAugmentation
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.trms.clock import TeachingClock, agreement
from distraction_gym.agents.trms.panels import draw_candidates, draw_rows
from distraction_gym.agents.trms.planes import (
    SegmentedReplayBuffer,
    channels_for,
    frames_of,
    unpack,
)
from distraction_gym.agents.trms.probe import needed_masks
from distraction_gym.agents.trms.sampler import PAPER_FILTERS as SAMPLER_FILTERS
from distraction_gym.agents.trms.sampler import Choice, MaskSampler
from distraction_gym.agents.trms.student import PAPER_FILTERS as STUDENT_FILTERS
from distraction_gym.agents.trms.student import Student
from distraction_gym.agents.trms.teacher import Teacher
from distraction_gym.errors import AssetsMissing, MissingExtra
from distraction_gym.registry import unknown
from distraction_gym.segmentation import Frames, Masks

PANEL_ROWS = 4
STUDENT_AFTER = ("rl", "frozen")


class Views(NamedTuple):
    """One time step's pictures as both branches see them, `(B, 3f, H, W)`, 0-255."""

    raw: Tensor
    augmented: Tensor
    losses: dict[str, Tensor]
    """What else this look at them gave to learn from: the student's loss, while it is taught."""


class TaskRelevantMasks(StrongAugmentation, KnowsLearning):
    """A learner that sees frames through masks; first a teacher's, then a student's.

    While it teaches, a segmenter splits each raw frame into binary masks, a sampler that the
    critic's loss trains takes those that the task needs, and a student learns to predict their
    union from the augmented frame. Then segmenter and sampler are dropped, and the critic's loss
    trains the student. `predict` and `explain` only ever ask the student.

    Source: TRMS (TMLR 2025), section 4 and algorithm 1; what the paper leaves open is in the
    README.

    Args:
        *args: As `StrongAugmentation`.
        learning_rate: Adam's rate for actor, critic and trunk.
        buffer_size: Transitions in the replay buffer.
        learning_starts: Random steps before learning.
        batch_size: Transitions of an update once teaching is over.
        segmenter: A name in `SEGMENTERS`, or `{"name": name, **arguments}`.
        k: Masks per frame, the segmenter's best; `"auto"` looks how many the environment's frames
            need (`trms.probe`, not in the paper), and is a number from then on.
        teach_steps: Agent steps of teaching; `"auto"` until the student's agreement with the
            teacher stops rising (not in the paper).
        teach_batch: Transitions of an update while it teaches.
        temperature: Of the sampler's softmax.
        sampler_lr: AdamW's rate for the sampler.
        sampler_filters: Filters of its convolutions.
        student_lr: Adam's rate for the student.
        student_filters: Filters of its hidden layers.
        student_after: What trains the student after teaching: `"rl"`, the critic's loss, or
            nothing, `"frozen"`.
        own_target: Let the augmented branch have a target from augmented next observations;
            False gives both that of the raw branch, as in SVEA.
        segment_in_updates: Segment the sampled frames anew in every update, as the paper's
            algorithm reads, where the default keeps each frame's masks in the replay buffer. The
            masks are the same.
        panel_interval: Updates from one picture of masks in the logger to the next, while it
            teaches; 0 for none.
        ent_coef_lr: Adam's rate for the entropy coefficient, where there is one.
        **kwargs: As `StrongAugmentation`.

    Raises:
        UnknownName: for a segmenter or `student_after` that does not exist.
        ValueError: for a `k`, `teach_steps` or `temperature` that makes no sense.
    """

    EXPLAINS = "mask"

    def __init__(
        self,
        policy: Any,
        env: Any,
        learning_rate: float = 1e-4,
        buffer_size: int = 150_000,
        learning_starts: int = 2000,
        batch_size: int = 256,
        *,
        segmenter: str | dict[str, Any] = "fastsam",
        k: int | str = 4,
        teach_steps: int | str = 25_000,
        teach_batch: int = 8,
        temperature: float = 5.0,
        sampler_lr: float = 1e-5,
        sampler_filters: Sequence[int] = SAMPLER_FILTERS,
        student_lr: float = 1e-4,
        student_filters: Sequence[int] = STUDENT_FILTERS,
        student_after: str = "rl",
        own_target: bool = True,
        segment_in_updates: bool = False,
        panel_interval: int = 1000,
        ent_coef_lr: float = 1e-4,
        replay_buffer_class: Any = None,
        replay_buffer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if student_after not in STUDENT_AFTER:
            raise unknown("way for the student to go on", student_after, STUDENT_AFTER)
        if teach_steps != "auto" and (isinstance(teach_steps, str) or teach_steps < 0):
            raise ValueError(f"teach_steps must be 0 or more steps, or 'auto', got {teach_steps!r}")
        if k != "auto" and (isinstance(k, str) or k < 1):
            raise ValueError(f"k must be 1 or more masks, or 'auto', got {k!r}")
        self.segmenter, self.k = segmenter, cast(int, k)
        self.teach_steps, self.teach_batch = teach_steps, teach_batch
        self.temperature, self.sampler_lr = temperature, sampler_lr
        self.sampler_filters, self.student_filters = list(sampler_filters), list(student_filters)
        self.student_lr, self.student_after = student_lr, student_after
        self.own_target, self.segment_in_updates = own_target, segment_in_updates
        self.panel_interval = panel_interval
        if replay_buffer_class is None and not segment_in_updates:
            replay_buffer_class = SegmentedReplayBuffer
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            ent_coef_lr=ent_coef_lr,
            replay_buffer_class=replay_buffer_class or FrameReplayBuffer,
            replay_buffer_kwargs=replay_buffer_kwargs,
            **kwargs,
        )

    @property
    def teaching(self) -> bool:
        """Whether masks still come from the segmenter."""
        if self.teach_steps == "auto":
            return not bool(self._clock().done)
        return self.num_timesteps <= int(self.teach_steps)

    # What every network sees.

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Multiply each frame by its mask: while it learns to, the teacher's, else the student's.

        Args:
            obs: `(B, 3f, H, W)`, 0-255, or as the replay buffer has them, with masks.
        """
        frames, planes = self._split(obs)
        with torch.no_grad():
            if self._learns and self.teaching:
                masks = self._choose(frames, planes).mask
            else:
                masks = self._student(frames.flatten(0, 1))
        return _masked(frames, masks)

    def attention(self, obs: Tensor) -> Tensor:
        """Return the student's mask of the newest frame, `(B, H, W)` in (0, 1)."""
        frames, _ = self._split(obs)
        return self._student(frames[:, -1])[:, 0]

    def views(self, obs: npt.NDArray[Any] | Tensor) -> dict[str, npt.NDArray[Any]]:
        """Return the student's mask, and beside it the teacher's and what that chose from.

        The latter two only where there is a segmenter that works here.
        """
        views = super().views(obs)
        try:
            choice = self.choose(obs)
        except (AssetsMissing, MissingExtra):  # trained elsewhere: the student needs no segmenter
            return views
        planes = choice.planes[0].bool().cpu().numpy()
        drawn = draw_candidates(planes, choice.weights[0].cpu().numpy())
        return {**views, "teacher": choice.mask[0, 0].cpu().numpy(), "candidates": drawn}

    def panels(self, obs: npt.NDArray[Any] | Tensor) -> npt.NDArray[np.uint8]:
        """Draw the newest frames, their masks with the sampler's weights, teacher and student.

        Args:
            obs: As `explain`.

        Returns:
            One row per observation, `(B * S, (3 + k) * S, 3)` uint8, RGB.
        """
        pictures = self._pictures(obs)
        choice, student = self.choose(pictures), self.explain(pictures)
        return draw_rows(pictures, choice, student)

    @torch.no_grad()
    def choose(self, obs: npt.NDArray[Any] | Tensor) -> Choice:
        """Return what the sampler makes of the newest frames, without noise; it asks the segmenter.

        Args:
            obs: As `explain`.
        """
        newest, _ = self._split(self._pictures(obs)[:, -3:])
        return self._choose(newest, None)

    # The critic's update.

    def critic_loss(self, batch: Batch) -> Tensor:
        """Return half of the TD errors of both branches (equations 6 to 8)."""
        return self.losses(batch)["critic_loss"]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the critic's loss, and the student's own (equation 10) while it is taught."""
        now = self._taught_views(batch.obs) if self.teaching else self._student_views(batch.obs)
        pictures = torch.cat([now.raw, now.augmented])
        target = self._targets(batch)
        # A mean over both halves at once is half of the sum of two means.
        error = self.seen_error(pictures, torch.cat([batch.action] * 2), target)
        return {"critic_loss": error, **now.losses}

    def _update_critic(self, batch: Batch) -> dict[str, Tensor]:
        optimizers = [self.critic.optimizer, self.student_optimizer]
        if self.teaching:
            optimizers.append(self.sampler_optimizer)
        return descend(self.losses(batch), optimizers)

    def _taught_views(self, obs: Tensor) -> Views:
        """Mask both branches with the teacher's choice for the raw frames."""
        frames, planes = self._split(obs)
        augmented = self._augmented(frames)
        with _training(self.extras["sampler"]):
            choice = self._choose(frames, planes)
        with _training(self.extras["student"]):
            logits = self.extras["student"](augmented.flatten(0, 1))
        self._note(choice, logits.detach())
        taught = choice.mask.detach()
        errors = F.binary_cross_entropy_with_logits(logits, taught, reduction="none")
        known = choice.found.float()
        loss = (errors.mean(dim=(1, 2, 3)) * known).sum() / known.sum().clamp(min=1.0)
        raw, masked = _masked(frames, choice.mask), _masked(augmented, choice.mask)
        return Views(raw, masked, {"student_loss": loss})

    def _student_views(self, obs: Tensor) -> Views:
        """Let the student mask each branch by itself."""
        frames, _ = self._split(obs)
        augmented = self._augmented(frames)
        both = torch.cat([frames, augmented])
        learns = self.student_after == "rl"
        with _training(self.extras["student"], learns), torch.set_grad_enabled(learns):
            masks = self._student(both.flatten(0, 1))
        self.note("mask_area", masks.mean())
        raw, masked = _masked(both, masks).chunk(2)
        return Views(raw, masked, {})

    @torch.no_grad()
    def _targets(self, batch: Batch) -> Tensor:
        """Return the targets of the raw and then of the augmented branch, `(2B, 1)`."""
        frames, planes = self._split(batch.next_obs)
        if not self.own_target:
            target = self.bootstrap(batch, self._seen(frames, frames, planes))
            return torch.cat([target, target])
        augmented = self._augmented(frames)
        seen = self._seen(frames, frames, planes), self._seen(frames, augmented, planes)
        return torch.cat([self.bootstrap(batch, branch) for branch in seen])

    def _seen(self, raw: Tensor, frames: Tensor, planes: Tensor | None) -> Tensor:
        """Mask frames without noise or learning: by the raw ones' masks, or by the student's."""
        if self.teaching:
            return _masked(frames, self._choose(raw, planes).mask)
        return _masked(frames, self._student(frames.flatten(0, 1)))

    # Parts.

    def _shape(self) -> tuple[int, ...]:
        assert self.observation_space.shape is not None
        return self.observation_space.shape

    def _split(self, obs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return frames `(B, f, 3, H, W)`, and their masks `(B, f, k, H, W)` if they have any."""
        stacked, height, width = self._shape()
        carried = 3 + channels_for(self.k)
        has_masks = obs.shape[1] == stacked // 3 * carried
        parts = obs.reshape(len(obs), -1, carried if has_masks else 3, height, width)
        return parts[:, :, :3], unpack(parts[:, :, 3:], self.k) if has_masks else None

    def _augmented(self, frames: Tensor) -> Tensor:
        """Augment each observation, its frames alike."""
        return self.augmentation(frames.flatten(1, 2)).view_as(frames)

    def _choose(self, frames: Tensor, planes: Tensor | None) -> Choice:
        """Let the sampler choose among the masks of frames `(B, f, 3, H, W)`."""
        if planes is None:
            found = self.teacher.masks(frames_of(frames.flatten(1, 2).byte().cpu().numpy()))
            planes = torch.as_tensor(found, device=frames.device).float()
        choice: Choice = self.extras["sampler"](planes.reshape(-1, self.k, *frames.shape[3:]))
        return choice

    def _student(self, frames: Tensor) -> Tensor:
        """Return the student's masks of frames `(N, 3, H, W)`: `(N, 1, H, W)` in (0, 1)."""
        return torch.sigmoid(self.extras["student"](frames))

    def _note(self, choice: Choice, logits: Tensor) -> None:
        """Log what was chosen and how far the student agrees; all or one is how it fails."""
        agreed = agreement(logits.sigmoid(), choice.mask)
        self._clock().observe(agreed)
        self.note("student_iou", agreed)
        self.note("mask_area", choice.mask.mean())
        self.note("masks_taken", choice.taken.sum(dim=1).mean())
        for index, weight in enumerate(choice.weights.mean(dim=0).unbind()):
            self.note(f"mask_weight_{index}", weight)

    def _masks_to_keep(self, frames: Frames) -> Masks:
        """Return the masks that go into the replay buffer: empty ones once nobody is taught."""
        if not self.teaching:
            return np.zeros((len(frames), self.k, *frames.shape[1:3]), np.bool_)
        return self.teacher.masks(frames)

    def _clock(self) -> TeachingClock:
        clock = self.extras["clock"]
        assert isinstance(clock, TeachingClock)
        return clock

    # What the loop asks.

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the sampler, the student, and the clock of teaching."""
        return {
            "sampler": MaskSampler(self.k, self.sampler_filters, self.temperature),
            "student": Student(self.student_filters),
            "clock": TeachingClock(),
        }

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update as `VisualSAC` does; while it teaches, with small batches, and log pictures."""
        before, teaches = self._n_updates, self.teaching
        super().train(gradient_steps, self.teach_batch if teaches else batch_size)
        every = self.panel_interval
        if teaches and every and self._n_updates // every > before // every:
            frames, _ = self._split(self.sample_pictures(PANEL_ROWS))
            panels = Image(self.panels(frames.flatten(1, 2)), "HWC")
            self.logger.record("trms/masks", panels, exclude=("stdout", "log", "json", "csv"))

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        """Meet a segmenter without weights now, not after the random steps."""
        _, height, width = self._shape()
        if self.teaching:
            self.teacher.masks(np.zeros((1, height, width, 3), np.uint8))
        return super()._setup_learn(*args, **kwargs)

    def _setup_model(self) -> None:
        if not isinstance(self.k, int):  # "auto", but never of a model that is loaded
            assert self.env is not None
            self.set_random_seed(self.seed)  # as will happen again, for the run itself
            self.k = needed_masks(self.env, self.segmenter)
        if self.replay_buffer_class is SegmentedReplayBuffer:
            self.replay_buffer_kwargs["k"] = self.k
        super()._setup_model()
        self.teacher = Teacher(self.segmenter, self.k, cached=not self.segment_in_updates)
        self.extras.eval()  # batch statistics are for updates, which ask for them
        sampler, student = self.extras["sampler"], self.extras["student"]
        self.sampler_optimizer = torch.optim.AdamW(sampler.parameters(), self.sampler_lr)
        self.student_optimizer = torch.optim.Adam(student.parameters(), self.student_lr)
        if isinstance(self.replay_buffer, SegmentedReplayBuffer):
            self.replay_buffer.segment = self._masks_to_keep

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules, tensors = super()._get_torch_save_params()
        return [*modules, "sampler_optimizer", "student_optimizer"], tensors

    def _excluded_save_params(self) -> list[str]:
        own = ["teacher", "sampler_optimizer", "student_optimizer"]
        return [*super()._excluded_save_params(), *own]


def _masked(frames: Tensor, masks: Tensor) -> Tensor:
    """Multiply frames `(B, f, 3, H, W)` by masks `(B * f, 1, H, W)`: `(B, 3f, H, W)`."""
    batch, stack, _, height, width = frames.shape
    return (frames * masks.view(batch, stack, 1, height, width)).flatten(1, 2)


@contextmanager
def _training(module: nn.Module, on: bool = True) -> Iterator[None]:
    """Let batch norm use the batch's statistics, and noise be drawn, for once."""
    module.train(on)
    try:
        yield
    finally:
        module.eval()
