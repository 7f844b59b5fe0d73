"""What TRMS changes over its learner: which masks each branch wears, and what they learn from."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from stable_baselines3.common.logger import Image
from torch import Tensor

from distraction_gym.agents.common.descent import descend
from distraction_gym.agents.common.strong import StrongAugmentation
from distraction_gym.agents.common.visual_sac import Batch
from distraction_gym.agents.trms.clock import agreement
from distraction_gym.agents.trms.masks import TeacherAndStudent, masked, training
from distraction_gym.agents.trms.sampler import Choice
from distraction_gym.registry import unknown

PANEL_ROWS = 4
STUDENT_AFTER = ("rl", "frozen")


class Views(NamedTuple):
    """One time step's pictures as both branches see them, `(B, 3f, H, W)`, 0-255."""

    raw: Tensor
    augmented: Tensor
    losses: dict[str, Tensor]
    """What else this look at them gave to learn from: the student's loss, while it is taught."""


class TaskRelevantMasks(StrongAugmentation, TeacherAndStudent):
    """A learner that sees frames through masks; first a teacher's, then a student's.

    While it teaches, a segmenter splits each raw frame into binary masks, a sampler that the
    critic's loss trains takes those that the task needs, and a student learns to predict their
    union from the augmented frame. Then segmenter and sampler are dropped, and the critic's loss
    trains the student. `predict` and `explain` only ever ask the student.

    Source: TRMS (TMLR 2025), section 4 and algorithm 1; what the paper leaves open is in the
    README.

    Args:
        policy: `"CnnPolicy"`.
        env: As `VisualSAC`.
        learning_rate: Adam's rate for actor, critic and trunk.
        buffer_size: Transitions in the replay buffer.
        learning_starts: Random steps before learning.
        batch_size: Transitions of an update once teaching is over.
        teach_batch: Transitions of an update while it teaches.
        student_after: What trains the student after teaching: `"rl"`, the critic's loss, or
            nothing, `"frozen"`.
        own_target: Let the augmented branch have a target from augmented next observations;
            False gives both that of the raw branch, as in SVEA.
        panel_interval: Updates from one picture of masks in the logger to the next, while it
            teaches; 0 for none.
        ent_coef_lr: Adam's rate for the entropy coefficient, where there is one.
        **kwargs: As `StrongAugmentation` and `TeacherAndStudent` (`segmenter`, `k`, ...).

    Raises:
        UnknownName: for a `student_after` that does not exist.
    """

    def __init__(
        self,
        policy: Any,
        env: Any,
        learning_rate: float = 1e-4,
        buffer_size: int = 150_000,
        learning_starts: int = 2000,
        batch_size: int = 256,
        *,
        teach_batch: int = 8,
        student_after: str = "rl",
        own_target: bool = True,
        panel_interval: int = 1000,
        ent_coef_lr: float = 1e-4,
        **kwargs: Any,
    ) -> None:
        if student_after not in STUDENT_AFTER:
            raise unknown("way for the student to go on", student_after, STUDENT_AFTER)
        self.teach_batch, self.student_after = teach_batch, student_after
        self.own_target, self.panel_interval = own_target, panel_interval
        super().__init__(
            policy,
            env,
            learning_rate,
            buffer_size,
            learning_starts,
            batch_size,
            ent_coef_lr=ent_coef_lr,
            **kwargs,
        )

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
        with training(self.extras["sampler"]):
            choice = self._choose(frames, planes)
        with training(self.extras["student"]):
            logits = self.extras["student"](augmented.flatten(0, 1))
        self._note(choice, logits.detach())
        taught = choice.mask.detach()
        errors = F.binary_cross_entropy_with_logits(logits, taught, reduction="none")
        known = choice.found.float()
        loss = (errors.mean(dim=(1, 2, 3)) * known).sum() / known.sum().clamp(min=1.0)
        raw, covered = masked(frames, choice.mask), masked(augmented, choice.mask)
        return Views(raw, covered, {"student_loss": loss})

    def _student_views(self, obs: Tensor) -> Views:
        """Let the student mask each branch by itself."""
        frames, _ = self._split(obs)
        augmented = self._augmented(frames)
        both = torch.cat([frames, augmented])
        learns = self.student_after == "rl"
        with training(self.extras["student"], learns), torch.set_grad_enabled(learns):
            masks = self._student(both.flatten(0, 1))
        self.note("mask_area", masks.mean())
        raw, covered = masked(both, masks).chunk(2)
        return Views(raw, covered, {})

    @torch.no_grad()
    def _targets(self, batch: Batch) -> Tensor:
        """Return the targets of the raw and then of the augmented branch, `(2B, 1)`."""
        frames, planes = self._split(batch.next_obs)
        branches = [frames, self._augmented(frames)] if self.own_target else [frames]
        if self.teaching:
            masks = [self._choose(frames, planes).mask] * len(branches)
        else:
            masks = [self._student(branch.flatten(0, 1)) for branch in branches]
        seen = map(masked, branches, masks)
        targets = [self.bootstrap(batch, branch) for branch in seen]
        return torch.cat(targets if self.own_target else targets * 2)

    # Parts.

    def _augmented(self, frames: Tensor) -> Tensor:
        """Augment each observation, its frames alike."""
        return self.augmentation(frames.flatten(1, 2)).view_as(frames)

    def _note(self, choice: Choice, logits: Tensor) -> None:
        """Log what was chosen and how far the student agrees; all or one is how it fails."""
        agreed = agreement(logits.sigmoid(), choice.mask)
        self._clock().observe(agreed)
        self.note("student_iou", agreed)
        self.note("mask_area", choice.mask.mean())
        self.note("masks_taken", choice.taken.sum(dim=1).mean())
        for index, weight in enumerate(choice.weights.mean(dim=0).unbind()):
            self.note(f"mask_weight_{index}", weight)

    # What the loop asks.

    def train(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Update as `VisualSAC` does; while it teaches, with small batches, and log pictures."""
        before, teaches = self._n_updates, self.teaching
        super().train(gradient_steps, self.teach_batch if teaches else batch_size)
        every = self.panel_interval
        if teaches and every and self._n_updates // every > before // every:
            panels = Image(self._panels(self.sample_pictures(PANEL_ROWS)), "HWC")
            self.logger.record("trms/masks", panels, exclude=("stdout", "log", "json", "csv"))
