"""The distraction wrapper on environments without a simulator."""

import gymnasium as gym
import numpy as np
import pytest
from counting_env import Counting, Footage, keep_upper_half

from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.scene import Scene
from distraction_gym.scenes import find_scene
from distraction_gym.wrappers import AddForegroundMask, DistractionWrapper, StackFrames
from distraction_gym.wrappers import distraction as module


@pytest.fixture
def footage(monkeypatch):
    made = []

    def build(mode, *, assets, composite):
        made.append(Footage())
        return [made[-1]]

    monkeypatch.setattr(module, "build", build)
    return made


def wrap(env=None, foreground=keep_upper_half):
    return DistractionWrapper(env or Counting(), "video_hard", foreground=foreground)


def test_the_background_shows_the_clip_and_the_foreground_the_picture(footage):
    env = wrap()
    obs, info = env.reset(seed=0)
    assert (obs[:4] == 0).all() and (obs[4:] == footage[0].start).all()
    assert info == {"time": 0, "distraction": [{"kind": "Footage", "start": footage[0].start}]}
    obs, reward, _, _, info = env.step(np.zeros(1))
    assert (obs[:4] == 1).all() and (obs[4:] == footage[0].start + 1).all()
    assert reward == 1.0 and info["distraction"][0]["start"] == footage[0].start
    assert (env.undistorted == 1).all()
    np.testing.assert_array_equal(env.render(), obs)
    assert footage[0].calls == ["reset", "apply", "apply"]


def test_frames_are_disturbed_before_they_are_stacked(footage):
    # Three stacked frames show three consecutive frames of the clip, not one of them three times.
    env = StackFrames(wrap(), 3)
    obs, _ = env.reset(seed=0)
    start = footage[0].start
    assert obs[::3, 7, 0].tolist() == [start] * 3
    for _ in range(3):
        obs = env.step(np.zeros(1))[0]
    assert obs[::3, 7, 0].tolist() == [start + 1, start + 2, start + 3]
    assert obs[::3, 0, 0].tolist() == [1, 2, 3]


def test_channels_first_pictures_stay_so(footage):
    env = wrap(Counting(channels_first=True))
    obs, _ = env.reset(seed=0)
    assert obs.shape == (3, 8, 6) and obs.flags.c_contiguous
    assert (obs[:, :4] == 0).all() and (obs[:, 4:] == footage[0].start).all()
    assert env.render().shape == (8, 6, 3)


def test_a_seed_fixes_the_draws_and_no_seed_goes_on(footage):
    def starts(seed):
        env = wrap()
        drawn = [env.reset(seed=seed)[1]] + [env.reset()[1] for _ in range(4)]
        return [info["distraction"][0]["start"] for info in drawn]

    assert starts(3) == starts(3) != starts(4)
    assert len(set(starts(3))) > 1


def test_scenes_are_restored_and_edited_before_the_environment_resets(footage):
    order = []
    env = wrap()
    env.scene.restore = lambda: order.append("restore")
    env.env.reset = lambda **kwargs: (order.append("env"), (np.zeros((8, 6, 3), np.uint8), {}))[1]
    footage[0].calls = order
    env.reset()
    assert order == ["restore", "reset", "env", "apply"]


def test_colour_key_and_blend(footage):
    env = wrap(foreground={"key": {"color": [0, 0, 0], "tolerance": 0}})
    assert (env.reset(seed=0)[0] == footage[0].start).all()
    assert (env.step(np.zeros(1))[0] == 1).all()
    env = wrap(foreground={"blend": 0.5})
    assert (env.reset(seed=0)[0] == footage[1].start // 2).all()


def test_the_spec_keeps_json_arguments(footage):
    env = DistractionWrapper(
        Counting(), [{"kind": "video"}], foreground="blend", assets="generated"
    )
    assert env._saved_kwargs == {
        "mode": [{"kind": "video"}],
        "foreground": "blend",
        "assets": "generated",
        "composite": "exact",
        "key": None,
    }


def test_a_wrapper_around_a_clean_one_has_the_scene_to_itself(monkeypatch):
    calls = []
    builds = {"clean": lambda: [], "staged": lambda: [Stager(calls)]}
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: builds[mode]())

    class Watched(Scene):
        def restore(self):
            calls.append("restore")

        def redraw(self, frame):
            self.stage()
            return super().redraw(frame)

    class Stager(Footage):
        def stage(self, scene):
            calls.append("stage")

        def apply(self, frame, scene):
            calls.append("apply")
            return frame

    env = Counting()
    env.scene = Watched()
    env = DistractionWrapper(DistractionWrapper(env, "clean"), "staged")
    env.reset(seed=0), env.step(np.zeros(1))
    assert calls == ["restore", "reset", "stage", "apply", "stage", "apply"]
    calls.clear()
    clean = DistractionWrapper(env.unwrapped, "clean")  # the next one on the same environment
    clean.reset(seed=0)
    assert calls == ["restore"]


def test_two_lists_of_distractions_are_refused(footage):
    with pytest.raises(UnsupportedEnvironment, match="into one list"):
        wrap(wrap())


def test_what_is_disturbed_cannot_be_called_clean(footage, monkeypatch):
    env = wrap()
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: [])
    with pytest.raises(UnsupportedEnvironment, match="disturbed already"):
        DistractionWrapper(env, "clean", foreground="blend")


def test_attributes_of_other_packages_are_not_taken_for_ours(footage):
    env = Counting()
    env.scene = env.pipeline = object()  # as robot simulators have them
    with pytest.raises(UnsupportedEnvironment, match="Say what to keep"):
        DistractionWrapper(env, "any")
    with pytest.raises(UnsupportedEnvironment, match="nothing tells what matters"):
        AddForegroundMask(env)
    env = AddForegroundMask(DistractionWrapper(env, "any", foreground=keep_upper_half))
    _, info = env.reset(seed=0)
    assert info["foreground"][:4].all() and not info["foreground"][4:].any()


def test_the_wrapper_is_found_as_the_scene(footage):
    env = wrap()
    assert find_scene(StackFrames(env, 2)) is env.scene


def test_auto_without_a_scene_lists_the_choices(footage):
    with pytest.raises(UnsupportedEnvironment) as error:
        wrap(foreground="auto")
    for choice in ("my_module:my_mask", '{"key":', "blend"):
        assert choice in str(error.value)


def test_states_are_refused_and_the_way_to_pictures_named(footage):
    with pytest.raises(UnsupportedEnvironment, match="AddRenderObservation") as error:
        wrap(gym.make("Pendulum-v1", render_mode="rgb_array"))
    assert "ObserveScene" in str(error.value)


def test_stacked_pictures_are_refused(footage):
    with pytest.raises(UnsupportedEnvironment, match="Stack frames after"):
        wrap(StackFrames(Counting(), 3))


def test_an_unknown_mode_is_named():
    with pytest.raises(UnknownName, match="Did you mean 'video_hard'"):
        DistractionWrapper(Counting(), "video_hrd", foreground="blend")


def test_colour_modes_need_a_simulator():
    env = DistractionWrapper(Counting(), "color_hard", foreground="blend", assets="generated")
    with pytest.raises(UnsupportedEnvironment, match="simulator"):
        env.reset(seed=0)
