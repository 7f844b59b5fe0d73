"""MaDi's task on the arm of a lab."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium.wrappers import TimeLimit

from distraction_gym.envs.ur5 import task as rules
from distraction_gym.envs.ur5.kinematics import arm_named
from distraction_gym.envs.ur5_real import dashboard
from distraction_gym.envs.ur5_real.arm import ArmProcess
from distraction_gym.envs.ur5_real.camera import Camera, reduced
from distraction_gym.envs.ur5_real.faults import FAULTS, ArmFault
from distraction_gym.envs.ur5_real.lab import Lab, allow
from distraction_gym.envs.ur5_real.pace import Pace
from distraction_gym.envs.ur5_real.safety import Refused
from distraction_gym.envs.ur5_real.screen import tell
from distraction_gym.envs.ur5_real.worker import ARRIVED, Settings, State
from distraction_gym.registry import unknown
from distraction_gym.seeding import stream
from distraction_gym.typing import Frame
from distraction_gym.wrappers import ActionRepeat, AddProprioception, StackFrames

REWARDS = {"dense": rules.dense_reward, "sparse": rules.sparse_reward}
MOST_RECOVERIES = 3
"""How often `auto_recover` starts again in an environment's life."""
_RESET_SECONDS = 60.0
_MIDDLE = (rules.SHAPE[1] / 2, rules.SHAPE[0] / 2)
_LOOK = 0.02  # seconds between two looks at an arm on its way


