# SPDX-License-Identifier: Apache-2.0
"""Evaluation: honest numbers, mistakes told before any episode, and nothing lost on the way."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embodied import controls, environments
from embodied.commands import eval as evaluation
from embodied.config import ConfigError
from embodied.errors import UnknownNameError
from embodied.motion.skills import SkillCall
from embodied.report import wilson
from embodied.types import Decision, Instruction, Observation
from tests.embodied.fake_env import FakeEnv

CALL = SkillCall(skill="pick", points_m=np.array([[0.5, 0.0, 0.02]]))
RESULT_KEYS = {
    *("task", "split", "episodes", "successes", "success", "ci95"),
    *("wrong", "wrong_ci95", "refused", "refused_ci95"),
    *("score_mean", "steps_mean", "decision_ms"),
}


class FakePolicy:
    """Moves once for each observation, and remembers what it was told."""

    needs: tuple[str, ...] = ()

    def __init__(self, *, interrupt_after: int = 10**9) -> None:
        self.told: list[str] = []
        self.left = interrupt_after

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.told.append(instruction.text)

    def decide(self, observation: Observation) -> Decision:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return Decision(text="pick", motion=CALL, observation_stamp_s=observation.stamp_s)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Evaluations run on FakeEnv with `faked.policy`."""
    world = types.SimpleNamespace(policy=FakePolicy(), environments=[])

    def make_environment(task: str, **options: Any) -> FakeEnv:
        world.environments.append(task)
        return FakeEnv(**options)

    monkeypatch.setattr(environments, "make_environment", make_environment)
    monkeypatch.setattr(controls, "make_policy", lambda name, options: world.policy)
    return world


def run(tmp_path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = tmp_path / "eval.json"
    code = evaluation.main([f"out={out}", "policy=random", "workers=1", *arguments])
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
        (task, split) for task in ("pick_up", "touch", "all") for split in ("seen", "paraphrase", "pair")
    ]
    assert {(row["episodes"], row["successes"]) for row in report["results"][6:]} == {(12, 8)}
    for row in report["results"][:6]:
        assert set(row) == RESULT_KEYS
        assert (row["episodes"], row["successes"]) == (6, 4)  # of seeds 1 to 6, 3 and 6 fail
        assert row["ci95"] == pytest.approx(wilson(4, 6))
        assert row["steps_mean"] == pytest.approx(8 / 6)
        assert (row["wrong"], row["refused"]) == (None, 0.0), "nobody judges in this world what went wrong"
        assert set(row["decision_ms"]) == {"p50", "p95"}
    text = capsys.readouterr().out
    assert "pick_up" in text and "66.7 [30, 90]" in text
    assert (tmp_path / "eval.png").stat().st_size > 1000
    assert faked.environments == ["pick_up", "touch"]


def test_controls_that_a_policy_lacks_are_refused_before_any_episode(
    tmp_path: Path, faked: types.SimpleNamespace
) -> None:
    with pytest.raises(ConfigError, match=r"no_vision.*'random' has no option no_vision"):
        run(tmp_path, "split=seen,no_vision", "episodes=2")
    assert faked.environments == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("policy=orakle",), UnknownNameError, "Did you mean 'oracle'"),
        (("arm=pandas",), UnknownNameError, "Did you mean 'panda'"),
        (("until=succes",), UnknownNameError, "Did you mean 'success'"),
        (("action_mode=skil",), UnknownNameError, "Did you mean 'skill'"),
        (("appearance=table:wodo",), UnknownNameError, "Did you mean 'wood'"),
        (("split=",), ConfigError, "at least one split"),
        (("workers=-1",), ConfigError, "at least 0"),
    ],
)
def test_mistakes_are_told_before_any_episode(
    arguments: tuple[str, ...],
    error: type[Exception],
    words: str,
    tmp_path: Path,
    faked: types.SimpleNamespace,
) -> None:
    with pytest.raises(error, match=words):
        run(tmp_path, *arguments)
    assert faked.environments == [] and list(tmp_path.iterdir()) == []


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
    assert len(set(faked.policy.told)) == 8 - done


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


