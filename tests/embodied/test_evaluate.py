# SPDX-License-Identifier: Apache-2.0
"""Evaluation: honest numbers, controls that do what they say, and nothing lost on the way."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied import evaluate, workers
from embodied.config import ConfigError
from embodied.errors import EmbodiedError
from embodied.report import percentile, wilson
from embodied.rollout import OTHER_SCENE_OFFSET, WORDS_WITHOUT_CONTENT, run_episode
from embodied.types import SKILLS, ActionChunk, Decision, Instruction, Observation, SkillCall

CALL = SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]]))
RESULT_KEYS = {
    *("task", "split", "episodes", "successes", "success", "ci95"),
    *("score_mean", "steps_mean", "decision_ms"),
}


class FakeEnv:
    """Succeeds on seeds that are no multiple of 3; the second step ends an episode."""

    action_mode = "skill"

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.resets: list[tuple[int, dict[str, Any]]] = []
        self.actions: list[Any] = []
        self.unwrapped = self

    def reset(self, *, seed: int, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        self.resets.append((seed, options))
        self.episode = types.SimpleNamespace(instruction=f"solve {seed}")
        self._steps = 0
        return {}, self._info(False)

    def _info(self, success: bool) -> dict[str, Any]:
        info = {"is_success": success, "score": float(success)}
        if self.resets[-1][1].get("swap"):
            info["original_success"] = not success
        return info

    def observe(self) -> Observation:
        seed = self.resets[-1][0]
        return Observation(
            cameras={},
            joint_position_rad=np.full(7, float(seed)),
            joint_velocity_rad_s=np.zeros(7),
            gripper_width_m=0.08,
            stamp_s=12.5,
        )

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self._steps += 1
        success = self.resets[-1][0] % 3 != 0
        return {}, 0.0, success, self._steps == 2, self._info(success)

    def close(self) -> None:
        self.options = {}


class FakePolicy:
    """Moves once for each observation, and remembers what it was told."""

    cameras: tuple[str, ...] = ()

    def __init__(self, *, answer: Decision | None = None, interrupt_after: int = 10**9) -> None:
        self.told: list[str] = []
        self.answer = answer
        self.left = interrupt_after

    def reset(self, instruction: Instruction) -> None:
        self.told.append(instruction.text)

    def decide(self, observation: Observation) -> Decision:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return self.answer or Decision(text="pick", motion=CALL, observation_stamp_s=observation.stamp_s)


class FakeModelPolicy(FakePolicy):
    """One with a model inside that controls can act on."""

    def __init__(self) -> None:
        super().__init__()
        self.controls: list[str | None] = []
        self.others: list[float] = []

    def set_control(self, control: str | None) -> None:
        self.controls.append(control)

    def set_other_observation(self, observation: Observation) -> None:
        self.others.append(float(observation.joint_position_rad[0]))


@given(st.integers(1, 3000), st.data())
def test_the_interval_holds_the_rate_and_mirrors(episodes: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, episodes))
    low, high = wilson(successes, episodes)
    assert 0 <= low <= successes / episodes <= high <= 1
    assert high - low > 0
    mirrored = wilson(episodes - successes, episodes)
    assert mirrored == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("successes", "episodes", "interval"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (50, 100, (0.4038, 0.5962)), (1, 1, (0.2065, 1.0))],
)
def test_the_interval_is_wilsons(successes: int, episodes: int, interval: tuple[float, float]) -> None:
    assert wilson(successes, episodes) == pytest.approx(interval, abs=5e-5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_percentiles_are_numpys(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == pytest.approx(np.percentile(values, percent), rel=1e-6, abs=1e-6)


def test_a_plain_episode_says_its_words_and_counts_its_steps() -> None:
    env, policy = FakeEnv(), FakePolicy()
    result = run_episode(env, policy, task="pick_up", split="paraphrase", seed=4)
    assert env.resets == [(4, {"split": "paraphrase"})]
    assert policy.told == ["solve 4"]
    assert (result.success, result.score, result.steps) == (True, 1.0, 1)
    assert len(result.decision_ms) == 1
    action = env.actions[0]
    assert action["skill"] == SKILLS.index("pick")
    np.testing.assert_allclose(action["points_m"], [[0.5, 0, 0.02], [0, 0, 0]], rtol=1e-6)


def test_a_failed_motion_is_tried_again_until_the_episode_ends() -> None:
    result = run_episode(FakeEnv(), FakePolicy(), task="pick_up", split="seen", seed=3)
    assert (result.success, result.steps, len(result.decision_ms)) == (False, 2, 2)


def test_a_refusal_ends_the_episode_without_a_motion() -> None:
    env = FakeEnv()
    refusal = Decision(text="I see no bowl", motion=None, observation_stamp_s=12.5, refused=True)
    result = run_episode(env, FakePolicy(answer=refusal), task="pick_up", split="seen", seed=4)
    assert (result.success, result.steps, result.answer) == (False, 0, "I see no bowl")
    assert env.actions == []


def test_a_motion_that_the_mode_cannot_take_is_an_error() -> None:
    chunk = ActionChunk(ee_delta=np.zeros((3, 5), dtype=np.float32), rate_hz=10.0)
    policy = FakePolicy(answer=Decision(text="", motion=chunk, observation_stamp_s=12.5))
    with pytest.raises(EmbodiedError, match=r"ActionChunk.*action_mode=skill.*ee_delta"):
        run_episode(FakeEnv(), policy, task="pick_up", split="seen", seed=4)


def test_a_policy_that_draws_is_seeded_with_the_episode() -> None:
    policy = FakePolicy()
    seeds: list[int] = []
    policy.set_seed = seeds.append  # type: ignore[attr-defined]
    for seed in (4, 7):
        run_episode(FakeEnv(), policy, task="pick_up", split="seen", seed=seed)
    assert seeds == [4, 7]


def test_no_language_takes_the_words_away() -> None:
    env, policy = FakeEnv(), FakePolicy()
    result = run_episode(env, policy, task="pick_up", split="no_language", seed=4)
    assert env.resets == [(4, {"split": "seen"})]
    assert policy.told == [WORDS_WITHOUT_CONTENT]
    assert result.instruction == WORDS_WITHOUT_CONTENT


def test_swapped_counts_the_words_that_were_given() -> None:
    env = FakeEnv()
    result = run_episode(env, FakePolicy(), task="pick_up", split="swapped", seed=4)
    assert env.resets == [(4, {"split": "seen", "swap": True})]
    assert (result.success, result.original_success) == (True, False)


def test_controls_inside_of_a_model_are_set_and_taken_back() -> None:
    env, policy = FakeEnv(), FakeModelPolicy()
    for split in ("no_vision", "seen", "other_image", "pair"):
        run_episode(env, policy, task="pick_up", split=split, seed=4)
    assert policy.controls == ["no_vision", None, "other_image", None]
    assert policy.others == [4.0 + OTHER_SCENE_OFFSET]
    assert [seed for seed, _ in env.resets] == [4, 4, 4 + OTHER_SCENE_OFFSET, 4, 4]


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Evaluations run on FakeEnv with `faked.policy`."""
    world = types.SimpleNamespace(policy=FakePolicy(), environments=[])

    def make_environment(task: str, **options: Any) -> FakeEnv:
        world.environments.append(task)
        return FakeEnv(**options)

    monkeypatch.setattr(workers, "make_environment", make_environment)
    monkeypatch.setattr(workers, "make_policy", lambda name, options: world.policy)
    return world


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "eval.json"
    code = evaluate.main([f"out={out}", "policy=random", "workers=1", *arguments])
    return code, json.loads(out.read_text())


