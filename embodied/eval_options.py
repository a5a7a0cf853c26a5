# SPDX-License-Identifier: Apache-2.0
"""What `embodied eval` can be told, and what of it makes sense."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied.config import ConfigError, option
from embodied.errors import UnknownNameError

EXAMPLE = "embodied eval policy=palme suite=tabletop episodes=100 seed=1000000 out=runs/eval.json"


@dataclass
class EvalOptions:
    """Measure a policy: success with 95 % intervals, as table, JSON and figure."""

    policy: str = option("palme", "policy by name (see `embodied tasks`) or module:Class")
    suite: str = option("tabletop", "which tasks")
    task: list[str] = option([], "only these tasks, with commas between them")
    split: list[str] = option(
        ["seen", "paraphrase", "pair"], "also the controls no_language, swapped, no_vision, other_image"
    )
    episodes: int = option(100, "episodes for each task and split")
    seed: int = option(0, "seed of the first episode; training never sees 1000000 and up")
    action_mode: str = option("skill", "skill, ee_delta or joint: how the policy moves the arm")
    out: str = option("runs/eval.json", "the JSON; episodes (.jsonl) and figure (.png) go beside it")
    resume: bool = option(False, "go on with the episodes that an interrupted run has left beside `out`")
    workers: int = option(0, "processes; 0 is one for each core")
    options: dict[str, Any] = option({}, "options of the policy, as options.checkpoint=path")
    ros: bool = option(False, "run the same seeds through the ROS graph, started if none is running")
    rate: float = option(1.0, "with ros=true: simulated seconds in one second, 0 for as fast as possible")


def check(options: EvalOptions) -> list[tuple[str, str]]:
    """The (task, split) pairs to run. Raises ConfigError or UnknownNameError before anything is loaded."""
    from embodied.actions import ACTION_MODES
    from embodied.environments import suite_tasks
    from embodied.policy import POLICIES
    from embodied.rollout import CONTROLS, SPLITS

    tasks = suite_tasks(options.suite, options.task)
    for split in options.split:
        if split not in (*SPLITS, *CONTROLS):
            raise UnknownNameError("split", split, (*SPLITS, *CONTROLS))
    if options.policy not in POLICIES and ":" not in options.policy:
        raise UnknownNameError("policy", options.policy, POLICIES)
    if options.action_mode not in ACTION_MODES:
        raise UnknownNameError("action_mode", options.action_mode, ACTION_MODES)
    if options.episodes < 1 or options.workers < 0 or options.seed < 0:
        raise ConfigError("episodes must be at least 1, workers and seed at least 0")
    if not options.split:
        raise ConfigError("split= needs at least one split")
    if Path(options.out).suffix != ".json":
        raise ConfigError(f"out={options.out}: the name must end in .json")
    return [(task, split) for task in tasks for split in dict.fromkeys(options.split)]
