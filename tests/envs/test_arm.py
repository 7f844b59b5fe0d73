"""SMG's arm tasks: what is paid, how the hand moves, and that each task can be done."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

pytest.importorskip("mujoco")

from distraction_gym.envs.arm import TASKS
from distraction_gym.envs.arm.env import ArmEnv
from distraction_gym.errors import UnknownName

STEPS = 50


@pytest.fixture(scope="module")
def envs() -> dict[str, ArmEnv]:
    return {task: ArmEnv(task) for task in TASKS}


# A slow, separate reading of SMG's code: plain floats, the raw state before and after a step. -----


def point(env: ArmEnv, kind: str, name: str) -> list[float]:
    return [float(value) for value in getattr(env.data, kind)(name).xpos]


def apart(one: list[float], other: list[float], axes: int) -> float:
    total = 0.0
    for left, right in list(zip(one, other, strict=True))[:axes]:
        total += (round(left, 4) - round(right, 4)) ** 2
    return math.sqrt(total)


def goal_before(env: ArmEnv, task: str) -> list[float]:
    if task == "pegbox":
        x, y, z = point(env, "body", "box")
        return [x, y + 0.075, z - 0.035]
    if task == "hammerall":
        return point(env, "site", f"goal{env.task.nail}")
    return point(env, "site", "target")


def expected(env: ArmEnv, task: str, goal: list[float], action: np.ndarray) -> tuple[float, bool]:
    """Return a step's reward and whether the task is done."""
    square = sum(float(value) ** 2 for value in action)
    if task in ("reach", "push"):
        place = point(env, "site", "grasp") if task == "reach" else point(env, "body", "cube")
        away = apart(place, goal, 2)
        done = away < {"reach": 0.05, "push": 0.2}[task]
        return (1.0 if done else round(-3 * away - 0.5 * square, 4)), done
    if task == "pegbox":
        peg = point(env, "site", "held/peg")
        across, away = apart(peg, goal, 2), apart(peg, goal, 3)
        return -square - 4 * across + (10 - 20 * away if across <= 0.05 else 0.0), away < 0.08
    tool, nail = point(env, "site", "held/tool"), point(env, "site", f"nail{env.task.nail}")
    away = apart(nail, goal, 3)
    return -0.1 * square - 2 * apart(tool, nail, 3) - 2 * away, away < 0.01


@pytest.mark.parametrize("task", TASKS)
def test_rewards_and_success_on_recorded_ways(envs, task):
    env, seen = envs[task], set()
    for seed in (1, 3):
        env.reset(seed=seed)
        rng, ever = np.random.default_rng(seed), False
        for step in range(STEPS):
            drawn = rng.uniform(-1.0, 1.0, env.task.axes).astype(np.float32)
            action = env.task.expert() if step % 8 else drawn
            goal = goal_before(env, task)
            _, reward, terminated, truncated, info = env.step(action)
            value, done = expected(env, task, goal, action)
            ever = ever or done
            assert reward == pytest.approx(value, abs=1e-9) and not terminated and not truncated
            assert info == {"success": done, "is_success": ever}
            seen.add(done)
    assert seen == {False, True}


def test_the_norm_of_an_action_is_taken_before_it_is_blocked(envs):
    env = envs["reach"]
    env.reset(seed=0)
    assert env.task.site("grasp")[0] < env.task.low[0]
    goal = env.task.goal()
    blocked = env.step(np.array([-1.0, 0.0], np.float32))[1]
    assert blocked == round(-3 * env.task.away(goal) - 0.5, 4)
    # Actions beyond the space are cut to it, and a missing z is none.
    goal = env.task.goal()
    assert env.step(np.array([-9.0, 0.0]))[1] == round(-3 * env.task.away(goal) - 0.5, 4)


def test_distances_are_of_rounded_coordinates(envs):
    env = envs["reach"]
    env.reset(seed=0)
    hand = np.around(env.task.site("grasp"), 4)
    env.data.site("grasp").xpos[:] = hand + 4e-5
    assert env.task.away(hand) == 0.0
    env.data.site("grasp").xpos[:] = hand + 6e-5
    assert env.task.away(hand) == pytest.approx(1e-4 * math.sqrt(2))


# Motion -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "seconds", "way"), [("reach", 0.04, (0.02, 0.05)), ("pegbox", 0.02, (0.008, 0.03))]
)
def test_an_action_leads_the_hand_from_where_it_is(envs, task, seconds, way):
    env = envs[task]
    env.reset(seed=4)
    hand = env.data.body("arm/link7")
    place, turn, start = hand.xpos.copy(), hand.xquat.copy(), env.data.time
    action = np.array([1.0, -0.4, 0.5], np.float32)[: env.task.axes]
    env.step(action)
    assert env.data.time - start == pytest.approx(seconds)
    mocap = env.model.body("mocap").mocapid[0]
    offset = env.data.mocap_pos[mocap] - place
    np.testing.assert_allclose(offset[: env.task.axes], 0.05 * action, atol=1e-9)
    np.testing.assert_array_equal(env.data.mocap_quat[mocap], turn + np.array([0, 1, 0, 0]))
    assert np.linalg.norm(env.data.mocap_quat[mocap]) == pytest.approx(2, abs=1e-3)
    moved = env.data.body("arm/link7").xpos - place
    assert way[0] < moved[0] < way[1] and moved[1] < -0.2 * moved[0]


def test_the_hand_looks_down_and_keeps_its_height(envs):
    env = envs["reach"]
    env.reset(seed=3)
    height = env.task.site("grasp")[2]
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        env.step(rng.uniform(-1.0, 1.0, 2))
        down = env.data.body("arm/link7").xmat.reshape(3, 3)[:, 2]
        assert down[2] < -0.995
    assert abs(env.task.site("grasp")[2] - height) < 0.006