def test_the_report_has_the_documented_form(
    tmp_path: Path, faked: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(tmp_path, "task=pick_up,touch", "episodes=6", "seed=1")
    assert code == 0
    assert list(report) == ["suite", "policy", "seed", "protocol", "versions", "results"]
    assert (report["suite"], report["policy"], report["seed"]) == ("tabletop", "random", 1)
    assert report["protocol"]["complete"] is True and report["protocol"]["action_mode"] == "skill"
    assert report["versions"]["numpy"] == np.__version__
    assert [(row["task"], row["split"]) for row in report["results"]] == [
        (task, split) for task in ("pick_up", "touch") for split in ("seen", "paraphrase", "pair")
    ]
    for row in report["results"]:
        assert set(row) == RESULT_KEYS
        assert (row["episodes"], row["successes"]) == (6, 4)  # of seeds 1 to 6, 3 and 6 fail
        assert row["ci95"] == pytest.approx(wilson(4, 6))
        assert row["steps_mean"] == pytest.approx(8 / 6)
        assert set(row["decision_ms"]) == {"p50", "p95"}
    text = capsys.readouterr().out
    assert "pick_up" in text and "66.7 %" in text
    assert (tmp_path / "eval.png").stat().st_size > 1000
    assert faked.environments == ["pick_up", "touch"]


def test_controls_that_a_policy_lacks_are_refused_before_any_episode(
    tmp_path: Path, faked: types.SimpleNamespace
) -> None:
    with pytest.raises(ConfigError, match=r"no_vision.*'random'.*palme"):
        run(tmp_path, "split=seen,no_vision", "episodes=2")
    assert faked.environments == []


def test_an_interrupted_run_reports_what_it_has_and_can_go_on(
    tmp_path: Path, faked: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("task=pick_up", "split=seen", "episodes=8", "seed=1")
    faked.policy = FakePolicy(interrupt_after=5)
    code, report = run(tmp_path, *arguments)
    assert code == 1
    done = report["results"][0]["episodes"]
    assert 0 < done < 8
    assert report["protocol"]["complete"] is False
    assert "resume=true" in capsys.readouterr().out
    faked.policy = FakePolicy()
    code, report = run(tmp_path, *arguments, "resume=true")
    assert code == 0
    assert report["results"][0]["episodes"] == 8
    assert len(faked.policy.told) == 8 - done


def test_a_journal_that_was_cut_off_in_the_middle_of_a_line_is_used(
    tmp_path: Path, faked: types.SimpleNamespace
) -> None:
    arguments = ("task=pick_up", "split=seen", "episodes=4", "seed=1")
    run(tmp_path, *arguments)
    journal = tmp_path / "eval.jsonl"
    journal.write_text(journal.read_text()[:-30])
    faked.policy = FakePolicy()
    _, report = run(tmp_path, *arguments, "resume=true")
    assert report["results"][0]["episodes"] == 4
    assert faked.policy.told == ["solve 4"]
    _, again = run(tmp_path, *arguments, "resume=true")
    assert again["results"][0]["episodes"] == 4
    assert faked.policy.told == ["solve 4"]


def test_episodes_of_another_run_are_not_added_up(tmp_path: Path, faked: types.SimpleNamespace) -> None:
    run(tmp_path, "task=pick_up", "split=seen", "episodes=2")
    with pytest.raises(ConfigError, match="of another run"):
        run(tmp_path, "task=pick_up", "split=seen", "episodes=2", "resume=true", "options.temperature=2")


def test_the_oracle_solves_real_episodes_in_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: processes, gymnasium, physics. The result does not depend on the processes."""
    monkeypatch.setattr(workers, "EPISODES_PER_BATCH", 1)
    arguments = ["policy=oracle", "task=pick_up", "split=seen,swapped", "episodes=2", "seed=1000000"]
    rows = []
    for count in (1, 2):
        out = tmp_path / f"{count}.json"
        assert evaluate.main([*arguments, f"out={out}", f"workers={count}"]) == 0
        rows.append(json.loads(out.read_text())["results"])
    for row in (*rows[0], *rows[1]):
        row.pop("decision_ms")
    assert rows[0] == rows[1]
    seen, swapped = rows[0]
    assert (seen["successes"], swapped["successes"]) == (2, 2)
    assert swapped["original_success"] == 0.0
