"""A teacher's masks, a sampler that chooses among them, and a student that takes over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from distraction_gym.agents.common.learning import KnowsLearning
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.agents.trms.clock import TeachingClock
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
from distraction_gym.segmentation import Frames, Masks


class TeacherAndStudent(KnowsLearning):
    """Every network sees frames through masks: first the teacher's choice, then the student's.

    Here is who makes them, and when; `TaskRelevantMasks` trains them.

    Args:
        *args: As `VisualSAC`.
        segmenter: A name in `SEGMENTERS`, or `{"name": name, **arguments}`. One that follows the
            picture from frame to frame, such as `"propagated"` (not in the paper), is there once
            for each environment.
        k: Masks per frame, the segmenter's best; `"auto"` looks how many the environment's frames
            need (`trms.probe`, not in the paper), and is a number from then on.
        teach_steps: Agent steps of teaching; `"auto"` until the student's agreement with the
            teacher has settled (not in the paper).
        temperature: Of the sampler's softmax.
        share_of: From which share of the weights on a mask is taken (`MaskSampler`).
        sampler_lr: AdamW's rate for the sampler.
        sampler_filters: Filters of its convolutions.
        student_lr: Adam's rate for the student.
        student_filters: Filters of its hidden layers.
        segment_in_updates: Segment the sampled frames anew in every update, as the paper's
            algorithm reads, where the default keeps each frame's masks in the replay buffer. The
            masks are the same; a segmenter that follows the picture is refused.
        replay_buffer_class: None for one that keeps masks beside frames.
        **kwargs: As `VisualSAC`.

    Raises:
        UnknownName: for a segmenter that does not exist, when it is first asked.
        UnsupportedEnvironment: for one that cannot be asked here, such as the oracle, then, too.
        ValueError: for a `k`, `teach_steps` or `temperature` that makes no sense, and where frames
            would be segmented in no order that must be.
    """

    EXPLAINS = "mask"

    def __init__(
        self,
        *args: Any,
        segmenter: str | dict[str, Any] = "fastsam",
        k: int | str = 4,
        teach_steps: int | str = 25_000,
        temperature: float = 5.0,
        share_of: str = "all",
        sampler_lr: float = 1e-5,
        sampler_filters: Sequence[int] = SAMPLER_FILTERS,
        student_lr: float = 1e-4,
        student_filters: Sequence[int] = STUDENT_FILTERS,
        segment_in_updates: bool = False,
        replay_buffer_class: Any = None,
        **kwargs: Any,
    ) -> None:
        if teach_steps != "auto" and (isinstance(teach_steps, str) or teach_steps < 0):
            raise ValueError(f"teach_steps must be 0 or more steps, or 'auto', got {teach_steps!r}")
        if k != "auto" and (isinstance(k, str) or k < 1):
            raise ValueError(f"k must be 1 or more masks, or 'auto', got {k!r}")
        self.segmenter, self.k = segmenter, cast(int, k)
        self.teach_steps, self.segment_in_updates = teach_steps, segment_in_updates
        self.temperature, self.share_of = temperature, share_of
        self.sampler_lr = sampler_lr
        self.sampler_filters, self.student_filters = list(sampler_filters), list(student_filters)
        self.student_lr = student_lr
        stock = FrameReplayBuffer if segment_in_updates else SegmentedReplayBuffer
        super().__init__(*args, replay_buffer_class=replay_buffer_class or stock, **kwargs)

    @property
    def teaching(self) -> bool:
        """Whether masks still come from the segmenter."""
        if self.teach_steps != "auto" and self.num_timesteps > int(self.teach_steps):
            return False
        return not bool(self._clock().done)

    # Masks.

    def encode_inputs(self, obs: Tensor) -> Tensor:
        """Multiply each frame by its mask: while it learns to, the teacher's, else the student's.

        Args:
            obs: `(B, 3f, H, W)`, 0-255, or as the replay buffer has them, with masks.
        """
        frames, planes = self._split(obs)
        with torch.no_grad():
            if self._learns and self.teaching:
                if planes is None:  # not from the replay: to act, each row an environment
                    planes = self._planes(self.teacher.look(_bytes(frames)))
                masks = self._choose(frames, planes).mask
            else:
                masks = self._student(frames.flatten(0, 1))
        return masked(frames, masks)

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
        return self._panels(self._pictures(obs))

    @torch.no_grad()
    def _panels(self, obs: Tensor) -> npt.NDArray[np.uint8]:
        """Draw float pictures; those that come with masks, from the replay, with these."""
        frames, planes = self._split(obs)
        choice = self._choose(frames[:, -1:], None if planes is None else planes[:, -1:])
        pictures = frames.flatten(1, 2)
        return draw_rows(pictures, choice, self.explain(pictures))

    @torch.no_grad()
    def choose(self, obs: npt.NDArray[Any] | Tensor) -> Choice:
        """Return what the sampler makes of the newest frames, without noise; it asks the segmenter.

        It asks about each frame for itself: where masks are propagated, these are key frames.

        Args:
            obs: As `explain`.
        """
        newest, _ = self._split(self._pictures(obs)[:, -3:])
        return self._choose(newest, None)

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

    def _choose(self, frames: Tensor, planes: Tensor | None) -> Choice:
        """Let the sampler choose among the masks of frames `(B, f, 3, H, W)`."""
        if planes is None:
            pictures = _bytes(frames)
            planes = self._planes(self.teacher.masks(pictures.reshape(-1, *pictures.shape[2:])))
        choice: Choice = self.extras["sampler"](planes.reshape(-1, self.k, *frames.shape[3:]))
        return choice

    def _student(self, frames: Tensor) -> Tensor:
        """Return the student's masks of frames `(N, 3, H, W)`: `(N, 1, H, W)` in (0, 1)."""
        return torch.sigmoid(self.extras["student"](frames))

    def _planes(self, masks: Masks) -> Tensor:
        return torch.as_tensor(masks, device=self.device).float()

    def _masks_to_keep(
        self, now: Frames, later: Frames, ends: npt.NDArray[Any]
    ) -> tuple[Masks, Masks]:
        """Return the masks that go into the replay buffer: empty ones once nobody is taught."""
        if not self.teaching:
            none = np.zeros((*now.shape[:2], self.k, *now.shape[2:4]), np.bool_)
            return none, none
        return self.teacher.step(now, later, ends)

    def _clock(self) -> TeachingClock:
        clock = self.extras["clock"]
        assert isinstance(clock, TeachingClock)
        return clock

    # What the loop asks.

    def extra_modules(self) -> dict[str, nn.Module]:
        """Return the sampler, the student, and the clock of teaching."""
        shape = self.k, self.sampler_filters
        return {
            "sampler": MaskSampler(*shape, self.temperature, self.share_of),
            "student": Student(self.student_filters),
            "clock": TeachingClock(),
        }

    def _setup_learn(self, *args: Any, **kwargs: Any) -> Any:
        """Meet a segmenter that does not work here now, not after the random steps."""
        _, height, width = self._shape()
        if self.teaching:  # else it is over for good, though `learn` may count from 0 again
            self.teacher.masks(np.zeros((1, height, width, 3), np.uint8))
            self._check_order()
        else:
            self._clock().done.fill_(True)
        if isinstance(self.replay_buffer, SegmentedReplayBuffer):
            self.replay_buffer.segment = self._masks_to_keep
        return super()._setup_learn(*args, **kwargs)

    def _check_order(self) -> None:
        if self.teacher.follows and not isinstance(self.replay_buffer, SegmentedReplayBuffer):
            raise ValueError(
                f"segmenter={self.segmenter!r} follows the picture from frame to frame, and "
                "updates that segment what they sampled get frames in no order. Keep masks in the "
                "replay buffer:  segment_in_updates=False  , and no replay_buffer_class; or take a "
                "segmenter that judges each frame for itself:  segmenter='superpixel'"
            )

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

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        modules, tensors = super()._get_torch_save_params()
        return [*modules, "sampler_optimizer", "student_optimizer"], tensors

    def _excluded_save_params(self) -> list[str]:
        own = ["teacher", "sampler_optimizer", "student_optimizer"]
        return [*super()._excluded_save_params(), *own]


def _bytes(frames: Tensor) -> Frames:
    """Return frames `(B, f, 3, H, W)`, 0-255, as `(B, f, H, W, 3)` uint8."""
    return frames_of(frames.flatten(1, 2).byte().cpu().numpy())


def masked(frames: Tensor, masks: Tensor) -> Tensor:
    """Multiply frames `(B, f, 3, H, W)` by masks `(B * f, 1, H, W)`: `(B, 3f, H, W)`."""
    batch, stack, _, height, width = frames.shape
    return (frames * masks.view(batch, stack, 1, height, width)).flatten(1, 2)


@contextmanager
def training(module: nn.Module, on: bool = True) -> Iterator[None]:
    """Let a module's batch norm use the batch's statistics, and noise be drawn, for once."""
    module.train(on)
    try:
        yield
    finally:
        module.eval()
