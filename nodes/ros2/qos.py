# SPDX-License-Identifier: Apache-2.0
"""Quality of service on the command line, and the profile that connects to what is there."""

from __future__ import annotations

import argparse

from rclpy.node import Node
from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSHistoryPolicy,
    QoSLivelinessPolicy,
    QoSPresetProfiles,
    QoSProfile,
    QoSReliabilityPolicy,
)


def add_qos_arguments(sub: argparse.ArgumentParser, preset: str) -> None:
    """The `--qos-*` options of the real command."""
    sub.add_argument("--qos-profile", choices=QoSPresetProfiles.short_keys(), default=preset)
    sub.add_argument("--qos-depth", type=int)
    sub.add_argument("--qos-history", choices=QoSHistoryPolicy.short_keys())
    sub.add_argument("--qos-reliability", choices=QoSReliabilityPolicy.short_keys())
    sub.add_argument("--qos-durability", choices=QoSDurabilityPolicy.short_keys())
    sub.add_argument("--qos-liveliness", choices=QoSLivelinessPolicy.short_keys())


def chosen_qos(options: argparse.Namespace) -> tuple[QoSProfile, bool]:
    """The profile of the options, and whether anything beside the preset was chosen."""
    profile = QoSPresetProfiles.get_from_short_key(options.qos_profile)
    policies = {
        "history": QoSHistoryPolicy,
        "durability": QoSDurabilityPolicy,
        "reliability": QoSReliabilityPolicy,
        "liveliness": QoSLivelinessPolicy,
    }
    chosen = {name: getattr(options, f"qos_{name}") for name in policies}
    for name, key in chosen.items():
        if key:
            setattr(profile, name, policies[name].get_from_short_key(key))
    if options.qos_depth is not None:
        profile.depth = options.qos_depth
    return profile, any(chosen.values()) or options.qos_depth is not None


def compatible_qos(node: Node, topic: str, preset: QoSProfile) -> QoSProfile:
    """The preset, made reliable or transient local where every publisher of the topic offers it."""
    offered = [info.qos_profile for info in node.get_publishers_info_by_topic(topic)]
    if offered:
        reliable = all(qos.reliability == QoSReliabilityPolicy.RELIABLE for qos in offered)
        latched = all(qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL for qos in offered)
        preset.reliability = QoSReliabilityPolicy.RELIABLE if reliable else QoSReliabilityPolicy.BEST_EFFORT
        preset.durability = QoSDurabilityPolicy.TRANSIENT_LOCAL if latched else QoSDurabilityPolicy.VOLATILE
    return preset
