"""Vector environments: distractions around them, and inside them."""

import functools

import gymnasium as gym
import numpy as np
import pytest
from counting_env import Counting, Footage, keep_upper_half
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from distraction_gym import env_id
from distraction_gym.errors import UnsupportedEnvironment
from distraction_gym.wrappers import DistractionVectorWrapper, DistractionWrapper
from distraction_gym.wrappers import vector as module

LENGTHS = (2, 3, 100)
VIDEO = [{"kind": "video", "pack": "video_hard", "assets": "generated"}, {"kind": "noise"}]


@pytest.fixture
def footage(monkeypatch):
    made = []

    def build(mode, *, assets):
        made.append(Footage())
        return [made[-1]]

    monkeypatch.setattr(module, "build", build)
    return made


def bare(autoreset=AutoresetMode.NEXT_STEP, lengths=LENGTHS, channels_first=False):
    makers = [functools.partial(Counting, channels_first, length) for length in lengths]
    return SyncVectorEnv(makers, autoreset_mode=autoreset)


def wrap(autoreset=AutoresetMode.NEXT_STEP, **kwargs):
    return DistractionVectorWrapper(bare(autoreset, **kwargs), "any", foreground=keep_upper_half)


def act(envs):
    return envs.step(np.zeros((envs.num_envs, 1), np.float32))


def foregrounds(obs):
    return obs[:, 0, 0, 0].tolist()


def backgrounds(obs):
    return obs[:, -1, 0, 0].tolist()


def starts(footage):
    return [each.start for each in footage]


def test_every_environment_has_distractions_of_its_own(footage):
    envs = wrap()
    obs, infos = envs.reset(seed=3)
    assert envs.observation_space == bare().observation_space and envs.observation_space.contains(
        obs
    )
    assert backgrounds(obs) == starts(footage) and len(set(starts(footage))) == 3
    assert [drawn[0]["start"] for drawn in infos["distraction"]] == starts(footage)
    assert infos["_distraction"].all()
    obs, *_ = act(envs)
    assert foregrounds(obs) == [1, 1, 1]
    assert backgrounds(obs) == [start + 1 for start in starts(footage)]


def test_next_step_draws_anew_one_step_after_the_end(footage):
    envs = wrap(AutoresetMode.NEXT_STEP)
    envs.reset(seed=0)
    before = starts(footage)
    act(envs)
    obs, _, ended, _, infos = act(envs)  # the first environment's last picture
    assert ended.tolist() == [True, False, False] and starts(footage) == before
    assert backgrounds(obs) == [start + 2 for start in before]
    obs, _, ended, _, infos = act(envs)  # its new episode; the second one's last picture
    assert ended.tolist() == [False, True, False] and foregrounds(obs) == [0, 3, 3]
    assert footage[0].start != before[0] and starts(footage)[1:] == before[1:]
    assert backgrounds(obs) == [footage[0].start, before[1] + 3, before[2] + 3]
    assert infos["distraction"][0][0]["start"] == footage[0].start
    obs, *_ = act(envs)
    assert backgrounds(obs)[:2] == [footage[0].start + 1, footage[1].start]


def test_same_step_shows_the_last_picture_beneath_the_old_distractions(footage):
    envs = wrap(AutoresetMode.SAME_STEP)
    envs.reset(seed=0)
    before = starts(footage)
    act(envs)
    obs, _, ended, _, infos = act(envs)
    assert ended.tolist() == [True, False, False]
    assert infos["_final_obs"].tolist() == [True, False, False]
    last = infos["final_obs"][0]
    assert last[0, 0, 0] == 2 and last[-1, 0, 0] == before[0] + 2
    assert infos["final_obs"][1] is None
    assert foregrounds(obs) == [0, 2, 2] and footage[0].start != before[0]
    assert backgrounds(obs) == [footage[0].start, before[1] + 2, before[2] + 2]
    obs, *_ = act(envs)
    assert backgrounds(obs)[0] == footage[0].start + 1


