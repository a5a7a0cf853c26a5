# SPDX-License-Identifier: Apache-2.0
"""Answers instructions as agent_node does, without a policy: the first word is how it ends."""

import json
import time

import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from std_srvs.srv import Trigger


def main():
    rclpy.init()
    node = rclpy.create_node("agent_node")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    status = node.create_publisher(String, "status", latched)
    plan = node.create_publisher(String, "plan", latched)
    count = 0

    def say(state, text="", instruction="", number=""):
        values = {"state": state, "text": text, "instruction": instruction, "id": number, "attempt": 1}
        status.publish(String(data=json.dumps(values)))

    def on_instruction(message):
        nonlocal count
        count += 1
        text, number = message.data, f"fake-{count}"
        say("thinking", "looking", text, number)
        plan.publish(String(data="touch red block"))
        time.sleep(0.1)
        say("moving", "touch red block", text, number)
        end = text.split()[0].replace("stop", "stopped")
        if end == "hang":  # its threads of DDS live on
            time.sleep(600.0)
        if end in ("done", "refused", "failed", "stopped"):
            time.sleep(0.1)
            say(end, "I see no red block" if end == "refused" else "", text, number)

    def on_cancel(_, response):
        print("cancelled", flush=True)
        response.success = True
        return response

    node.create_subscription(String, "instruction", on_instruction, 10)
    node.create_service(Trigger, "~/cancel", on_cancel)
    say("loading")
    time.sleep(0.5)
    say("ready")
    print("up", flush=True)
    rclpy.spin(node)


if __name__ == "__main__":
    from nodes.dds import use_local_transport

    use_local_transport()
    main()
