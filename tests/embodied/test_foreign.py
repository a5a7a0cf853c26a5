# SPDX-License-Identifier: Apache-2.0
"""Anyone's gymnasium environment under words: its readings, its actions, its episodes, and what is said otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from embodied.commands import eval as evaluation
from embodied.config import ConfigError
from embodied.episode import EnvironmentArm
from embodied.errors import EmbodiedError, ObservationError, UnknownNameError, UnsafeCommandError
from embodied.foreign import SpokenEnv, Words, check_id, read_words
from embodied.motion.raw import ACTION_LOWER, ACTION_UPPER, RawActions
from embodied.motion.skills import SkillCall
from embodied.run import Agent
from embodied.types import Decision, Instruction, Motion, Observation, Picture, Vector

REACH, PUSH = "panda_gym:PandaReach-v3", "panda_gym:PandaPush-v3"
WORDS = Words(words={"seen": ["go to the green ball", "touch the ball"]}, state=("observation", "desired_goal"))


class Line(gymnasium.Env[Any, Any]):
    """A point on a line that should come to 1; it draws nothing, and falls off at -1."""

    metadata: dict[str, Any] = {"render_modes": []}
    observation_space = spaces.Box(-2.0, 2.0, (1,), dtype=np.float32)
    action_space = spaces.Box(-np.inf, np.inf, (1, 1), dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = np.zeros(1, dtype=np.float32)
        return self.place.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action.shape == (1, 1) and action.dtype == np.float32
        self.place = np.clip(self.place + action[0], -2.0, 2.0)
        there = bool(self.place[0] >= 1.0)
        return self.place.copy(), 0.0, bool(self.place[0] <= -1.0), False, {"arrived": there}


gymnasium.register("Strange/Line-v0", Line, max_episode_steps=7)
LINE = Words(words={"seen": ["go to one"]}, success="arrived")


class Follower:
    """Goes by what it reads."""

    needs: tuple[str, ...] = ("state",)

    def __init__(self, gain: float = 10.0) -> None:
        self.gain, self.told, self.shown = gain, [], []

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.told.append(instruction.text)

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        state = observation.readings["state"]
        assert isinstance(state, Vector)
        row = np.clip(self.gain * (state.values[6:9] - state.values[:3]), -1.0, 1.0)
        return Decision(text="going", motion=RawActions(rows=row[None]), observation_stamp_s=0.0, done=False)


class Steady:
    """One motion again and again."""

    needs: tuple[str, ...] = ("observation",)

    def __init__(self, motion: Motion, done: bool = False) -> None:
        self.motion, self.done = motion, done

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """It always does the same."""

    def decide(self, observation: Observation) -> Decision:
        return Decision(text="on", motion=self.motion, observation_stamp_s=observation.stamp_s, done=self.done)


@pytest.fixture
def reach() -> Iterator[SpokenEnv]:
    env = SpokenEnv(REACH, WORDS, ("front", "state"))
    yield env
    env.close()


def step_of(value: float, size: int = 1) -> RawActions:
    return RawActions(rows=np.full((1, size), value))


def test_the_readings_are_what_the_environment_tells(reach: SpokenEnv) -> None:
    seen, _ = reach.reset(seed=3, options={"split": "seen"})
    observation = reach.observe()
    assert set(observation.readings) == {*seen, "state", "front", ACTION_LOWER, ACTION_UPPER}
    state, goal = observation.readings["state"], observation.readings["desired_goal"]
    assert isinstance(state, Vector) and isinstance(goal, Vector)
    assert np.allclose(state.values, [*seen["observation"], *seen["desired_goal"]])
    assert state.names[0] == "observation_0" and goal.names == ("desired_goal_0", "desired_goal_1", "desired_goal_2")
    picture = observation.picture("front")
    assert picture.rgb.ndim == 3 and picture.rgb.std() > 5.0 and np.isnan(picture.world_from_camera).all()
    lower = observation.readings[ACTION_LOWER]
    assert isinstance(lower, Vector) and lower.values.tolist() == [-1.0] * 3


def test_time_goes_on_with_the_steps(reach: SpokenEnv) -> None:
    reach.reset(seed=0, options={"split": "seen"})
    for _ in range(2):
        reach.step(np.zeros(3))
    # panda-gym says 25 frames a second.
    assert reach.time_s == pytest.approx(0.08)
    assert {reading.stamp_s for reading in reach.observe().readings.values()} == {reach.time_s}


def test_a_picture_in_the_observation_is_a_picture() -> None:
    class Seeing(Line):
        observation_space = spaces.Dict({"eye": spaces.Box(0, 255, (4, 5, 3), dtype=np.uint8)})

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
            super().reset(seed=seed)
            return {"eye": np.full((4, 5, 3), 7, dtype=np.uint8)}, {}

    gymnasium.register("Strange/Seeing-v0", Seeing)
    env = SpokenEnv("Strange/Seeing-v0", LINE, ("eye",))
    env.reset(seed=0, options={"split": "seen"})
    assert isinstance(env.observe().readings["eye"], Picture)


def test_an_episode_draws_its_words_by_its_seed() -> None:
    drawn = [WORDS.draw("seen", seed) for seed in range(30)]
    assert drawn == [WORDS.draw("seen", seed) for seed in range(30)]
    assert set(drawn) == set(WORDS.words["seen"])


def test_the_one_loop_runs_it(reach: SpokenEnv) -> None:
    arm, policy = EnvironmentArm(reach), Follower()
    arm.reset(5, {"split": "seen"})
    result = Agent(policy, arm, judge=lambda: bool(arm.info["is_success"])).do(reach.episode.instruction, seed=5)
    assert arm.info["is_success"] and result.over and 0 < arm.steps < 20
    assert policy.told == [WORDS.draw("seen", 5)]


@pytest.mark.parametrize(
    ("value", "success", "steps"),
    [(0.5, True, 2), (-0.5, False, 2), (0.1, False, 7)],
    ids=["success", "the world's own end", "the limit"],
)
def test_an_episode_ends_with_its_world(value: float, success: bool, steps: int) -> None:
    env = SpokenEnv("Strange/Line-v0", LINE, ("observation",))
    arm = EnvironmentArm(env)
    arm.reset(0, {"split": "seen"})
    result = Agent(Steady(step_of(value)), arm).do("go to one")
    assert (arm.info["is_success"], arm.steps, result.over) == (success, steps, True)


def test_what_is_no_answer_here_is_said_in_one_line() -> None:
    env = SpokenEnv("Strange/Line-v0", LINE, ("observation",))
    skill = SkillCall(skill="home", points_m=np.zeros((0, 3)))
    for motion, words in ((skill, r"SkillCall.*takes RawActions"), (step_of(0.1, size=4), r"4 numbers.*takes 1")):
        arm = EnvironmentArm(env)
        arm.reset(0, {"split": "seen"})
        with pytest.raises(EmbodiedError, match=words):
            Agent(Steady(motion), arm).do("go to one")
    with pytest.raises(EmbodiedError, match="an arm takes other motions"):
        step_of(1.0).plan(None, np.zeros(7), 0.0)


def test_a_success_that_nobody_tells_is_asked_for() -> None:
    env = SpokenEnv("Strange/Line-v0", Words(words={"seen": ["go"]}))
    env.reset(seed=0, options={"split": "seen"})
    with pytest.raises(EmbodiedError, match=r"no 'is_success'.*it has: .*arrived.*`success:`"):
        env.step(np.zeros(1))


class Broken(Line):
    """Fails in the call that it is made with, as strangers' code does: over several lines."""

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}

    def __init__(self, fails: str = "", picture: Any = None, told: Any = False, **_: Any) -> None:
        self.fails, self.picture, self.told = fails, picture, told
        self.render_mode = "rgb_array"
        self._fail("__init__")

    def _fail(self, call: str) -> None:
        if self.fails == call:
            raise RuntimeError("the gear\nis stuck")

    def reset(self, **options: Any) -> Any:
        self._fail("reset")
        return super().reset(**options)

    def step(self, action: Any) -> Any:
        self._fail("step")
        seen, reward, *ended, _ = super().step(action)
        return seen, reward, *ended, {"arrived": self.told}

    def render(self) -> Any:
        self._fail("render")
        return self.picture


