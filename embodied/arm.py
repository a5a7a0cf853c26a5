# SPDX-License-Identifier: Apache-2.0
"""The contract of an arm: what stands behind the gate, in simulation or for real."""

from dataclasses import dataclass
from typing import Protocol

from embodied.types import Float, JointTrajectory, Observation


@dataclass(frozen=True, kw_only=True)
class ArmFeatures:
    """What an arm is, readable before it is connected."""

    joint_names: tuple[str, ...]
    lower_rad: Float  # (7,)
    upper_rad: Float  # (7,)
    max_velocity_rad_s: Float  # (7,)
    max_acceleration_rad_s2: Float  # (7,)
    max_gripper_width_m: float
    home_rad: Float  # (7,)
    cameras: tuple[str, ...]


class Arm(Protocol):
    """One arm with its cameras."""

    features: ArmFeatures

    def observe(self) -> Observation:
        """The newest pictures and joint states."""

    def send(self, trajectory: JointTrajectory) -> JointTrajectory:
        """Start a motion; returns what was really sent after limits."""
