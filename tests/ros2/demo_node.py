# SPDX-License-Identifier: Apache-2.0
"""A node with one of everything, for the commands to look at."""

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool


def main() -> None:
    rclpy.init()
    node = rclpy.create_node("demo")
    node.declare_parameter("policy", "palme")
    node.declare_parameter("limits.speed", 0.5)
    node.declare_parameter("count", 3)
    node.declare_parameter("names", ["a", "b"])
    latched = node.create_publisher(String, "status", QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    latched.publish(String(data="ready"))
    joints = node.create_publisher(JointState, "joint_states", qos_profile_sensor_data)
    message = JointState(name=["a", "b"], position=[0.5, 1.5])
    node.create_timer(0.05, lambda: joints.publish(message))
    node.create_subscription(String, "instruction", lambda msg: print(f"heard {msg.data!r}", flush=True), 10)

    def answer(request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = request.data, "as you say"
        return response

    node.create_service(SetBool, "~/obey", answer)
    print("up", flush=True)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        rclpy.try_shutdown()


if __name__ == "__main__":
    from nodes.dds import use_local_transport

    use_local_transport()
    main()