def broken(**options: Any) -> SpokenEnv:
    gymnasium.registry.pop("Strange/Broken-v0", None)
    gymnasium.register("Strange/Broken-v0", Broken, kwargs=options, disable_env_checker=True)
    env = SpokenEnv("Strange/Broken-v0", LINE, ("observation", "front"))
    env.reset(seed=0, options={"split": "seen"})
    return env


@pytest.mark.parametrize("call", ["__init__", "reset", "step", "render"])
def test_what_fails_in_an_environment_is_a_line_that_names_the_call(call: str) -> None:
    def run() -> None:
        env = broken(fails=call)
        env.step(np.zeros(1))
        env.observe()

    with pytest.raises(EmbodiedError) as caught:
        run()
    assert str(caught.value) == f"Strange/Broken-v0 failed in {call}: RuntimeError: the gear is stuck"


@pytest.mark.parametrize("told", [None, "yes", 0.5, np.nan, np.zeros(2, bool), [], [[0], [1, 2]]], ids=str)
def test_a_success_is_true_or_false(told: Any) -> None:
    with pytest.raises(
        EmbodiedError, match=r"^'arrived' in info of Strange/Broken-v0 must be true or false, and is .*$"
    ):
        broken(told=told).step(np.zeros(1))
    for true in (True, 1.0, np.array([True]), np.bool_(True)):
        *_, info = broken(told=true).step(np.zeros(1))
        assert info["is_success"] is True


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (None, "gives None"),
        ("art", "gives 'art'"),
        (np.zeros((4, 5), np.uint8), r"gives uint8 \[4, 5\]"),
        (np.zeros((4, 5, 4), np.uint8), r"gives uint8 \[4, 5, 4\]"),
        (np.zeros((4, 5, 3)), r"gives float64 \[4, 5, 3\]"),
        (np.zeros((0, 5, 3), np.uint8), r"gives uint8 \[0, 5, 3\]"),
    ],
)
def test_what_is_no_picture_is_told(picture: Any, words: str) -> None:
    with pytest.raises(EmbodiedError, match=rf"render\(\) of Strange/Broken-v0 must give .* {words}$"):
        broken(picture=picture).observe()


