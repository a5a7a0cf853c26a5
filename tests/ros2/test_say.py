# SPDX-License-Identifier: Apache-2.0
"""`embodied say`: an instruction followed to its outcome."""

import os
import signal
import time
from pathlib import Path

import pytest

from embodied.safety.latch import LATCHED, Latch

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


def test_a_stop_that_only_the_agent_heard_is_written_to_the_file_of_the_gate(ros, agent):
    """A gate that hangs is not to be seen by who comes later; the file that its launch made is."""
    latch = Latch(Path(ros.env["XDG_RUNTIME_DIR"]) / "embodied" / f"emergency_stop.{ros.env['ROS_DOMAIN_ID']}.left")
    assert ros.start("-c", SAY, "stop", "left").wait() == 0
    assert not latch.path.exists(), "there is no gate, and never was"
    assert not latch.release()
    process = ros.start("-c", SAY, "stop", "left")
    assert process.wait() == 0
    assert f"{latch.path} says stopped" in process.text
    assert latch.read() == LATCHED
    latch.path.unlink()


def test_without_an_agent_it_says_how_to_start_one(ros):
    process = ros.start("-c", SAY, "done", "nobody_here")
    assert process.wait() == 2
    assert "ros2 launch embodied sim.launch.py" in process.text


def test_words_that_are_no_utf_8_are_refused_in_one_line(ros):
    code = "import sys; sys.argv = ['embodied', 'say', b'lift \\xff'.decode('utf-8', 'surrogateescape')]; "
    process = ros.start("-c", f"{code}from embodied.cli import main; sys.exit(main())")
    assert process.wait() == 2
    assert process.lines == [r"embodied: 'lift \udcff' is no UTF-8 at character 6: type it anew"]


JUNK = """
import time
from std_msgs.msg import String
from nodes.common import LATCHED, temporary_node
junk = ["", "[" * 60000, "[1]", '{"state": 3}', '{"state": []}', '{"state": "done", "id": {}}', "x" * 10**6]
with temporary_node("junk", "left") as node:
    status, plan = (node.create_publisher(String, topic, LATCHED) for topic in ("status", "plan"))
    for i in range(10**6):
        status.publish(String(data=junk[i % len(junk)]))
        plan.publish(String(data=f"\\x1b[2Jplan {i}"))
        time.sleep(0.05)
"""


def test_junk_on_status_is_ignored_and_no_control_character_reaches_the_terminal(ros, agent):
    junk = ros.start("-c", JUNK)
    process = ros.start("-c", SAY, "never", "left")
    process.wait_for(r"plan: \x1b[2Jplan")
    process.send(signal.SIGINT)
    assert process.wait() == 1
    assert process.lines[-1] == "stopped"
    assert "\x1b" not in process.text
    assert "Traceback" not in process.text
    junk.send(signal.SIGKILL)


def test_an_agent_that_dies_is_no_reason_to_wait(ros, agent):
    process = ros.start("-c", SAY, "never", "left")
    process.wait_for("moving: touch red block")
    agent.send(signal.SIGKILL)
    again = ros.start(str(AGENT), "--ros-args", "-r", "__ns:=/left")
    again.wait_for("up")
    assert process.wait() == 1
    assert process.lines[-1] == "the agent was started anew; say it again"


def test_a_stop_does_not_wait_for_an_agent_that_hangs_and_haste_does_not_cut_it_short(ros):
    latch = Latch(Path(ros.env["XDG_RUNTIME_DIR"]) / "embodied" / f"emergency_stop.{ros.env['ROS_DOMAIN_ID']}.deaf")
    agent = ros.start(str(AGENT), "--ros-args", "-r", "__ns:=/deaf")
    agent.wait_for("up")
    moving = ros.start("-c", SAY, "hang", "deaf")
    moving.wait_for("moving: touch red block")
    assert not latch.release()
    stop = ros.start("-c", SAY, "stop", "deaf")
    assert stop.wait(30.0) == 1
    assert "no outcome within 2 s" in stop.text
    assert f"{latch.path} says stopped" in stop.text
    assert not latch.release()
    for _ in range(3):  # somebody who sees the arm go on does not press once
        moving.send(signal.SIGINT)
        time.sleep(0.3)
    moving.wait(30.0)
    assert "stopping the arm" in moving.text
    assert f"{latch.path} says stopped" in moving.text, "it was brought to its end all the same"
    assert latch.read() == LATCHED


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_ends_it_waits_for_what_it_would_break(number):
    """In the midst of a message that is taken it ends as rclpy's error, and nobody stops the arm."""
    pytest.importorskip("rclpy")
    from nodes.common import interrupted_after

    ended = []

    def take() -> None:
        with interrupted_after():
            with interrupted_after():
                os.kill(os.getpid(), number)
                time.sleep(0.05)
            ended.append(True)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        with pytest.raises(KeyboardInterrupt):
            take()
        assert ended
        assert signal.getsignal(number) is interrupt
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
