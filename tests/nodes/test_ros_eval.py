# SPDX-License-Identifier: Apache-2.0
"""Evaluation through a graph: the same seeds, real processes, and no quiet mix-up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from embodied.commands.eval import EvalOptions
from embodied.config import ConfigError, parse
from nodes.ros_eval import GraphSession


def options(*arguments: str) -> EvalOptions:
    return parse(EvalOptions, ["ros=true", *arguments], command="embodied eval")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("split=seen,no_vision", "Valid: seen, paraphrase, pair, no_language"),
        ("split=swapped", "swapped"),
        ("action_mode=ee_delta", "action_mode=skill"),
        ("options.sure=0.5", "checkpoint, device"),
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
        for key in ("task", "seed", "instruction", "success"):
            assert said[key] == wanted[key]
    assert any(row["success"] for row in in_graph[1:])
    log = (tmp_path / "graph.graph.log").read_text()
    assert log.count("process has finished cleanly") >= 3, log