@pytest.mark.parametrize(
    "rows",
    [[[0.1]], None, np.zeros(3), np.zeros((0, 3)), np.zeros((2, 0)), np.full((9, 9), np.inf), np.array([["a"]])],
    ids=lambda rows: type(rows).__name__ + str(np.shape(rows)),
)
def test_rows_that_are_no_actions_are_refused_in_one_line(rows: Any) -> None:
    with pytest.raises(EmbodiedError, match=r"an array \(T, A\) of finite numbers, a row a step") as caught:
        RawActions(rows=rows)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [[0.0, 0.0, 1.5], [-np.inf, 0.0, 0.0], [0.0, np.nan, 0.0]], ids=str)
def test_an_action_out_of_bounds_moves_nothing(reach: SpokenEnv, row: list[float]) -> None:
    reach.reset(seed=0, options={"split": "seen"})
    with pytest.raises(UnsafeCommandError, match=r"as number \d of its action, and panda_gym:.* takes -1 to 1 there"):
        reach.step(np.array(row))
    assert reach.time_s == 0.0
    reach.step(np.array([1.0 + 1e-9, 0.0, -1.0 - 1e-9]))


@pytest.mark.parametrize(
    ("env_id", "words", "senses", "error", "message"),
    [
        ("Strange/Line-v0", LINE, ("front",), EmbodiedError, "no render mode 'rgb_array'"),
        ("CartPole-v1", LINE, (), EmbodiedError, "CartPole-v1 takes Discrete actions"),
        ("Strange/Line-v0", LINE, ("wrist",), UnknownNameError, "observation"),
        (REACH, Words(words={}, state=("observatoin",)), (), UnknownNameError, "Did you mean 'observation'"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(
    env_id: str, words: Words, senses: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SpokenEnv(env_id, words, senses)


def test_an_unknown_id_is_answered_with_the_way_to_it() -> None:
    with pytest.raises(EmbodiedError, match="Did you mean Strange/Line-v0"):
        check_id("Strange/Lime-v0")
    with pytest.raises(EmbodiedError, match=r"Did you mean PandaPush-v3.*env=module:PandaPull-v3 names it"):
        check_id("PandaPull-v3")
    with pytest.raises(EmbodiedError, match="no module 'panda_gim'"):
        check_id("panda_gim:PandaPush-v3")
    for place in ("../x", ".x", "a/b", "x.py:y"):
        with pytest.raises(EmbodiedError, match="is no module's name"):
            check_id(f"{place}:Y-v0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- push", r"key: value"),
        ("words: []", "list of sentences"),
        ("words: push it", "list of sentences, not 'push it'"),
        ("camera: front", "list of sentences, not None"),
        ("words: {seen: [push, 3]}", "words of seen"),
        ("words: {sen: [push]}", "Did you mean 'seen'"),
        ("word: [push]", "Did you mean 'words'"),
        ("words: [push]\nstate: observation", "state must be a list"),
        ("words: [push", "not a YAML file"),
    ],
)
def test_faulty_words_are_told(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "words.yaml"
    file.write_text(text)
    with pytest.raises(EmbodiedError, match=words):
        read_words(file)


def evaluate(tmp_path: Path, text: str, *arguments: str) -> dict[str, Any]:
    file, out = tmp_path / "words.yaml", tmp_path / "eval.json"
    file.write_text(text)
    assert evaluation.main([f"words={file}", f"out={out}", "seed=1000000", *arguments]) == 0
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_an_evaluation_runs_it_by_split_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    words = "words: {seen: [push the cube to the mark], paraphrase: [shove it there]}"
    asked = (f"env={PUSH}", "policy=random", "episodes=2", "workers=1", "split=seen,paraphrase")
    report = evaluate(tmp_path, words, *asked)
    assert [(row["task"], row["split"], row["episodes"]) for row in report["results"]] == [
        (PUSH, "seen", 2),
        (PUSH, "paraphrase", 2),
    ]
    assert (report["suite"], report["protocol"]["env"], report["protocol"]["action_mode"]) == (PUSH, PUSH, "raw")
    lines = (tmp_path / "eval.jsonl").read_text().splitlines()
    assert [json.loads(line)["instruction"] for line in lines[1:]] == ["push the cube to the mark"] * 2 + [
        "shove it there"
    ] * 2
    (tmp_path / "eval.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    again = evaluate(tmp_path, words, *asked, "resume=true")
    assert again["results"][0] == report["results"][0] and again["results"][1]["episodes"] == 2
    with pytest.raises(ConfigError, match="of another run"):
        evaluate(tmp_path, words.replace("shove", "kick"), *asked, "resume=true")


def test_a_policy_of_one_s_own_succeeds_in_several_processes(tmp_path: Path) -> None:
    words = "words: [go to the green ball]\nstate: [observation, desired_goal]"
    asked = ("split=seen,no_language", "episodes=20", "workers=2")
    report = evaluate(tmp_path, words, f"env={REACH}", "policy=tests.embodied.test_foreign:Follower", *asked)
    assert [(row["split"], row["successes"]) for row in report["results"]] == [("seen", 20), ("no_language", 20)]
    # Nobody there can tell what was not asked for.
    assert all(row["wrong"] is row["wrong_ci95"] is None and row["refused"] == 0.0 for row in report["results"])


@pytest.mark.parametrize("split", ["seen", "no_language"])
def test_words_of_other_splits_are_named(tmp_path: Path, split: str) -> None:
    words = "words: {paraphrase: [shove it there]}"
    with pytest.raises(ConfigError, match=f"nothing is left to run of split={split}; there is paraphrase"):
        evaluate(tmp_path, words, f"env={PUSH}", "policy=random", "episodes=1", f"split={split}")
    with pytest.raises(UnknownNameError, match=r"split in the words 'seen'\. Valid: paraphrase"):
        Words(words={"paraphrase": ["shove it there"]}).draw("seen", 0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("policy=oracle",), EmbodiedError, "needs a simulator"),
        (("policy=colour_blob",), ObservationError, "where the camera stands is not known"),
        (("policy=random", "task=touch"), ConfigError, "leave task= and ros= out"),
        (("policy=random", "arm=ur5e"), ConfigError, "leave arm= and action_mode= out"),
        (("policy=random", "action_mode=joint"), ConfigError, "leave arm= and action_mode= out"),
        (("policy=random", "split=swapped"), ConfigError, "nothing is left"),
        (("policy=random", "words="), ConfigError, r"needs words=FILE\.yaml"),
        (("policy=random", "words=none.yaml"), ConfigError, "no such file with words"),
    ],
)
def test_what_cannot_be_run_there_is_said(
    tmp_path: Path, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        evaluate(tmp_path, "words: [push it]", f"env={PUSH}", "episodes=1", "workers=1", "split=seen", *arguments)
