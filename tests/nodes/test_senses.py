# SPDX-License-Identifier: Apache-2.0
"""What the agent hears: facts that were told before it came, news, and nothing that is no status."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from geometry_msgs.msg import PoseStamped

from embodied.arm import arm_model
from embodied.errors import UnknownNameError
from nodes import conversions
from nodes.common import LATCHED, RELIABLE


@pytest.mark.parametrize(("camera", "quality", "before"), [("old", LATCHED, True), ("new", RELIABLE, False)])
def test_the_pose_of_a_camera_is_heard_whenever_it_is_told(graph: Any, camera: str, quality: Any, before: bool) -> None:
    from nodes.senses import Senses

    client, pose = graph.client, conversions.to_pose(np.eye(4), stamp_s=1.0)
    publisher = client.node.create_publisher(PoseStamped, f"camera/{camera}/pose", quality)
    if before:
        publisher.publish(pose)
    senses = Senses(client.node, replace(arm_model("panda"), cameras=("old", "new")))
    senses.open([camera])
    topic = f"camera/{camera}/pose"
    assert topic in senses.missing() or before
    if not before:
        client.wait(lambda: publisher.get_subscription_count() == 1, "nobody listens")
        publisher.publish(pose)
    client.wait(lambda: topic not in senses.missing(), "the pose is not heard")


def test_a_sense_that_the_arm_has_not_is_refused_with_those_that_it_has(graph: Any) -> None:
    from nodes.senses import Senses

    with pytest.raises(UnknownNameError, match=r"Did you mean 'wrist'.*front_depth.*joints, touch, wrist"):
        Senses(graph.client.node, arm_model("panda")).open(["wrst"])
