# SPDX-License-Identifier: Apache-2.0
"""The parameters of gate_node, all of them read once at its start."""

from dataclasses import dataclass

import numpy as np
from rclpy.node import Node

from embodied.arm import ArmModel
from embodied.errors import UnsafeCommandError
from embodied.safety import GateLimits, Latch
from embodied.types import Float
from nodes.common import declare, declare_arm
from nodes.joint_states import PREFIX


@dataclass(frozen=True, kw_only=True)
class GateParameters:
    """What the gate was told about the arm, the limits and its own patience."""

    model: ArmModel
    limits: GateLimits
    heartbeat_timeout_s: float
    following_rad: float
    """How far a joint may be from where it was told to be."""
    latch: Latch
    joint_prefix: str


def read_parameters(node: Node) -> GateParameters:
    """Declare and read them. Raises EmbodiedError for values that make no sense."""
    usual = GateLimits()
    model = declare_arm(node)
    agent = "agent's silence that stops the arm, s"
    heartbeat_s = declare(node, "heartbeat_timeout_s", 0.3, agent, low=0.05, high=5.0)
    arm = "arm's silence that stops it, s"
    hearing_s = declare(node, "joint_states_timeout_s", usual.max_state_age_s, arm, low=0.05, high=5.0)
    age = "age of what a motion was decided on, s"
    proposal_s = declare(node, "max_proposal_age_s", usual.max_proposal_age_s, age, low=0.05, high=60.0)
    # In the simulator a joint is within 0.01 rad of where it was told to be when it was measured, and
    # within 0.1 rad where messages take 0.15 s each way.
    away = "how far a joint may be from where it was told to be, rad"
    following_rad = declare(node, "following_tolerance_rad", 0.12, away, low=0.01, high=3.0)
    file = "file that says released or stopped, so that an emergency stop outlives this process; empty: none"
    latch_file = declare(node, "latch_file", "", file)
    limits = GateLimits(
        workspace_lower_m=_corner(node, "workspace_lower_m", model.workspace_lower_m, "lowest"),
        workspace_upper_m=_corner(node, "workspace_upper_m", model.workspace_upper_m, "highest"),
        max_proposal_age_s=proposal_s,
        max_state_age_s=hearing_s,
    )
    return GateParameters(
        model=model,
        limits=limits,
        heartbeat_timeout_s=heartbeat_s,
        following_rad=following_rad,
        latch=Latch(latch_file),
        joint_prefix=str(declare(node, "joint_prefix", "", PREFIX)),
    )


def _corner(node: Node, name: str, usual_m: Float, which: str) -> Float:
    values = declare(node, name, usual_m.tolist(), f"{which} x, y, z of the hand, m")
    corner = np.array(values, dtype=np.float64)
    if corner.shape != (3,) or not np.isfinite(corner).all():
        raise UnsafeCommandError(f"{name} must be three numbers in metres, not {values}")
    return corner