@pytest.mark.parametrize("lacks", [("wrong", "refused"), ()])
def test_episodes_of_another_version_are_not_added_up(
    lacks: tuple[str, ...], tmp_path: Path, faked: types.SimpleNamespace
) -> None:
    arguments = ("task=pick_up", "split=seen", "episodes=2")
    run(tmp_path, *arguments)
    journal = tmp_path / "eval.jsonl"
    head, *lines = map(json.loads, journal.read_text().splitlines())
    old = [{name: value for name, value in line.items() if name not in lacks} for line in lines]
    changed = old if lacks else [line | {"mood": "good"} for line in old]
    text = "".join(json.dumps(line) + "\n" for line in (head, *changed))
    journal.write_text(text)
    with pytest.raises(ConfigError, match="of another version; choose another out="):
        run(tmp_path, *arguments, "resume=true")
    assert journal.read_text() == text, "it is left as it was"


def test_workers_know_the_appearances_of_tasks(tmp_path: Path) -> None:
    """They are processes of their own, which have loaded no environment yet."""
    arguments = ("policy=colour_blob", "task=touch", "split=seen", "episodes=2", "workers=2", "appearance=table:grey")
    code, report = run(tmp_path, *arguments)
    assert code == 0 and report["results"][0]["episodes"] == 2


def test_an_appearance_is_asked_of_each_environment_recorded_shown_and_never_mixed_with_another(
    tmp_path: Path, faked: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str | None] = []
    make = environments.make_environment
    monkeypatch.setattr(
        environments,
        "make_environment",
        lambda task, **options: asked.append(options.get("appearance")) or make(task, **options),
    )
    arguments = ("task=pick_up,touch", "split=seen,swapped", "episodes=2")
    _, report = run(tmp_path, *arguments, "appearance=table:black,light:dim")
    assert report["protocol"]["appearance"] == "table:black,light:dim"
    assert "table:black,light:dim" in capsys.readouterr().out
    assert asked == ["table:black,light:dim"] * 2
    for other in ((), ("appearance=table:black",)):
        with pytest.raises(ConfigError, match="of another run"):
            run(tmp_path, *arguments, "resume=true", *other)
    _, report = run(tmp_path, *arguments)
    assert report["protocol"]["appearance"] == ""
    assert asked[2:] == [None] * 2, "an environment without this option is run as before"


def test_an_environment_that_looks_in_one_way_is_refused_another(
    tmp_path: Path, faked: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments.load_environments()
    monkeypatch.delitem(environments.APPEARANCES, "touch")
    with pytest.raises(ConfigError, match="the pictures of 'touch' look in one way only"):
        run(tmp_path, "task=pick_up,touch", "appearance=noise")
    assert faked.environments == []


def test_the_oracle_solves_real_episodes_in_two_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: processes, gymnasium, physics. The result does not depend on the processes."""
    monkeypatch.setattr(evaluation, "EPISODES_PER_BATCH", 1)
    arguments = ["policy=oracle", "task=pick_up", "split=seen,swapped", "episodes=2", "seed=1000000"]
    rows = []
    for count in (1, 2):
        out = tmp_path / f"{count}.json"
        assert evaluation.main([*arguments, f"out={out}", f"workers={count}"]) == 0
        rows.append(json.loads(out.read_text())["results"])
    for row in (*rows[0], *rows[1]):
        row.pop("decision_ms")
    assert rows[0] == rows[1]
    seen, swapped = rows[0]
    assert (seen["wrong"], seen["refused"], swapped["wrong"]) == (0.0, 0.0, 0.0)
    assert (seen["successes"], swapped["successes"]) == (2, 2)
    assert swapped["original_success"] == 0.0
