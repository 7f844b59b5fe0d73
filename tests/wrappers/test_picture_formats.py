"""Every way in which observations hold a picture: found in the space, read, and written back."""

import gymnasium as gym
import numpy as np
import pytest
from counting_env import Counting, Footage, keep_upper_half

from distraction_gym.errors import UnknownName, UnsupportedEnvironment
from distraction_gym.wrappers import DistractionWrapper
from distraction_gym.wrappers import distraction as module
from distraction_gym.wrappers.pictures import PictureFormat

HEIGHT, WIDTH = 8, 6
LAYOUTS = {
    "HWC": (HEIGHT, WIDTH, 3),
    "CHW": (3, HEIGHT, WIDTH),
    "HW": (HEIGHT, WIDTH),
    "HW1": (HEIGHT, WIDTH, 1),
    "1HW": (1, HEIGHT, WIDTH),
}
BOUNDS = {
    "uint8": (0, 255, np.uint8),
    "unit": (0.0, 1.0, np.float32),
    "bytes as floats": (0.0, 255.0, np.float32),
    "signed": (-1.0, 1.0, np.float64),
}


def box(layout, bounds):
    low, high, dtype = BOUNDS[bounds]
    return gym.spaces.Box(low, high, LAYOUTS[layout], dtype)


class Noise(gym.Env):
    """Pictures of any format, whose values are no whole grey levels."""

    action_space = gym.spaces.Discrete(2)
    render_mode = "rgb_array"

    def __init__(self, space):
        self.observation_space = space

    def reset(self, *, seed=None, options=None):
        self.observation_space.seed(0)
        self.clean = self.observation_space.sample()
        return self.clean, {}

    def step(self, action):
        self.clean = self.observation_space.sample()
        return self.clean, 0.0, False, False, {}


def rows_first(picture, layout):
    return np.moveaxis(picture, 0, -1) if layout in ("CHW", "1HW") else picture


@pytest.fixture(autouse=True)
def footage(monkeypatch):
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: [Footage()])


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_what_is_disturbed_changes(layout, bounds):
    space = box(layout, bounds)
    env = DistractionWrapper(Noise(space), "video_hard", foreground=keep_upper_half)
    assert env.observation_space == space
    for act in (env.reset, lambda: env.step(0)):
        obs = act()[0]
        clean = env.unwrapped.clean
        assert space.contains(obs) and obs.dtype == clean.dtype and obs is not clean
        shown, kept = (rows_first(picture, layout) for picture in (obs, clean))
        np.testing.assert_array_equal(shown[:4], kept[:4])  # exactly, not as far as 8 bits go
        low, high, _ = BOUNDS[bounds]
        grey = 255 * (shown[4:].astype(float) - low) / (high - low)
        np.testing.assert_allclose(grey, env.render()[-1, 0, 0], atol=0.501)
        assert env.undistorted.shape == env.render().shape == (HEIGHT, WIDTH, 3)
        assert env.undistorted.dtype == env.render().dtype == np.uint8


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_grey_level_survives_the_round_trip(layout, bounds):
    space = box(layout, bounds)
    form = PictureFormat.of(space)
    assert form.size == (HEIGHT, WIDTH)
    for level in range(256):
        frame = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
        black = np.array(space.low)
        obs = form.replace(black, form.frame(black), frame)
        np.testing.assert_array_equal(form.frame(obs), frame)
        assert obs.dtype == space.dtype and space.contains(obs)
        assert (black == space.low).all()  # what the environment returned is not written to


def test_grey_is_the_brightness_of_a_colour():
    form = PictureFormat.of(box("HW", "uint8"))
    black = np.zeros((HEIGHT, WIDTH), np.uint8)
    green = np.full((HEIGHT, WIDTH, 3), (0, 255, 0), np.uint8)
    assert (form.replace(black, form.frame(black), green) == 150).all()


def test_bounds_may_differ_between_channels():
    # Pictures normalised by each channel's mean and deviation, as for ImageNet's networks.
    low, high = np.array([-2.1, -2.0, -1.8]), np.array([2.2, 2.4, 2.6])
    shape = (HEIGHT, WIDTH, 3)
    space = gym.spaces.Box(np.broadcast_to(low, shape), np.broadcast_to(high, shape), dtype=float)
    frame = PictureFormat.of(space).frame(np.broadcast_to((low + high) / 2, shape))
    assert (abs(frame - 127.5) <= 0.5).all()


def test_the_brightest_level_stays_within_the_bounds():
    space = gym.spaces.Box(-0.1, 0.3, (8, 8, 3), np.float64)
    assert -0.1 + (0.3 - -0.1) > 0.3  # what rounding does
    form, black = PictureFormat.of(space), np.full((8, 8, 3), -0.1)
    white = form.replace(black, form.frame(black), np.full((8, 8, 3), 255, np.uint8))
    assert space.contains(white) and (white == 0.3).all()


def test_other_integers_than_the_space_promises_are_named():
    form = PictureFormat.of(box("HWC", "uint8"))
    with pytest.raises(UnsupportedEnvironment, match="int64"):
        form.frame(np.zeros(form.box.shape, np.int64))


def test_undisturbed_observations_are_passed_on_as_they_are(monkeypatch):
    monkeypatch.setattr(module, "build", lambda mode, **kwargs: [])
    env = DistractionWrapper(Noise(box("CHW", "unit")), "clean", foreground="blend")
    obs, _ = env.reset(seed=0)
    assert obs is env.unwrapped.clean


