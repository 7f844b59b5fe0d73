"""Checkpoints: resumed runs are the same runs, and no failure loses the checkpoint before it."""

import json
import os
import pickle
import random
import resource
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import tiny_run
import torch
from gymnasium import spaces
from stable_baselines3 import DQN, SAC, TD3
from stable_baselines3.common.buffers import DictReplayBuffer, ReplayBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)
from stable_baselines3.her.her_replay_buffer import HerReplayBuffer
from test_replay import Stream, assert_same_samples, feed, pair
from tiny_run import Dot, SafeSAC, build, fingerprint

from distraction_gym.agents.common import checkpoint, replay_files
from distraction_gym.agents.common.checkpoint import (
    latest_checkpoint,
    load_checkpoint,
    resume,
    save_checkpoint,
)
from distraction_gym.agents.common.env_state import pickle_env
from distraction_gym.agents.common.replay import FrameReplayBuffer
from distraction_gym.agents.common.resumable import ResumableCheckpoint
from distraction_gym.errors import CheckpointError

torch.set_num_threads(1)


@pytest.fixture
def trained(tmp_path):
    """A model after 60 steps, and the folder of its one checkpoint."""
    model = build().learn(60)
    save_checkpoint(model, tmp_path / "run")
    return model, tmp_path / "run"


