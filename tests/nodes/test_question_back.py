# SPDX-License-Identifier: Apache-2.0
"""An agent node that asks back: what is said next is the answer, unless somebody stopped it in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from std_msgs.msg import String
from std_srvs.srv import Trigger

from embodied.arm import arm_model
from embodied.types import Decision, Instruction, Joints, Observation

HOME = Joints(position_rad=arm_model("panda").home_rad, velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)


class Asking:
    """Asks which one is meant, and repeats what it was answered."""

    needs: tuple[str, ...] = ()

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self._heard = instruction

    def decide(self, observation: Observation) -> Decision:
        asks = not self._heard.asked
        text = "Which one?" if asks else f"{self._heard.earlier}, {self._heard.text}"
        stamp_s = observation.stamp_s
        return Decision(text=text, motion=None, observation_stamp_s=stamp_s, refused=True, asked=asks)


@pytest.fixture
def say(ros: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Says something to an agent node in this process whose arm is at home; answers with how it ended."""
    import rclpy
    from rclpy.parameter import Parameter

    from nodes.agent_node import AgentNode
    from nodes.ros_arm import RosArm

    def observe(arm: RosArm) -> Observation:
        return Observation(readings={"joints": replace(HOME, stamp_s=arm.now_s())})

    monkeypatch.setattr(RosArm, "observe", observe)
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros.env["ROS_DOMAIN_ID"]))
    overrides = [Parameter("policy", value=f"{__name__}:Asking"), Parameter("max_observation_age_s", value=60.0)]
    node = AgentNode(context=context, parameter_overrides=overrides)
    wait_until(lambda: node.is_ready)

    def said(text: str) -> tuple[str, str]:
        if text == "~/cancel":
            node._on_cancel(Trigger.Request(), Trigger.Response())
            return "", ""
        before = node._status["id"]
        node._on_instruction(String(data=text))
        wait_until(lambda: node._status["id"] != before and node._current is None)
        return str(node._status["state"]), str(node._status["text"])

    yield said
    node.close()
    node.destroy_node()
    context.try_shutdown()


def test_the_next_instruction_is_the_answer_to_a_question(say: Callable[[str], tuple[str, str]]) -> None:
    asked = ("refused", "Which one?")
    assert say("touch the block") == asked
    assert say("the left one") == ("refused", "touch the block, the left one")
    assert say("touch the bowl") == asked
    say("~/cancel")
    assert say("the left one") == asked
    assert say("stop")[0] == "stopped"
    assert say("the left one") == asked
