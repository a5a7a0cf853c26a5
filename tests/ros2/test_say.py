# SPDX-License-Identifier: Apache-2.0
"""`embodied say`: an instruction followed to its outcome."""

import signal
from pathlib import Path

import pytest

AGENT = Path(__file__).with_name("fake_agent.py")
SAY = "import sys; from nodes.say import say; sys.exit(say(*sys.argv[1:3]))"


@pytest.fixture(scope="module")
def agent(ros):
    # In a namespace: relative names have to work there as well.
    process = ros.start(str(AGENT), "--ros-args", "-r", "__ns:=/left")
    process.wait_for("up")
    return process


def test_it_prints_plan_progress_and_outcome_in_order(ros, agent):
    process = ros.start("-c", SAY, "done please", "left")
    assert process.wait() == 0
    text = process.text
    assert text.index("thinking: looking") < text.index("moving: touch red block") < text.index("done")
    assert "plan: touch red block" in text


@pytest.mark.parametrize("end", ["refused", "failed"])
def test_the_exit_code_tells_that_it_was_not_done(ros, agent, end):
    process = ros.start("-c", SAY, f"{end} please", "left")
    assert process.wait() == 1
    assert end in process.lines[-1]


def test_the_same_words_again_are_a_new_instruction(ros, agent):
    for _ in range(2):
        process = ros.start("-c", SAY, "done again", "left")
        assert process.wait() == 0
        assert "thinking: looking" in process.text


def test_ctrl_c_stops_the_arm(ros, agent):
    heard = len(agent.lines)
    process = ros.start("-c", SAY, "never", "left")
    process.wait_for("moving: touch red block")
    process.send(signal.SIGINT)
    assert process.wait() == 1
    agent.wait_for("cancelled", after=heard)
    assert process.lines[-1] == "stopped"


def test_without_an_agent_it_says_how_to_start_one(ros):
    process = ros.start("-c", SAY, "done", "nobody_here")
    assert process.wait() == 2
    assert "ros2 launch embodied sim.launch.py" in process.text


def test_an_agent_that_dies_is_no_reason_to_wait(ros, agent):
    process = ros.start("-c", SAY, "never", "left")
    process.wait_for("moving: touch red block")
    agent.send(signal.SIGKILL)
    again = ros.start(str(AGENT), "--ros-args", "-r", "__ns:=/left")
    again.wait_for("up")
    assert process.wait() == 1
    assert process.lines[-1] == "the agent was started anew; say it again"
