# SPDX-License-Identifier: Apache-2.0
"""Runs evaluation episodes through a ROS graph: the seeds of `embodied eval`, the nodes of the launch.

A simulated graph that is running already is used as it is; otherwise `sim.launch.py` is started, and
ended with the session.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rcl_interfaces.srv import GetParameters, SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from embodied.commands.eval import EvalOptions
from embodied.config import ConfigError
from embodied.controls import WORDS_WITHOUT_CONTENT
from embodied.environments import SPLITS
from embodied.episode import EpisodeResult, judged
from embodied.errors import EmbodiedError
from nodes import launched
from nodes.common import spin_until, temporary_node
from nodes.conversation import Conversation

VALID_SPLITS = (*SPLITS, "no_language")
_FOUND_WITHIN_S = 6.0
_READY_WITHIN_S = 180.0
_ANSWER_WITHIN_S = 10.0
_EPISODE_WITHIN_S = 120.0
_DELIVERED_S = 0.2
_SETTLE_S = 0.3


class GraphSession:
    """A graph to run episodes in, while the `with` block lasts."""

    until = "done"
    """What ends an episode: the policy's own word, for in a graph no simulator tells the agent of a success."""

    def __init__(self, options: EvalOptions) -> None:
        wrong = [split for split in options.split if split not in VALID_SPLITS]
        if wrong:
            raise ConfigError(
                f"ros=true cannot run split={','.join(wrong)}: the graph takes words alone. "
                f"Valid: {', '.join(VALID_SPLITS)}."
            )
        if options.action_mode != "skill":
            raise ConfigError(f"ros=true runs action_mode=skill, not {options.action_mode}")
        rest = dict(options.options)
        own = {name: str(rest.pop(name, "")) for name in ("checkpoint", "device")}
        self._rate, self._out, self._device = options.rate, Path(options.out), own["device"]
        self._appearance = options.appearance
        self._wanted = {"policy": options.policy, "arm": options.arm, "checkpoint": own["checkpoint"]}
        self._wanted["policy_options"] = json.dumps(rest, sort_keys=True)
        self._launch: subprocess.Popen[bytes] | None = None
        self._said: list[str] = []

    def __enter__(self) -> GraphSession:
        with ExitStack() as stack:
            stack.callback(self._end)
            self._node = stack.enter_context(temporary_node(f"evaluation_{os.getpid()}"))
            self._talk = Conversation(self._node, self._said.append)
            self._reset: Any = self._node.create_client(Trigger, "sim_node/reset")
            self._score: Any = self._node.create_client(Trigger, "sim_node/score")
            self._set: Any = self._node.create_client(SetParameters, "sim_node/set_parameters")
            self._get: Any = self._node.create_client(GetParameters, "agent_node/get_parameters")
            self._join()
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.close()

    def _end(self) -> None:
        """End the graph if this session started it."""
        if self._launch is not None:
            launched.end(self._launch)
        self._launch = None

    def run_episode(self, *, task: str, split: str, seed: int) -> EpisodeResult:
        """Run the episode of `seed`: reset the world, say the words, wait for the outcome, score it."""
        scene = self._start_episode(task, split if split in SPLITS else "seen", seed)
        words = WORDS_WITHOUT_CONTENT if split == "no_language" else str(scene["instruction"])
        self._said.clear()
        # A reset moves the arm and all things at once, as no world does: what tells of the scene before it, and is
        # on its way still, has to arrive before anybody looks.
        time.sleep(_DELIVERED_S)
        self._talk.forget()  # what was said in the last episode
        if scene["earlier"]:
            self._talk.say(str(scene["earlier"]), _EPISODE_WITHIN_S)
            self._said.clear()
        self._talk.say(words, _EPISODE_WITHIN_S)
        score = self._score_now()
        if not score["is_success"]:
            time.sleep(_SETTLE_S)  # what was let go may still be falling
            score = self._score_now()
        answer = self._said[-1] if self._said else ""
        moved = sum(line.startswith("moving") for line in self._said)
        success, share, wrong = judged(score, answer.partition(": ")[2], moved)  # the words are behind the state
        return EpisodeResult(
            task=task,
            split=split,
            seed=seed,
            instruction=words,
            answer=answer,
            success=success,
            score=share,
            wrong=wrong,
            refused=answer.startswith("refused"),
            steps=moved,
            decision_ms=[],
        )

    def _join(self) -> None:
        if self._talk.wait_for_agent(_FOUND_WITHIN_S):
            self._check_graph()
        else:
            self._start()
        self._until(self._ready, _READY_WITHIN_S, "the graph is not ready")
        for client in (self._reset, self._score, self._set):
            if not client.wait_for_service(_ANSWER_WITHIN_S):
                raise EmbodiedError(
                    f"this graph has no {client.srv_name}: evaluation needs a simulated arm (sim.launch.py)"
                )

    def _check_graph(self) -> None:
        """Raises EmbodiedError when the running agent has another policy or arm than those to evaluate."""
        self._get.wait_for_service(_ANSWER_WITHIN_S)
        answer = self._call(self._get, GetParameters.Request(names=list(self._wanted)))
        for (name, value), found in zip(self._wanted.items(), answer.values, strict=False):
            running = found.string_value
            if name == "policy_options":  # however they were written
                running = json.dumps(json.loads(running), sort_keys=True)
            if running != value:
                raise EmbodiedError(
                    f"the graph that is running has {name} {running!r}, not {value!r}: end it, or evaluate what runs"
                )

    def _start(self) -> None:
        given = {**self._wanted, "device": self._device, "rate": self._rate}
        arguments = [f"{name}:={value}" for name, value in given.items()]
        self._log = self._out.with_suffix(".graph.log")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._log.write_bytes(b"")
        self._launch = launched.launch(["embodied", "sim.launch.py", *arguments], self._log)

    def _ready(self) -> bool:
        if self._launch is not None and self._launch.poll() is not None:
            last = launched.last_words(self._log)
            raise EmbodiedError(f"the graph ended before it was ready ({self._log}): {last}")
        return self._talk.wait_until_ready(0.5)

    def _start_episode(self, task: str, split: str, seed: int) -> dict[str, Any]:
        values: dict[str, Any] = {"task": task, "split": split, "seed": seed, "appearance": self._appearance}
        request = SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        )
        for result in self._call(self._set, request).results:
            if not result.successful:
                raise EmbodiedError(f"sim_node refused a parameter: {result.reason}")
        answer = self._call(self._reset, Trigger.Request())
        if not answer.success:
            raise EmbodiedError(f"sim_node could not start the episode: {answer.message}")
        scene: dict[str, Any] = json.loads(answer.message)
        return scene

    def _score_now(self) -> dict[str, Any]:
        score: dict[str, Any] = json.loads(self._call(self._score, Trigger.Request()).message)
        return score

    def _call(self, client: Any, request: Any) -> Any:
        future = client.call_async(request)
        self._until(future.done, _ANSWER_WITHIN_S, f"{client.srv_name} does not answer")
        return future.result()

    def _until(self, condition: Callable[[], bool], timeout_s: float, complaint: str) -> None:
        if not spin_until(self._node, condition, timeout_s):
            raise EmbodiedError(f"{complaint} after {timeout_s:g} s")