def test_without_autoreset_only_masked_environments_start_anew(footage):
    envs = wrap(AutoresetMode.DISABLED)
    shown, _ = envs.reset(seed=0)
    before = starts(footage)
    act(envs)
    shown = act(envs)[0]
    assert starts(footage) == before
    mask = np.array([True, False, False])
    obs, infos = envs.reset(options={"reset_mask": mask})
    np.testing.assert_array_equal(obs[1:], shown[1:])  # the others' clips do not run on
    assert foregrounds(obs)[0] == 0 and backgrounds(obs)[0] == footage[0].start != before[0]
    assert [drawn[0]["start"] for drawn in infos["distraction"]] == starts(footage)
    obs, *_ = act(envs)
    assert backgrounds(obs) == [footage[0].start + 1, before[1] + 3, before[2] + 3]


def test_a_reset_between_end_and_next_step_counts_once(footage):
    envs = wrap(AutoresetMode.NEXT_STEP)
    envs.reset(seed=0)
    act(envs), act(envs)
    envs.reset(seed=0)
    begun = starts(footage)
    obs, *_ = act(envs)
    assert starts(footage) == begun and backgrounds(obs) == [start + 1 for start in begun]


def test_seeds_are_handed_out_as_gymnasium_does(footage):
    envs = wrap()
    envs.reset(seed=5)
    drawn = starts(footage)
    for seeds in ([7, 5, None], [5, 6, 7]):
        envs.reset(seed=seeds)
        assert [start in drawn for start in starts(footage)][:2] == [True, True]
    assert starts(footage) == drawn
    envs.reset()
    assert starts(footage) != drawn  # without a seed the streams go on


@pytest.mark.parametrize("autoreset", AutoresetMode)
def test_it_shows_what_wrapped_environments_would(autoreset):
    """The same pictures, whether each environment is wrapped or all of them at once."""
    lengths = (3, 4)
    inside = SyncVectorEnv(
        [
            functools.partial(
                DistractionWrapper, Counting(ends_after=length), VIDEO, foreground=keep_upper_half
            )
            for length in lengths
        ],
        autoreset_mode=autoreset,
    )
    around = DistractionVectorWrapper(bare(autoreset, lengths), VIDEO, foreground=keep_upper_half)
    for envs in (inside, around):
        envs.shown = [envs.reset(seed=1)[0]]
        for _ in range(7):
            obs, _, terminated, _, infos = act(envs)
            envs.shown += [obs, *(last for last in infos.get("final_obs", ()) if last is not None)]
            if autoreset == AutoresetMode.DISABLED and terminated.any():
                envs.shown.append(envs.reset(options={"reset_mask": terminated})[0])
    assert len(inside.shown) == len(around.shown) > 7
    for wanted, shown in zip(inside.shown, around.shown, strict=True):
        np.testing.assert_array_equal(shown, wanted)
    assert len(np.unique(inside.shown[0])) > 50  # something was shown


def test_pictures_of_other_processes_and_layouts(footage):
    envs = AsyncVectorEnv([functools.partial(Counting, True)] * 2, copy=False)
    envs = DistractionVectorWrapper(envs, "any", foreground=keep_upper_half)
    first, _ = envs.reset(seed=0)
    held = first.copy()
    assert first.shape == (2, 3, 8, 6) and (first[:, :, :4] == 0).all()
    second, *_ = act(envs)
    assert (second[:, :, :4] == 1).all() and second[0, 0, 7, 0] == footage[0].start + 1
    np.testing.assert_array_equal(first, held)  # no view of the memory that processes share
    envs.close()


class Cameras(Counting):
    """The counting picture beside joints."""

    def __init__(self):
        super().__init__()
        joints = gym.spaces.Box(-1, 1, (2,))
        self.observation_space = gym.spaces.Dict(image=self.observation_space, joints=joints)

    def _picture(self):
        image = np.full((8, 6, 3), self.time, np.uint8)
        return {"image": image, "joints": np.zeros(2, np.float32)}