@pytest.mark.slow
def test_a_run_killed_at_random_moments_reaches_the_weights_of_an_unbroken_one(tmp_path):
    command = [sys.executable, tiny_run.__file__, str(tmp_path), str(os.urandom(1)[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(set(result["began"])) > 1, result
    assert result["killed"] == result["whole"], result


class Buttons(Dot):
    """The dot, moved by buttons."""

    action_space = spaces.Discrete(3)

    def step(self, action):
        return super().step(np.array([action - 1.0, 0.0]))


CASES = {
    "sac": {},
    "sac, fixed alpha": {"ent_coef": 0.2},
    "two environments": {"n_envs": 2, "gradient_steps": 2},
    "stock buffer": {"replay_buffer_class": ReplayBuffer},
    "episodes": {"train_freq": (1, "episode"), "gradient_steps": 3},
    "td3": {"algorithm": TD3},
    "dqn": {"algorithm": DQN, "env": Buttons},
    "schedule": {"learning_rate": lambda progress: 1e-3 * progress},
}


@pytest.mark.filterwarnings("ignore:not saved with the model")  # the schedules of DQN and TD3
@pytest.mark.parametrize("case", CASES)
def test_resumed_equals_unbroken(case, tmp_path):
    whole = build(**CASES[case])
    whole.learn(120, ResumableCheckpoint(tmp_path, every=50, keep=9))
    first = next(tmp_path.glob("0001-*"))
    again = build(**{**CASES[case], "seed": 99})  # every random state comes from the checkpoint
    resume(again, first)
    assert 50 <= again.num_timesteps < 120
    again.learn(120 - again.num_timesteps, reset_num_timesteps=False)
    assert again.num_timesteps == whole.num_timesteps
    assert again._episode_num == whole._episode_num
    assert [i["r"] for i in again.ep_info_buffer] == [i["r"] for i in whole.ep_info_buffer]
    assert fingerprint(again) == fingerprint(whole)


def test_without_resume_the_run_starts_a_new_episode(trained):
    model, folder = trained
    again = build()
    load_checkpoint(again, folder)
    assert again.num_timesteps == 60 and again._last_obs is None
    assert fingerprint(again) == fingerprint(model)
    again.learn(60, reset_num_timesteps=False)
    first = build().env.reset()
    restarted = build()
    load_checkpoint(restarted, folder)
    assert not np.array_equal(restarted.env.reset(), first), "the run's first episode once more"


class Payload:
    """Pickled code that leaves a file behind."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def test_only_resume_reads_pickled_code(trained, tmp_path):
    _, folder = trained
    mark = tmp_path / "mark"
    (latest_checkpoint(folder) / "env.pkl").write_bytes(pickle.dumps(Payload(mark)))
    load_checkpoint(build(), folder)
    assert not mark.exists()
    session = latest_checkpoint(folder) / "session.pth"
    torch.save({"counters": Payload(mark)}, session)
    with pytest.raises(CheckpointError, match="cannot read"):
        load_checkpoint(build(), folder)
    assert not mark.exists()


def test_the_newest_checkpoint_is_found_and_the_oldest_go(tmp_path):
    model = build()
    assert latest_checkpoint(tmp_path) is None
    model.learn(30)
    made = [save_checkpoint(model, tmp_path, keep=2) for _ in range(11)]  # all at one step
    assert latest_checkpoint(tmp_path) == made[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0010-step-30", "0011-step-30"]


def test_what_a_killed_writer_left_is_ignored_and_swept(trained):
    model, folder = trained
    stood = latest_checkpoint(folder)
    (folder / ".tmp-1-0002-step-70").mkdir()
    (folder / ".old-0000-step-10").mkdir()
    assert latest_checkpoint(folder) == stood
    save_checkpoint(model, folder)
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("limit", [2_000, 20_000, 60_000])
def test_a_full_disk_leaves_the_checkpoint_before_it(trained, limit):
    """A file-size limit makes a write fail half-way, as a full disk does."""
    model, folder = trained
    stood, print_before = latest_checkpoint(folder), fingerprint(model)
    model.learn(10, reset_num_timesteps=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(CheckpointError, match=f"{stood.name} still stands"):
            save_checkpoint(model, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(folder.iterdir()) == [stood]
    again = build()
    resume(again, folder)
    assert fingerprint(again) == print_before


@pytest.mark.parametrize("failing", range(1, 9))
def test_an_error_at_any_file_leaves_the_checkpoint_before_it(trained, failing, monkeypatch):
    model, folder = trained
    stood, calls = latest_checkpoint(folder), [0]
    write = replay_files.write_array

    def full(path, array):
        calls[0] += 1
        if calls[0] == failing:
            raise OSError(28, "No space left on device")
        write(path, array)

    monkeypatch.setattr(replay_files, "write_array", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_checkpoint(model, folder)
    assert list(folder.iterdir()) == [stood]
    save_checkpoint(model, folder)  # there is space again
    again = build()
    resume(again, folder)
    assert fingerprint(again) == fingerprint(model)


def test_a_run_goes_on_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_replay", full)
    with pytest.warns(UserWarning, match="No space left on device.*there is none before it"):
        model = build().learn(40, ResumableCheckpoint(tmp_path, every=25))
    assert model.num_timesteps == 40 and not list(tmp_path.iterdir())


def test_what_could_not_be_written_is_tried_again_in_its_turn(tmp_path, monkeypatch):
    tried = []

    def full(*args):
        tried.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "write_replay", full)
    with pytest.warns(UserWarning, match="No space left"):
        build().learn(60, ResumableCheckpoint(tmp_path, every=20))
    assert len(tried) == 3  # after 20 and 40 steps, and at the end


@pytest.mark.parametrize("kind", [ReplayBuffer, FrameReplayBuffer])
def test_buffers_of_other_sizes(kind, tmp_path):
    """A full one fits its own size alone; what another one holds fits where there is room."""

    def sized(buffer_size):
        return build(buffer_size=buffer_size, replay_buffer_class=kind)

    save_checkpoint(sized(40).learn(50), tmp_path / "full")
    with pytest.raises(CheckpointError, match="holds 40 steps, full, the model's holds 200"):
        load_checkpoint(sized(200), tmp_path / "full")
    held = sized(200).learn(40)
    save_checkpoint(held, tmp_path / "part")
    with pytest.raises(CheckpointError, match="buffer_size"):
        load_checkpoint(sized(30), tmp_path / "part")
    filled = sized(40)
    load_checkpoint(filled, tmp_path / "part")
    assert np.array_equal(filled.replay_buffer.rewards, held.replay_buffer.rewards[:40])
    filled.learn(10, reset_num_timesteps=False)
    assert filled.replay_buffer.size() == 40


def test_the_scale_of_returns_is_kept_where_the_environment_is_not(tmp_path):
    def scaled():
        model = build(env=Unpicklable)
        model.set_env(VecNormalize(DummyVecEnv([Unpicklable]), norm_obs=False))
        return model

    model = scaled().learn(40)
    with pytest.warns(UserWarning, match="starts a new episode"):
        save_checkpoint(model, tmp_path)
    again = scaled()
    resume(again, tmp_path)
    kept, known = (m.get_vec_normalize_env().ret_rms for m in (again, model))
    assert (kept.mean, kept.var, kept.count) == (known.mean, known.var, known.count)
    assert kept.var != 1
    again.learn(20, reset_num_timesteps=False)


class Signals(BaseCallback):
    """Send this process signals, all at step 50."""

    def __init__(self, *numbers: int) -> None:
        super().__init__()
        self.numbers = numbers

    def _on_step(self) -> bool:
        for number in self.numbers if self.num_timesteps == 50 else ():
            signal.raise_signal(number)
        return True


@pytest.fixture
def ctrl_c():
    """Have SIGINT do what it does in a program that a user has started."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_the_run_cleanly(tmp_path, ctrl_c, number):
    before, model = handlers(), build()
    keeper = ResumableCheckpoint(tmp_path, every=1000)
    pressed = pytest.raises(KeyboardInterrupt, match=r"step 50, the checkpoint .*0001-step-50")
    with pressed if number == signal.SIGINT else nullcontext():
        model.learn(120, [Signals(number), keeper])
    assert keeper.stopped and handlers() == before
    assert latest_checkpoint(tmp_path).name == "0001-step-50"
    again, whole = build(), build().learn(120)
    resume(again, tmp_path)
    again.learn(120 - again.num_timesteps, reset_num_timesteps=False)
    assert fingerprint(again) == fingerprint(whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_last_step_is_heard(tmp_path, ctrl_c, number):
    keeper = ResumableCheckpoint(tmp_path)
    pressed = pytest.raises(KeyboardInterrupt, match="step 50")
    with pressed if number == signal.SIGINT else nullcontext():
        build().learn(50, [Signals(number), keeper])
    assert keeper.stopped and [path.name for path in tmp_path.iterdir()] == ["0001-step-50"]


def test_a_second_ctrl_c_does_not_wait(tmp_path, ctrl_c):
    with pytest.raises(KeyboardInterrupt) as stop:
        build().learn(120, [Signals(signal.SIGINT, signal.SIGINT), ResumableCheckpoint(tmp_path)])
    assert not stop.value.args and not list(tmp_path.iterdir())


def test_a_learn_that_an_error_ended_keeps_no_signal(tmp_path, ctrl_c):
    told, keeper = [], ResumableCheckpoint(tmp_path)
    before = signal.signal(signal.SIGTERM, lambda *_: told.append(1))
    try:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                build().learn(99, [Signals(*2 * [signal.SIGINT]), keeper])
        signal.raise_signal(signal.SIGTERM)
        build().learn(9, keeper)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [1, 1]


def test_signals_of_two_kinds_are_one_request(tmp_path, ctrl_c):
    """What Ctrl-C does to `bench run`: a terminal tells the run, and so does its parent."""
    keeper = ResumableCheckpoint(tmp_path)
    build().learn(120, [Signals(signal.SIGINT, signal.SIGTERM), keeper])
    assert keeper.stopped and latest_checkpoint(tmp_path).name == "0001-step-50"


def test_a_background_job_goes_on_ignoring_ctrl_c(tmp_path, ctrl_c):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    model = build().learn(60, [Signals(signal.SIGINT), ResumableCheckpoint(tmp_path)])
    assert model.num_timesteps == 60


def test_the_end_of_training_is_saved_once(tmp_path):
    keeper = ResumableCheckpoint(tmp_path, every=20, keep=9)
    build().learn(50, keeper)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["0001-step-20", "0002-step-40", "0003-step-50"]
    assert not keeper.stopped


def test_another_algorithm_or_version_is_refused(trained):
    _, folder = trained
    with pytest.raises(CheckpointError, match="a run of SafeSAC, expected TD3"):
        resume(build(TD3), folder)
    meta = latest_checkpoint(folder) / "meta.json"
    meta.write_text(json.dumps({**json.loads(meta.read_text()), "format": 7, "package": "9.1"}))
    with pytest.raises(
        CheckpointError, match=r"format 7 .*expected format 1.*distraction-gym==9.1"
    ):
        resume(build(), folder)


def test_settings_that_do_not_fit_are_refused(trained):
    _, folder = trained
    with pytest.raises(CheckpointError, match="does not fit the model"):
        resume(build(policy_kwargs={"net_arch": [8]}), folder)
    with pytest.raises(CheckpointError, match="n_envs"):
        resume(build(n_envs=2), folder)
    with pytest.raises(CheckpointError, match="buffer_size"):
        resume(build(buffer_size=50), folder)


def test_missing_and_damaged_files_are_named(trained, tmp_path):
    _, folder = trained
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        resume(build(), tmp_path / "elsewhere")
    latest = latest_checkpoint(folder)
    for name in ("session.pth", "replay/actions.npy", "env.pkl", "model.zip"):
        whole = (latest / name).read_bytes()
        (latest / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(CheckpointError, match=latest.name):
            resume(build(), folder)
        (latest / name).write_bytes(whole)
    (latest / "replay/rewards.npy").unlink()
    with pytest.raises(CheckpointError, match=r"rewards"):
        resume(build(), folder)


@pytest.mark.parametrize("n_envs", [1, 2])
@pytest.mark.parametrize("start", ["repeat", "random"])
def test_frames_on_disk_follow_the_ring(n_envs, start, tmp_path, monkeypatch):
    """Write again and again, unchanged parts as links, and read each into a fresh buffer."""
    monkeypatch.setattr(replay_files, "PART_BYTES", 5 * 48 * n_envs)  # five slots a file
    ours, slow = pair(60, n_envs, 3)
    streams = [Stream(i, 3, 3, start) for i in range(n_envs)]
    rng, links = np.random.default_rng(1), 0
    for turn in range(25):
        feed([ours, slow], streams, int(rng.integers(0, 30)))
        folder = tmp_path / str(turn)
        replay_files.write_replay(ours, folder)
        replay_files.settle(ours, folder)
        links += sum(path.stat().st_nlink > 1 for path in folder.iterdir())
        copy, _ = pair(60, n_envs, 3)
        replay_files.read_replay(copy, folder)
        if ours.size():
            assert_same_samples(copy, slow)
        if turn % 4 == 3:  # go on with the one that was read
            ours = copy
            replay_files.settle(ours, folder)
        if turn % 10 == 9:
            ours.saved_in = (tmp_path / "gone", ours.count)
    assert links > 50


def test_dictionary_observations_and_her(tmp_path):
    space = spaces.Dict({"a": spaces.Box(0, 1, (2,)), "b": spaces.Box(0, 1, (3,))})
    action = spaces.Box(-1, 1, (1,))
    buffers = [DictReplayBuffer(5, space, action, "cpu") for _ in range(2)]
    for _ in range(7):
        obs = {key: part.sample()[None] for key, part in space.items()}
        buffers[0].add(obs, obs, np.ones((1, 1)), np.ones(1), np.zeros(1), [{}])
    replay_files.write_replay(buffers[0], tmp_path / "replay")
    replay_files.read_replay(buffers[1], tmp_path / "replay")
    for key in space:
        assert np.array_equal(buffers[1].observations[key], buffers[0].observations[key])
    assert buffers[1].pos == 2 and buffers[1].full
    with pytest.raises(TypeError, match="save_replay_buffer"):
        replay_files.write_replay(HerReplayBuffer.__new__(HerReplayBuffer), tmp_path / "her")


WRAPPINGS = {
    "plain": lambda env: env,
    "monitor": VecMonitor,
    "frame stack": lambda env: VecFrameStack(env, 2, channels_order="first"),
    "normalised": lambda env: VecMonitor(VecNormalize(env, norm_obs=False)),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_an_environment_goes_on_from_its_bytes(wrapping):
    env = WRAPPINGS[wrapping](DummyVecEnv([Dot, Dot]))
    env.seed(5)
    env.reset()
    actions = np.random.default_rng(0).uniform(-1, 1, (40, 2, 2)).astype(np.float32)
    for action in actions[:15]:
        env.step(action)
    copy = pickle.loads(pickle_env(env))
    steps = []
    for each in (env, copy):
        random.seed(0)
        np.random.seed(0)
        steps.append([each.step(action)[:3] for action in actions[15:]])
    for one, other in zip(*steps, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert copy.num_envs == 2 and copy.get_attr("place")[0].shape == (2,)


class Forgetful(Dot, gym.utils.EzPickle):
    """An environment that pickles its arguments only."""

    def __init__(self) -> None:
        gym.utils.EzPickle.__init__(self)


class Unpicklable(Dot):
    """An environment that holds what cannot be pickled."""

    def __init__(self) -> None:
        self.generator = (i for i in "a")


@pytest.mark.parametrize("kind", [Forgetful, Unpicklable])
def test_an_environment_without_bytes_restarts_its_episode(kind, tmp_path):
    model = build(env=kind).learn(40)
    with pytest.warns(UserWarning, match="starts a new episode"):
        save_checkpoint(model, tmp_path)
    again = build(env=kind)
    resume(again, tmp_path)
    assert again._last_obs is None and again.num_timesteps == 40
    again.learn(30, reset_num_timesteps=False)


def test_environments_in_processes_restart_their_episodes():
    env = SubprocVecEnv([Dot], start_method="fork")
    try:
        with pytest.warns(UserWarning, match="starts a new episode"):
            assert pickle_env(env) is None
    finally:
        env.close()


def test_a_checkpoint_holds_a_model_file(trained):
    model, folder = trained
    loaded = SafeSAC.load(latest_checkpoint(folder) / "model.zip", device="cpu")
    obs = model.observation_space.sample()
    assert np.array_equal(
        loaded.predict(obs, deterministic=True)[0], model.predict(obs, deterministic=True)[0]
    )
    assert isinstance(model, SAC)