class UR5RealEnv(gym.Env):
    """The arm before a real screen: actions are joint speeds, observations the camera's pictures.

    A fault ends the episode as a truncation; `info["fault"]` names it (see `faults.FAULTS`). The
    next `reset` raises it, until `recover` was called. Endless: the time limit is a wrapper's.

    `info`: `success` and `is_success` as in simulation; `overridden`: the task's limits have
    changed the action; `control_period`, `jitter`, `camera_age` in seconds, `missed_deadlines` (see
    `Pace`); `safety`: how many commands `Safety` clipped, blocked, refused, and how often the arm
    was braked because this process was silent. From `reset` also `target`: where the disc is to be
    shown, on a screen of 160 x 90 from its lower left corner.

    Args:
        settings: Address, arm, limits.
        lab: Limits, and where episodes begin.
        camera: A camera's number, a URL or a video file.
        image_size: Height and width of the observation.
        reward: `"dense"` or `"sparse"`.
        distracted: Whether a pixel with any green is no target.
        auto_recover: Recover by itself from what needs no person.
        screen: Where the screen is told of each episode's disc, `"http://host:port"`.
        start: Starts what drives the arm.

    Raises:
        ArmFault: where the arm cannot be driven.
        CameraError: where the camera shows nothing.
        ScreenError: where the screen does not answer.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012 (Gymnasium's)

    def __init__(
        self,
        settings: Settings,
        lab: Lab,
        camera: int | str = 0,
        image_size: tuple[int, int] = (84, 84),
        reward: str = "dense",
        distracted: bool = False,
        auto_recover: bool = False,
        render_mode: str | None = None,
        screen: str | None = None,
        start: Callable[[Settings], ArmProcess] = ArmProcess,
    ) -> None:
        if reward not in REWARDS:
            raise unknown("reward", reward, REWARDS)
        self.render_mode = render_mode
        self._settings, self._lab, self._size = settings, lab, image_size
        self._pay, self._auto_recover, self._start = REWARDS[reward], auto_recover, start
        self._screen = screen
        self._highest = rules.HIGHEST_DISTRACTED if distracted else rules.HIGHEST
        self._guard = rules.Guard(arm_named(settings.robot), lab.task)
        self._pace = Pace(rules.CONTROL_STEP)
        self._action = np.zeros(rules.MOVED, np.float32)
        self._fault: ArmFault | None = None
        self._recoveries, self._succeeded, self._overridden = 0, False, False
        self._timing: dict[str, float] = {}
        self.action_space = gym.spaces.Box(-1.0, 1.0, (rules.MOVED,), np.float32)
        self.observation_space = gym.spaces.Box(0, 255, (*image_size, 3), np.uint8)
        self._show(_MIDDLE)  # it answers, or nothing moves
        self._camera = Camera(camera)
        try:
            self._arm = start(settings)
            self._state: State = self._arm.read()
        except BaseException:
            self._camera.close()
            raise

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Frame, dict[str, Any]]:
        """Move slowly to where episodes begin, and have the disc shown.

        Raises:
            ArmFault: if the arm cannot go there, or a fault stands that needs a person.
            ScreenError: if the screen does not answer; the arm stands where episodes begin.
        """
        super().reset(seed=seed)
        if seed is not None:
            self.np_random = stream(seed, "physics")
        if self._fault is not None:
            self._recover_alone(self._fault)
        target = rules.draw_target(self.np_random)
        try:
            self._go_to_start()
            self._show(target)
            frame, age = self._look_anew()
        except ArmFault as fault:
            self._give_up(fault)
            raise
        self._action = np.zeros(rules.MOVED, np.float32)
        self._succeeded = False
        self._pace.restart()
        self._overridden = False
        self._timing = {}
        info = {"target": target}
        return self._observation(frame), {**info, **self._judged(frame), **self._told(age)}

    def step(
        self, action: npt.NDArray[np.float32]
    ) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """Ask for joint speeds, and look again at the end of the control step.

        Raises:
            ValueError: unless the action is five finite numbers; the arm brakes.
            ArmFault: after a fault, before the next `reset`.
        """
        if self._fault is not None:
            raise self._fault
        fault: dict[str, Any] = {}
        try:
            self._drive(action)
            self._pace.wait()
            frame, age = self._look()
        except ArmFault as error:
            self._give_up(error)
            frame, age = self._newest()
            fault = {"fault": error.name, "fault_detail": error.detail}
        reward = self._pay(self._mask(frame))
        info = {**self._judged(frame), **self._told(age), **fault}
        return self._observation(frame), reward, False, bool(fault), info

    def recover(self) -> None:
        """Start again after a fault, once a person has seen to it. Nothing is unlocked.

        Raises:
            ArmFault: where the arm still cannot be driven.
        """
        self._arm.close()
        self._arm = self._start(self._settings)
        self._state = self._arm.read()
        self._fault = None

    def proprioception(self) -> npt.NDArray[np.float32]:
        """Return what the arm feels, `(15,)` (see `task.proprioception`)."""
        reading = self._state.reading
        return rules.proprioception(reading.q, reading.speed, self._action, self._lab.task)

    def render(self) -> Frame | None:
        """Return the camera's newest picture at the observation's size."""
        if self.render_mode is None:
            return None
        return self._observation(self._newest()[0])

    def close(self) -> None:
        """Stop the arm and let go of the camera."""
        self._arm.close()
        self._camera.close()

    def _drive(self, action: npt.NDArray[np.float32]) -> None:
        reading = self._state.reading
        try:
            wanted = rules.wanted_speeds(action, self._lab.task)
        except ValueError:
            self._arm.drive(np.zeros(6))
            raise
        allowed = self._guard.allowed(reading.target_q, reading.target_speed, wanted)
        self._action = np.clip(action, -1.0, 1.0)
        self._overridden = bool((allowed != wanted).any())
        self._arm.drive(allowed)
        self._timing = self._pace.begin()

    def _look(self) -> tuple[Frame, float]:
        """Read the arm's state; return the camera's picture and its age."""
        self._state = self._arm.read()
        frame, age = self._newest()
        if age > 2 * self._settings.stale_after:  # it is slower, and has no clock of its own
            raise ArmFault("stale_camera", f"for {age:.2f} s")
        return frame, age

    def _look_anew(self) -> tuple[Frame, float]:
        """Wait for a picture taken from now on, of the standing arm and the new disc."""
        since = time.monotonic()
        while True:
            frame, age = self._look()
            if age < time.monotonic() - since:
                return frame, age
            time.sleep(_LOOK)

    def _show(self, target: tuple[float, float]) -> None:
        if self._screen is not None:
            tell(self._screen, *target)

    def _newest(self) -> tuple[Frame, float]:
        """Return the camera's picture, `(90, 160, 3)`, and its age."""
        frame, age = self._camera.newest()
        return reduced(frame), age

    def _go_to_start(self) -> None:
        goal = np.array(self._lab.reset_pose)
        self._state = self._go(goal)
        give_up = time.monotonic() + _RESET_SECONDS
        while self._is_away(goal) and not self._settings.dry_run:
            if time.monotonic() > give_up:
                off = float(np.abs(self._state.reading.q - goal).max())
                raise ArmFault("not_arrived", f"{off:.3f} rad off after {_RESET_SECONDS:g} s")
            time.sleep(_LOOK)
            # It pauses where this process was silent for too long.
            self._state = self._arm.read() if self._state.moving else self._go(goal)

    def _go(self, goal: npt.NDArray[np.float64]) -> State:
        try:
            return self._arm.go(goal)
        except Refused as error:
            raise ArmFault("outside_limits", str(error)) from error

    def _is_away(self, goal: npt.NDArray[np.float64]) -> bool:
        return self._state.moving or bool(np.abs(self._state.reading.q - goal).max() > ARRIVED)

    def _recover_alone(self, fault: ArmFault) -> None:
        if not (self._auto_recover and FAULTS[fault.name].recovers):
            raise fault
        if self._recoveries == MOST_RECOVERIES:
            raise ArmFault(fault.name, f"again, after {MOST_RECOVERIES} recoveries")
        self._recoveries += 1
        if fault.name == "protective_stop":
            dashboard.unlock_protective_stop(self._settings.host)
        self.recover()

    def _give_up(self, fault: ArmFault) -> None:
        """Stop the arm, whatever it can still be told."""
        self._fault = fault
        self._arm.close()

    def _observation(self, frame: Frame) -> Frame:
        return rules.resized(frame, self._size)

    def _mask(self, frame: Frame) -> rules.Mask:
        return rules.target_mask(frame, self._highest)

    def _judged(self, frame: Frame) -> dict[str, Any]:
        success = bool(rules.sparse_reward(self._mask(frame)))
        self._succeeded = self._succeeded or success
        return {"success": success, "is_success": self._succeeded}

    def _told(self, age: float) -> dict[str, Any]:
        measured = {**self._timing, "camera_age": age}
        return {"overridden": self._overridden, **measured, "safety": dict(self._state.counts)}