def test_the_only_picture_of_a_dictionary_is_found():
    space = gym.spaces.Dict(
        camera=box("HWC", "uint8"),
        joints=gym.spaces.Box(-np.inf, np.inf, (7,)),
        pose=gym.spaces.Box(-1.0, 1.0, (4, 4)),
        depth=gym.spaces.Box(0, np.inf, (HEIGHT, WIDTH)),
    )
    env = DistractionWrapper(Noise(space), "video_hard", foreground=keep_upper_half)
    obs, _ = env.reset(seed=0)
    clean = env.unwrapped.clean
    assert set(obs) == set(clean) and space.contains(obs)
    assert all(obs[key] is clean[key] for key in ("joints", "pose", "depth"))
    assert (obs["camera"][4:] == env.render()[4:]).all()
    assert (obs["camera"][:4] == clean["camera"][:4]).all()


def test_of_two_pictures_one_must_be_named():
    space = gym.spaces.Dict(front=box("HWC", "uint8"), wrist=box("CHW", "unit"))
    with pytest.raises(UnsupportedEnvironment, match=r"'front', 'wrist'.*key='front'"):
        DistractionWrapper(Noise(space), "video_hard", foreground=keep_upper_half)
    env = DistractionWrapper(Noise(space), "video_hard", foreground=keep_upper_half, key="wrist")
    obs, _ = env.reset(seed=0)
    assert obs["front"] is env.unwrapped.clean["front"]
    assert (obs["wrist"] != env.unwrapped.clean["wrist"]).any()
    with pytest.raises(UnknownName, match="Did you mean 'wrist'"):
        DistractionWrapper(Noise(space), "video_hard", foreground="blend", key="wirst")


STATES = gym.spaces.Box(-np.inf, np.inf, (17,))


@pytest.mark.parametrize(
    ("space", "why"),
    [
        (STATES, "AddRenderObservation"),
        (gym.spaces.Box(-np.inf, np.inf, (8, 6, 3)), "finite bounds"),
        (gym.spaces.Box(0, 255, (8, 6, 4), np.uint8), "Expected one picture"),
        (gym.spaces.Box(0, 1, (8, 6, 3), np.uint8), "Expected one picture"),
        (gym.spaces.Box(0, 255, (9, 8, 6), np.uint8), "Stack frames after"),
        (gym.spaces.Box(0, 255, (8, 6, 3), np.int64), "uint8"),
        (gym.spaces.Box(0, 255, (3, 3), np.uint8), "Expected one picture"),
        (gym.spaces.Discrete(4), "Discrete"),
        (gym.spaces.Dict(joints=STATES, other=gym.spaces.Discrete(3)), "'joints'"),
    ],
)
def test_spaces_without_pictures_are_refused_in_one_error(space, why):
    with pytest.raises(UnsupportedEnvironment, match=why):
        DistractionWrapper(Noise(space), "video_hard", foreground="blend")


def test_a_key_without_a_dictionary_is_refused():
    with pytest.raises(UnsupportedEnvironment, match="Leave the key out"):
        DistractionWrapper(Counting(), "video_hard", foreground="blend", key="image")


def test_three_grey_frames_are_not_taken_for_one_in_colour():
    stack = gym.wrappers.FrameStackObservation(Noise(box("HW", "uint8")), 3)
    with pytest.raises(UnsupportedEnvironment, match="Stack frames after"):
        DistractionWrapper(stack, "video_hard", foreground="blend")


def test_pictures_that_break_the_spaces_promise_are_named():
    env = Counting()
    env.observation_space = gym.spaces.Box(0.0, 1.0, (8, 6, 3))
    env._picture = lambda: np.zeros((8, 6, 3), np.uint8)
    env = DistractionWrapper(env, "video_hard", foreground="blend")
    with pytest.raises(UnsupportedEnvironment, match=r"promises.*float32.*returned.*uint8"):
        env.reset(seed=0)


@pytest.mark.parametrize(("bounds", "dtype"), [("uint8", None), ("unit", "bfloat16")])
def test_tensors_stay_tensors(bounds, dtype):
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat", reason="NumpyToTorch needs gymnasium[array-api]")
    env = gym.wrappers.NumpyToTorch(Noise(box("CHW", bounds)))
    if dtype:
        convert = getattr(torch, dtype)
        env = gym.wrappers.TransformObservation(env, lambda obs: obs.to(convert), None)
    wrapped = DistractionWrapper(env, "video_hard", foreground=keep_upper_half)
    obs, _ = wrapped.reset(seed=0)
    clean = torch.as_tensor(wrapped.unwrapped.clean).to(obs.dtype)
    assert isinstance(obs, torch.Tensor) and obs.shape == (3, HEIGHT, WIDTH)
    assert obs.dtype == (convert if dtype else torch.uint8)
    assert torch.equal(obs[:, :4], clean[:, :4]) and not torch.equal(obs[:, 4:], clean[:, 4:])
    assert isinstance(wrapped.render(), np.ndarray)


@pytest.mark.parametrize("device", ["meta", "cuda"])
def test_tensors_stay_on_their_device(device):
    torch = pytest.importorskip("torch")
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    from distraction_gym.wrappers.pictures import like

    value = torch.zeros((HEIGHT, WIDTH, 3), dtype=torch.uint8, device=device)
    made = like(np.ones((HEIGHT, WIDTH, 3), np.uint8), value)
    assert made.device == value.device and made.dtype == value.dtype
