# SPDX-License-Identifier: Apache-2.0
"""Evaluation through a graph: the same seeds, real processes, and no quiet mix-up."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.commands.eval import EvalOptions
from embodied.config import ConfigError, parse
from nodes.ros_eval import GraphSession
from sim.tasks import make_task


def options(*arguments: str) -> EvalOptions:
    return parse(EvalOptions, ["ros=true", *arguments], command="embodied eval")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("split=seen,no_vision", "Valid: seen, paraphrase, pair, no_language"),
        ("split=swapped", "swapped"),
        ("action_mode=ee_delta", "action_mode=skill"),
    ],
)
def test_what_a_graph_cannot_do_is_said_before_it_is_started(argument: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        GraphSession(options(argument))


def test_a_graph_is_started_evaluated_and_ended(ros: Any, tmp_path: Path) -> None:
    command = ["-m", "embodied.cli", "eval", "policy=colour_blob", "task=pick_up", "split=seen"]
    command += ["episodes=2", "seed=700015"]  # two sentences that the baseline's few rules can read
    rows = []
    for place, extra in (("graph", "ros=true"), ("here", "workers=1")):
        out = tmp_path / f"{place}.json"
        process = ros.start(*command, extra, f"out={out}")
        assert process.wait(timeout_s=180.0) == 0, process.text
        rows.append([json.loads(line) for line in out.with_suffix(".jsonl").read_text().splitlines()])
    in_graph, here = rows
    assert in_graph[0]["execution"] == "ros graph"
    for said, wanted in zip(in_graph[1:], here[1:], strict=True):
        for key in ("task", "seed", "instruction", "success", "wrong", "refused"):
            assert said[key] == wanted[key]
    assert any(row["success"] for row in in_graph[1:])
    log = (tmp_path / "graph.graph.log").read_text()
    assert log.count("process has finished cleanly") >= 3, log


ONE_THING = """
from embodied.motion.skills import SkillCall
from embodied.types import Decision

class OneThing:
    needs = ()
    def __init__(self, place_m: str, checkpoint: str = "none"):
        self.place_m = [[float(number) for number in place_m.split()]]
    def reset(self, instruction, seed=None):
        self.done = False
    def decide(self, observation):
        import numpy as np
        was_done, self.done = self.done, True
        motion = None if was_done else SkillCall(skill="touch", points_m=np.array(self.place_m))
        return Decision(text="mine", motion=motion, done=was_done, observation_stamp_s=observation.stamp_s)
"""


def test_a_policy_of_ones_own_gets_its_options_and_another_graph_is_not_taken_for_it(ros: Any, tmp_path: Path) -> None:
    """The options alone say what to touch; a graph with others, or with another checkpoint, is refused."""
    (tmp_path / "my_policy.py").write_text(ONE_THING)
    place_m = " ".join(str(number) for number in place_of_the_thing(11))
    eval_ = ["-m", "embodied.cli", "eval", "ros=true", "policy=my_policy:OneThing", "task=touch"]
    eval_ += ["split=seen", "episodes=1", "seed=11", f"options.place_m={place_m}"]
    with ExitStack() as stack:
        process = ros.start(*eval_, "out=own.json", cwd=tmp_path)
        assert process.wait(timeout_s=180.0) == 0, process.text
        [_, row] = [json.loads(line) for line in (tmp_path / "own.jsonl").read_text().splitlines()]
        assert row["success"] is True, row
        options = json.dumps({"place_m": "0.5 0 0.1"})
        launch = ros.ros2(
            "launch", "embodied", "sim.launch.py", "policy:=my_policy:OneThing", "checkpoint:=here",
            f"policy_options:={options}", cwd=tmp_path,
        )  # fmt: skip
        stack.callback(launch.end)
        launch.wait_for("The graph is ready.")
        for extra, words in (
            ((), "has checkpoint 'here', not ''"),
            (("options.checkpoint=here",), "has policy_options"),
        ):
            process = ros.start(*eval_, *extra, "out=other.json", cwd=tmp_path)
            assert process.wait() != 0, process.text
            assert words in process.text


def place_of_the_thing(seed: int) -> list[float]:
    episode = make_task("touch").sample(np.random.default_rng(seed))
    [place_m] = [o.position_m.tolist() for o in episode.objects if o.name == episode.name_of("target")]
    return place_m