def make(
    task: str = "reach",
    mode: str = "lab",
    *,
    robot_ip: str | None = None,
    camera: int | str = 0,
    dry_run: bool = False,
    auto_recover: bool = False,
    limits: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    unattended: bool = False,
    robot: str = "ur5e",
    image_size: int | Sequence[int] = 84,
    frame_stack: int = 3,
    action_repeat: int | None = None,
    reward: str = "dense",
    distracted: bool = False,
    proprioception: bool = False,
    assets: str = "auto",
    render_mode: str | None = "rgb_array",
    screen: str | None = None,
    stale_after: float = 0.1,
    log: str | None = None,
) -> gym.Env:
    """Build the environment of a real arm; observations are uint8 `(3 * frame_stack, H, W)`.

    Spaces, reward and episodes are those of `distraction_gym/ur5-reach-*`. The controller's own
    safety configuration is what protects people; read the suite's README first.

    Args:
        task: `"reach"`.
        mode: `"lab"`: whatever the lab's screen shows.
        robot_ip: The controller's address. There is no default.
        camera: A camera's number, a URL or a video file.
        dry_run: Read the arm and print commands instead of sending them.
        auto_recover: Start again by itself after what needs no person (see `faults.FAULTS`), a
            protective stop included; three times at most. Never after an emergency stop.
        limits: A JSON file, or what it would hold (see `Lab.read`).
        unattended: Ask nobody before a real arm moves.
        robot: `"ur5e"`, or `"ur5"` for the CB3 arm.
        image_size: Height and width in pixels, or one number for both.
        frame_stack: Frames per observation, oldest first.
        action_repeat: Control steps of 0.04 s per agent step; None is 1.
        reward: `"dense"`, or `"sparse"`: 1 where the disc is large.
        distracted: Whether something else than the disc plays on the screen: then pixels with any
            green are no target.
        proprioception: Return `{"image": ..., "proprio": ...}`.
        assets: Not looked at.
        render_mode: `"rgb_array"` or None.
        screen: Where the screen is told of each episode's disc, `"http://host:port"`: of
            `distraction-gym ur5 screen`, or of the simulated camera. None: nobody is told.
        stale_after: Seconds of silence between controller and this machine, either way, after which
            the arm stops; or after twice as long without a picture.
        log: A file to which commands and events are added, a line of JSON each.

    Raises:
        NotAllowed: without an address, without anybody's consent, or for wrong limits.
        ArmFault: where the arm cannot be driven; without ur-rtde, with what to type.
        CameraError: where the camera shows nothing.
        ScreenError: where the screen does not answer.
    """
    for kind, name, known in (("task", task, "reach"), ("mode", mode, "lab")):
        if name != known:
            raise unknown(f"{kind} of suite 'ur5_real'", name, (known,))
    lab = Lab.read(limits)
    host = allow(robot_ip, lab, unattended or dry_run)
    settings = Settings(host, robot, lab.safety, dry_run, stale_after=stale_after, log=log)
    height, width = (image_size,) * 2 if isinstance(image_size, int) else image_size
    size = (height, width)
    env: gym.Env = UR5RealEnv(
        settings, lab, camera, size, reward, distracted, auto_recover, render_mode, screen
    )
    repeat = 1 if action_repeat is None else action_repeat
    env = StackFrames(ActionRepeat(env, repeat), frame_stack)
    if proprioception:
        env = AddProprioception(env)
    return TimeLimit(env, math.ceil(rules.EPISODE / repeat))