def test_dictionaries_and_frames(footage):
    envs = SyncVectorEnv([Cameras] * 2)
    envs = DistractionVectorWrapper(envs, "any", foreground=keep_upper_half)
    obs, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(obs)
    assert backgrounds(obs["image"]) == starts(footage) and not obs["joints"].any()
    np.testing.assert_array_equal(envs.render(), obs["image"])


class Tensors(gym.vector.VectorEnv):
    """Batches of tensors, as simulators on a GPU return."""

    def __init__(self, torch):
        self.torch, self.num_envs = torch, 2
        self.single_observation_space = gym.spaces.Box(0.0, 1.0, (8, 6, 3))
        self.single_action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        return self.torch.full((2, 8, 6, 3), 0.1234), {}

    def step(self, actions):
        over = self.torch.zeros(2, dtype=bool)
        return self.reset()[0], self.torch.ones(2), over, over, {}


def test_tensors_stay_tensors(footage):
    torch = pytest.importorskip("torch")
    envs = DistractionVectorWrapper(Tensors(torch), "any", foreground=keep_upper_half)
    for obs in (envs.reset(seed=0)[0], envs.step(None)[0]):
        assert obs.dtype == torch.float32 and (obs[:, :4] == torch.tensor(0.1234)).all()
        assert (obs[:, 4:] > 0.3).all()


def test_scenes_are_not_known_from_outside():
    with pytest.raises(UnsupportedEnvironment, match="before they are put together"):
        DistractionVectorWrapper(bare(), "video_hard", foreground="auto")


def test_the_wrapper_of_single_environments_says_what_to_type():
    with pytest.raises(UnsupportedEnvironment, match="DistractionVectorWrapper"):
        DistractionWrapper(bare(), "video_hard", foreground="blend")


def test_stable_baselines_vector_environments_are_wrapped_inside():
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    with pytest.raises(UnsupportedEnvironment, match="before they are put together"):
        DistractionWrapper(vec_env.DummyVecEnv([Counting]), "video_hard", foreground="blend")
    inside = [lambda: DistractionWrapper(Counting(), VIDEO[:1], foreground=keep_upper_half)] * 2
    envs = vec_env.DummyVecEnv(inside)
    obs = envs.reset()
    assert obs.shape == (2, 8, 6, 3) and (obs[:, :4] == 0).all() and obs[:, 4:].std() > 10


@pytest.mark.parametrize("way", ["sync", "async"])
def test_make_vec_wraps_each_environment(way):
    wrapper = functools.partial(DistractionWrapper, mode="video_hard", assets="generated")
    clean = env_id("mini", "reach", "clean")
    envs = gym.make_vec(clean, num_envs=2, vectorization_mode=way, wrappers=[wrapper])
    hard = gym.make_vec(env_id("mini", "reach", "video_hard"), num_envs=2, vectorization_mode=way)
    np.testing.assert_array_equal(envs.reset(seed=0)[0], hard.reset(seed=0)[0])
    actions = np.ones(envs.action_space.shape, np.float32)
    np.testing.assert_array_equal(envs.step(actions)[0], hard.step(actions)[0])
    envs.close(), hard.close()


@pytest.mark.slow
@pytest.mark.parametrize("way", ["DummyVecEnv", "SubprocVecEnv"])
def test_ids_in_stable_baselines_vector_environments(way):
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    # With its module in front: new processes have not imported this package.
    name = "distraction_gym:" + env_id("mini", "track", "video_hard")
    envs = getattr(vec_env, way)([functools.partial(gym.make, name)] * 2)
    envs.seed(3)
    actions = np.ones((2, *envs.action_space.shape), np.float32)
    shown = [envs.reset(), *(envs.step(actions)[0] for _ in range(2))]
    for index in range(2):
        env = gym.make(name)
        alone = [env.reset(seed=3 + index)[0], *(env.step(actions[0])[0] for _ in range(2))]
        np.testing.assert_array_equal(alone, [obs[index] for obs in shown])
    envs.close()
