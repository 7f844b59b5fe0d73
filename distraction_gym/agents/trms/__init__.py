"""TRMS: task-relevant mask sampling (Dave, Özdenizci, Rückert; TMLR 2025)."""

from __future__ import annotations

from typing import Any, ClassVar

from stable_baselines3.common.policies import BasePolicy, ContinuousCritic
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

from distraction_gym.agents.common.ddpg_policy import VisualDDPGPolicy
from distraction_gym.agents.common.policy import VisualSACPolicy
from distraction_gym.agents.common.visual_ddpg import VisualDDPG
from distraction_gym.agents.common.visual_sac import VisualSAC
from distraction_gym.agents.trms.encoder import TRMSEncoder
from distraction_gym.agents.trms.teaching import TaskRelevantMasks

__all__ = ["TRMS", "TRMSSAC", "TRMSEncoder", "TaskRelevantMasks"]


class TRMSPolicy(VisualDDPGPolicy):
    """The paper's networks: a truncated normal of scheduled width, a target with its own trunk."""

    _PAPERS: ClassVar[dict[str, Any]] = {
        **VisualDDPGPolicy._PAPERS,
        "features_extractor_class": TRMSEncoder,
    }

    def make_target(self) -> ContinuousCritic:
        """Build the target with a trunk that follows, unlike DrQ-v2's."""
        trunk: BaseFeaturesExtractor | None = None
        return self.make_critic(trunk)


class TRMSSACPolicy(VisualSACPolicy):
    """The same trunk before SAC's tanh-Gaussian."""

    _PAPERS: ClassVar[dict[str, Any]] = {
        **VisualSACPolicy._PAPERS,
        "features_extractor_class": TRMSEncoder,
    }


class TRMS(TaskRelevantMasks, VisualDDPG):
    """TRMS with the actor of the paper's appendix C: a truncated normal whose width is scheduled.

    Args:
        *args: As `TaskRelevantMasks` and `VisualDDPG`.
        train_freq: Agent steps from one update to the next.
        target_update_interval: Updates from one target update to the next.
        encoder_tau: Rate at which the target's trunk and projection follow.
        policy_kwargs: As `VisualDDPGPolicy`; heads read 256 numbers (`projection_dim`).
        **kwargs: As `TaskRelevantMasks` and `VisualDDPG`.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": TRMSPolicy}

    def __init__(
        self,
        *args: Any,
        train_freq: int = 1,
        target_update_interval: int = 2,
        encoder_tau: float = 0.05,
        policy_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args,
            train_freq=train_freq,
            target_update_interval=target_update_interval,
            encoder_tau=encoder_tau,
            policy_kwargs={"projection_dim": 256, **(policy_kwargs or {})},
            **kwargs,
        )

    def _update_target(self) -> None:
        VisualSAC._update_target(self)  # past DrQ-v2's, whose target shares the trunk


class TRMSSAC(TaskRelevantMasks):
    """TRMS with the actor of the paper's text: SAC, to compare with agents that are SAC too.

    Args:
        *args: As `TaskRelevantMasks`.
        actor_update_interval: Updates of the critic from one of the actor to the next.
        catch_up_updates: Updates made at once when learning starts.
        ent_coef_beta1: Adam's first beta for the entropy coefficient.
        policy_kwargs: As `VisualSACPolicy`; heads read 256 numbers (`projection_dim`).
        **kwargs: As `TaskRelevantMasks`.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"CnnPolicy": TRMSSACPolicy}

    def __init__(
        self,
        *args: Any,
        actor_update_interval: int = 1,
        catch_up_updates: int = 0,
        ent_coef_beta1: float = 0.9,
        policy_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args,
            actor_update_interval=actor_update_interval,
            catch_up_updates=catch_up_updates,
            ent_coef_beta1=ent_coef_beta1,
            policy_kwargs={"projection_dim": 256, **(policy_kwargs or {})},
            **kwargs,
        )
