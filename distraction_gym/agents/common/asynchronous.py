"""Learning in a thread beside the loop that acts: an arm does not wait for updates.

SenseAct's and ReLoD's arrangement (MaDi's robot experiment) in one process. The loop acts with a
copy of the networks as the last finished update left them, and never waits for an update.
"""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.logger import Logger
from torch import Tensor

from distraction_gym.agents.common.descent import diverged
from distraction_gym.errors import TrainingDiverged

if TYPE_CHECKING:
    from typing_extensions import Self


class Learner:
    """Makes a model's updates in a thread, from entering the context to leaving it.

    Meanwhile `model.train` only says how many updates may be made. What is left of them at the end
    is dropped: a learner that is too slow makes fewer.

    Args:
        model: A `VisualSAC`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.log = Logger(None, [])
        self.replay = threading.Lock()
        """Held while the replay buffer is written or read."""
        self._weights = threading.Lock()  # of the copy that acts
        self._changed = threading.Condition()  # guards the four that follow
        self._owed, self._pauses, self._busy, self._ending = 0, 0, False, False
        self._batch_size = model.batch_size
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="learner", daemon=True)
        self._actor = _twin(model)

    def __enter__(self) -> Self:
        self._train, self._model.train = self._model.train, self.grant
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()
        del self._model.train
        self._hand_on()
        if error is None:  # the last updates may have failed after the last step
            self._tell_failure()

    @property
    def is_here(self) -> bool:
        """Whether the learner's own thread asks."""
        return threading.current_thread() is self._thread

    def grant(self, gradient_steps: int, batch_size: int = 64) -> None:
        """Allow further updates, and hand on what the learner has logged.

        Raises:
            TrainingDiverged: if the learner's training has; as `train` does.
            Exception: anything else that ended the learner.
        """
        self._tell_failure()
        with self._changed:
            if self._model._n_updates == 0 and self._owed == 0:
                gradient_steps += self._model.missed_updates
            self._owed += gradient_steps
            self._batch_size = batch_size
            self._changed.notify_all()
        self._hand_on()
        self._model.logger.record("train/updates_behind", self._owed)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Act as the model does, with the weights of the last finished update."""
        self._actor.num_timesteps = self._model.num_timesteps  # masks may depend on it (TRMS)
        with self._weights:
            return self._actor.policy.predict(*args, **kwargs)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Wait for the end of the update that is being made, and begin no other meanwhile."""
        with self._changed:
            self._pauses += 1
            self._changed.wait_for(lambda: not self._busy)
        try:
            yield
        finally:
            with self._changed:
                self._pauses -= 1
                self._changed.notify_all()

    def _work(self) -> None:
        # At the loop's own priority: a lower one would be held up while it holds Python's lock.
        while self._next():
            try:
                self._train(1, self._batch_size)
                self._lend()
            except Exception as error:
                self._failure = error
                self._ending = True
            finally:
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _next(self) -> bool:
        """Wait until an update may be made; False: no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ending or (self._owed and not self._pauses))
            if self._ending:
                return False
            self._owed -= 1
            self._busy = True
            return True

    def _lend(self) -> None:
        """Give the copy that acts the weights of now."""
        with self._weights, torch.no_grad():
            torch._foreach_copy_(_tensors(self._actor), _tensors(self._model))

    def _tell_failure(self) -> None:
        if isinstance(self._failure, TrainingDiverged):
            raise diverged(self._model, self._failure) from None
        if self._failure is not None:
            raise self._failure

    def _hand_on(self) -> None:
        """Log for the learner, from the loop's thread: the logger is written out there."""
        full, self.log = self.log, Logger(None, [])
        for name, value in full.name_to_value.items():
            self._model.logger.record(name, value, full.name_to_excluded[name])


class AsynchronousMixin:
    """The option of an agent to learn in a thread beside the loop; put it before SB3's class.

    For environments that run in real time. Runs cannot be repeated: the clock decides which weights
    an action comes from. Checkpoints wait for the end of an update.

    Args:
        *args: As the algorithm.
        asynchronous: Whether `learn` makes its updates in a thread, at most
            `gradient_steps / train_freq` per step and as many fewer as it is too slow.
        **kwargs: As the algorithm.
    """

    _learner: Learner | None = None

    def __init__(self, *args: Any, asynchronous: bool = False, **kwargs: Any) -> None:
        self.asynchronous = asynchronous
        super().__init__(*args, **kwargs)

    def learn(self, *args: Any, **kwargs: Any) -> Any:
        """Learn as Stable-Baselines3 does (see `asynchronous`)."""
        if not self.asynchronous:
            return super().learn(*args, **kwargs)  # type: ignore[misc]
        self._learner = Learner(self)
        try:
            with self._learner:
                return super().learn(*args, **kwargs)  # type: ignore[misc]
        finally:
            self._learner = None

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Act as Stable-Baselines3 does; while a thread learns, with its last finished weights."""
        if self._learner is None:
            return super().predict(*args, **kwargs)  # type: ignore[misc]
        return self._learner.predict(*args, **kwargs)

    @property
    def logger(self) -> Logger:
        """Stable-Baselines3's logger; one of its own for the thread that learns."""
        if self._learner is not None and self._learner.is_here:
            return self._learner.log
        return super().logger  # type: ignore[misc,no-any-return]

    def between_updates(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which no update is being made, for whoever reads all weights."""
        return contextlib.nullcontext() if self._learner is None else self._learner.resting()

    def _alone_with_replay(self) -> contextlib.AbstractContextManager[Any]:
        return contextlib.nullcontext() if self._learner is None else self._learner.replay


def _twin(model: Any) -> Any:
    """Return a model that shares everything with another but what acting needs."""
    twin = copy.copy(model)
    hook, model.policy.input_hook = model.policy.input_hook, None  # it is a method of the model
    # What was drawn last stays in a distribution, with its graph, which cannot be copied.
    parts = [part.action_dist for part in model.policy.modules() if hasattr(part, "action_dist")]
    memo = {id(part): copy.copy(part) for part in parts}
    twin.policy, twin.extras = copy.deepcopy((model.policy, model.extras), memo)
    model.policy.input_hook = hook
    twin.policy.input_hook = twin.encode_inputs
    return twin


def _tensors(model: Any) -> list[Tensor]:
    networks = (model.policy, model.extras)
    return [t for network in networks for t in (*network.parameters(), *network.buffers())]