@pytest.mark.parametrize("task", ["push", "hammerall"])
def test_the_workspace_blocks_the_way_out_and_never_the_way_in(envs, task):
    env = envs[task]
    env.reset(seed=0)
    low, high = env.task.low, env.task.high
    assert high[2] == {"push": 0.9, "hammerall": 1.0}[task]
    env.step(np.zeros(env.task.axes))
    grasp = env.data.site("grasp").xpos
    for axis in range(3):
        for edge, sign in ((low, -1.0), (high, 1.0)):
            grasp[:] = (low + high) / 2
            outward, inward = np.zeros(3), np.zeros(3)
            outward[axis], inward[axis] = sign, -sign
            np.testing.assert_array_equal(env._limited(outward), outward)
            grasp[axis] = edge[axis] + sign * 0.001
            np.testing.assert_array_equal(env._limited(outward), np.zeros(3))
            np.testing.assert_array_equal(env._limited(inward), inward)


# Starts -------------------------------------------------------------------------------------------


def starts(env: ArmEnv, seeds: int) -> np.ndarray:
    """Return where hands and goals begin, `(seeds, 6)`."""
    found = []
    for seed in range(seeds):
        env.reset(seed=seed)
        found.append([*env.task.site("grasp"), *env.task.goal()])
    return np.array(found)


@pytest.mark.parametrize(
    ("task", "heights", "goals"),
    [
        ("reach", (0.626, 0.646), ((1.505, 0.1, 0.58), (1.705, 0.5, 0.58))),
        ("pegbox", (0.746, 0.866), ((1.505, 0.175, 0.585), (1.705, 0.575, 0.585))),
        ("hammerall", (0.636, 0.806), ((1.48, 0.123, 0.67), (1.63, 0.477, 0.68))),
    ],
)
def test_starts_lie_where_they_are_drawn(envs, task, heights, goals):
    found = starts(envs[task], 12)
    hands, ends = found[:, :3], found[:, 3:]
    low, high = (1.2, 0.19, heights[0]), (1.365, 0.41, heights[1])
    assert (hands >= low).all() and (hands <= high).all()
    assert np.ptp(hands[:, 0]) > 0.07 and np.ptp(hands[:, 1]) > 0.1
    margin = 2e-3
    assert (ends >= np.array(goals[0]) - margin).all()
    assert (ends <= np.array(goals[1]) + margin).all()
    assert np.ptp(ends[:, 1]) > 0.1


def test_the_nail_is_drawn_from_the_seed_and_not_from_numpys_global_generator(envs):
    env = envs["hammerall"]
    drawn = []
    for seed in range(12):
        np.random.seed(seed)
        env.reset(seed=seed)
        drawn.append(env.task.nail)
        raised = [float(env.data.joint(f"nail{number}").qpos[0]) for number in (1, 2, 3, 4)]
        assert int(np.argmin(raised)) + 1 == env.task.nail
        assert min(raised) == -0.046 and sorted(raised)[1] > -0.008
    assert set(drawn) == {1, 2, 3, 4}
    np.random.seed(99)
    env.reset(seed=3)
    assert env.task.nail == drawn[3]


def test_things_weigh_what_they_weigh(envs):
    assert envs["push"].model.body("cube").mass[0] == pytest.approx(17.15)
    assert envs["pegbox"].model.body("box").mass[0] == pytest.approx(9)
    assert envs["pegbox"].model.geom("held/peg").size[:2].tolist() == [0.03, 0.035]
    assert envs["hammerall"].model.body("board").mass[0] == pytest.approx(500)
    arm = [f"arm/link{number}" for number in range(1, 8)]
    masses = [envs["reach"].model.body(name).mass[0] for name in arm]
    np.testing.assert_allclose(masses[:6], [0.426, 0.561, 0.445, 0.524, 0.186, 0.313])


# Whole episodes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "least"), [("reach", 6), ("push", 4), ("pegbox", 4), ("hammerall", 6)]
)
def test_each_task_can_be_done(envs, task, least):
    # Some boxes stand beyond the workspace, and some cubes where no hand comes behind them.
    env, done = envs[task], 0
    for seed in range(6):
        env.reset(seed=seed)
        for _ in range(STEPS):
            info = env.step(env.task.expert())[-1]
        done += info["is_success"]
    assert done >= least


def test_success_stays_with_the_episode_and_not_with_the_next(envs):
    env = envs["reach"]
    env.reset(seed=0)
    while not env.step(env.task.expert())[-1]["success"]:
        pass
    while (info := env.step(np.array([-1.0, -1.0])))[-1]["success"]:
        pass
    assert info[-1] == {"success": False, "is_success": True}
    assert env.reset(seed=1)[1] == {"success": False, "is_success": False}


@pytest.mark.parametrize("task", ["push", "hammerall"])
def test_seeds_and_pickles_repeat_an_episode(envs, task):
    env, action = envs[task], np.array([0.5, 0.3, -0.2])
    action = action[: env.task.axes]
    env.reset(seed=7)
    first = [env.step(action)[:2] for _ in range(3)]
    copy = pickle.loads(pickle.dumps(env))
    assert copy.task.data is copy.data and copy.data.model is copy.model
    after = env.step(action)
    np.testing.assert_array_equal(copy.step(action)[0], after[0])
    assert copy.step(action)[1] == env.step(action)[1]
    env.reset(seed=7)
    for state, reward in first:
        again = env.step(action)
        np.testing.assert_array_equal(again[0], state)
        assert again[1] == reward


def test_what_does_not_exist_is_named():
    with pytest.raises(UnknownName, match="reach"):
        ArmEnv("rech")
    with pytest.raises(UnknownName, match="menagerie"):
        ArmEnv("reach", model="menagery")
