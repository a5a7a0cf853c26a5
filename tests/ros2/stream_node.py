# SPDX-License-Identifier: Apache-2.0
"""Publishes or counts a camera's pictures: `stream_node.py publish|count`."""

import array
import sys
import time

import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

FRAMES = 90
RATE_HZ = 30.0


def publish(node):
    picture = Image(width=640, height=480, step=1920, encoding="rgb8", data=array.array("B", bytes(480 * 640 * 3)))
    publisher = node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
    while not publisher.get_subscription_count():
        time.sleep(0.02)
    time.sleep(0.5)  # the other side has to discover this one too
    start = time.monotonic()
    for index in range(FRAMES):
        picture.header.frame_id = str(index)
        publisher.publish(picture)
        time.sleep(max(0.0, start + (index + 1) / RATE_HZ - time.monotonic()))
    print(f"sent {FRAMES}", flush=True)
    time.sleep(1.0)


def count(node):
    seen = set()
    last = [time.monotonic() + 60.0]

    def take(message):
        seen.add(message.header.frame_id)
        last[0] = time.monotonic() + 2.0

    node.create_subscription(Image, "image_raw", take, qos_profile_sensor_data)
    print("listening", flush=True)
    while len(seen) < FRAMES and time.monotonic() < last[0]:
        rclpy.spin_once(node, timeout_sec=0.1)
    print(f"received {len(seen)}", flush=True)


if __name__ == "__main__":
    from nodes.dds import use_local_transport

    use_local_transport()
    rclpy.init()
    {"publish": publish, "count": count}[sys.argv[1]](rclpy.create_node(f"stream_{sys.argv[1]}"))
    rclpy.shutdown()
