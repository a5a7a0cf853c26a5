# SPDX-License-Identifier: Apache-2.0
"""Words that stop, words that are refused, questions: what they do to an arm, with real processes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.arm import arm_model

HOME = arm_model("panda").home_rad
STILL_RAD = 0.01
BRAKED_RAD = 0.5
"""From the words to rest the arm may go this far; to its goal and home it would go further."""

UNWANTED = [
    ("pick up the purple block", "I see no purple block; I see: "),
    ("   ", "You said nothing"),
    ("make me a coffee", "I cannot do that"),
    ("where is the red block?", "I cannot do that"),
    ("Is the red block in the green bowl?", "I cannot do that"),
    ("don't touch the red block", "I cannot do that"),
]

SLOW = """
import time
class Slow:
    needs = ()
    def __init__(self, load_s: float = 0.0):
        time.sleep(load_s)
    def reset(self, instruction, seed=None):
        pass
    def decide(self, observation):
        time.sleep(600.0)
"""


def refuse(client: Any, text: str, answer: str) -> None:
    """Say what is to be refused; the arm must not notice."""
    before, sent = client.wait_still(), len(client.arm_messages)
    outcome = client.outcome(client.say(text))
    assert outcome["state"] == "refused"
    assert answer in outcome["text"]
    assert len(client.arm_messages) == sent
    assert np.abs(client.wait_still() - before).max() < STILL_RAD


@pytest.mark.parametrize(("text", "answer"), UNWANTED)
def test_what_is_refused_moves_nothing_at_home(client: Any, text: str, answer: str) -> None:
    refuse(client, text, answer)


def test_what_is_refused_moves_nothing_away_from_home(client: Any) -> None:
    instruction = client.say("touch the blue block")
    client.wait_moving()
    assert client.call("agent_node/cancel").success
    assert client.outcome(instruction)["state"] == "stopped"
    for text, answer in UNWANTED:
        refuse(client, text, answer)
        assert np.abs(client.wait_still() - HOME).max() > 0.05, "it is still where it was stopped"


def test_what_is_refused_leaves_a_held_block_in_the_hand(client: Any) -> None:
    client.does("pick up the red block")
    for text, answer in UNWANTED:
        refuse(client, text, answer)
        assert client.score()["held"] == "red block"


@pytest.mark.parametrize("words", ["stop", "STOP!", "Please stop now", "hAlT", "Don't move."])
def test_words_that_stop_stop_the_arm_and_it_stays(client: Any, words: str) -> None:
    instruction = client.say("put the yellow block in the white bowl")
    client.wait_moving()
    at = client.joints[-1][1]
    stop = client.say(words)
    assert client.outcome(stop)["state"] == "stopped"
    assert client.outcome(instruction)["state"] == "stopped"
    held = client.wait_still()
    assert np.abs(held - at).max() < BRAKED_RAD
    assert np.abs(held - HOME).max() > 0.05, "it did not come home"
    assert len([s for s in client.history if s["id"] == stop]) == 1, "no thinking, no moving"


def test_words_that_stop_where_nothing_moves_move_nothing(client: Any) -> None:
    before, sent = client.wait_still(), len(client.arm_messages)
    assert client.outcome(client.say("stop"))["state"] == "stopped"
    client.does("touch the blue block")
    assert len(client.arm_messages) > sent
    assert np.abs(client.wait_still() - before).max() < 0.02


@pytest.mark.parametrize("load_s", ["0.0", "600.0"])
def test_words_that_stop_wait_for_no_model(ros: Any, graph: Any, tmp_path: Path, load_s: str) -> None:
    """Neither for one that thinks, nor for one that loads."""
    (tmp_path / "slow.py").write_text(SLOW)
    client = graph.client
    for name in ("sim_node", "gate_node"):
        graph.start(name)
    if "agent_node" in graph.processes:
        graph.kill("agent_node")
    client.status = {}
    parameters = ["policy:=slow:Slow", f"policy_options:='{{\"load_s\": {load_s}}}'", "use_sim_time:=true"]
    arguments = [item for parameter in parameters for item in ("-p", parameter)]
    agent = ros.start("-m", "nodes.agent_node", "--ros-args", *arguments, cwd=tmp_path)
    try:
        client.wait(lambda: client.status.get("state") in ("loading", "ready"), "no agent")
        if load_s == "0.0":
            instruction = client.say("touch the blue block")
            client.wait(lambda: client.status.get("state") == "thinking", "it does not think")
            assert client.outcome(client.say_at_once("STOP"))["state"] == "stopped"
            assert client.outcome(instruction)["state"] == "stopped"
        else:
            assert client.outcome(client.say_at_once("STOP"))["state"] == "stopped"
            client.wait(lambda: client.status.get("state") == "loading", "it went on to load")
    finally:
        agent.end()
