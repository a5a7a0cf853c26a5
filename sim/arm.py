# SPDX-License-Identifier: Apache-2.0
"""The simulated arm behind the `Arm` contract: follows one trajectory at a time while time goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodied.arm import ArmFeatures
from embodied.errors import UnsafeCommandError
from embodied.robots import PANDA
from embodied.safety.path import TimedPath
from embodied.types import CameraFrame, Float, JointTrajectory, Observation, PrivilegedView
from sim.world import PHYSICS_HZ, World

CONTROL_STEPS = 2
"""Physics steps between two motor commands."""
TOUCH_STEPS = 12
"""Physics steps between two looks at what the fingers touch."""


class SimArm:
    """The arm of `world`. Time passes only in `advance`; between motions the arm holds still."""

    features: ArmFeatures = PANDA

    def __init__(
        self, world: World, cameras: Sequence[str] = ("front", "wrist"), picture_size_px: int = 224
    ) -> None:
        self.world = world
        self.cameras = tuple(cameras)
        self.picture_size_px = picture_size_px
        self.forget()

    def forget(self) -> None:
        """Drop the motion under way and hold where the arm is; call after the scene was replaced."""
        position, _, width = self.world.joint_state()
        self._hold_rad, self._width_m = position, width
        self._path: TimedPath | None = None
        self._path_steps = 0
        self._frames: dict[str, CameraFrame] = {}
        self._frames_key: tuple[int, float] | None = None

    @property
    def moving(self) -> bool:
        """Whether a trajectory is under way."""
        return self._path is not None

    def send(self, trajectory: JointTrajectory) -> JointTrajectory:
        """Start `trajectory` now, in place of the one under way; it is followed as it is.

        Raises UnsafeCommandError for numbers that are not finite or times that do not increase.
        """
        numbers = (
            trajectory.time_s,
            trajectory.position_rad,
            trajectory.velocity_rad_s,
            trajectory.gripper_width_m,
        )
        if not all(np.isfinite(values).all() for values in numbers):
            raise UnsafeCommandError("a trajectory holds a number that is not finite")
        if not len(trajectory.time_s) or np.diff(trajectory.time_s, prepend=0.0).min() <= 0.0:
            raise UnsafeCommandError("the times of a trajectory must increase from above zero")
        self._path = TimedPath(trajectory)
        self._path_steps = 0
        return trajectory

    def advance(self, steps: int) -> None:
        """Let `steps` of 1/240 s pass."""
        while steps > 0:
            count = min(CONTROL_STEPS, steps)
            position, velocity, width = self._command(count)
            self.world.step(position, velocity, width, count)
            before = self._path_steps
            self._path_steps += count
            steps -= count
            if before // TOUCH_STEPS != self._path_steps // TOUCH_STEPS:
                self.world.note_touches()

    def finish(self) -> None:
        """Let time pass until the trajectory under way is done."""
        if self._path is not None:
            self.advance(int(np.ceil(self._path.duration_s * PHYSICS_HZ)) - self._path_steps)

    def _command(self, count: int) -> tuple[Float, Float, float]:
        """Where the arm should be at the end of the next `count` steps."""
        if self._path is None:
            return self._hold_rad, np.zeros(7), self._width_m
        end_s = (self._path_steps + count) / PHYSICS_HZ
        position, velocity = self._path.sample(np.array([end_s]))
        self._hold_rad, self._width_m = position[0], self._path.gripper_width_at(end_s)
        if end_s >= self._path.duration_s:
            self._path = None
        return position[0], velocity[0], self._width_m

    @property
    def commanded_rad(self) -> Float:
        """Joint angles (7,) that the arm was last told to take."""
        return self._hold_rad

    def glide(self, goal_rad: Float, gripper_width_m: float, steps: int) -> bool:
        """Move evenly towards `goal_rad` (7,) during `steps` of 1/240 s, within the velocity limits.

        Returns whether the goal was near enough to be reached; the arm goes part of the way otherwise.
        Raises UnsafeCommandError for numbers that are not finite.
        """
        if not (np.isfinite(goal_rad).all() and np.isfinite(gripper_width_m)):
            raise UnsafeCommandError("a joint target is not finite")
        duration_s = steps / PHYSICS_HZ
        start = self._hold_rad
        velocity = (goal_rad - start) / duration_s
        excess = max(1.0, float((np.abs(velocity) / self.features.max_velocity_rad_s).max()))
        goal, velocity = start + (goal_rad - start) / excess, velocity / excess
        self._path, self._width_m = None, gripper_width_m
        for done in range(0, steps, CONTROL_STEPS):
            count = min(CONTROL_STEPS, steps - done)
            place = start + (goal - start) * ((done + count) / steps)
            self.world.step(place, velocity, gripper_width_m, count)
        self._hold_rad = goal
        self.world.note_touches()
        return excess == 1.0

    def observe(self, privileged: PrivilegedView | None = None) -> Observation:
        """Pictures and joint states of this instant; drawn once however often it is asked."""
        position, velocity, width = self.world.joint_state()
        key = (self.world.scene_number, self.world.time_s)
        if self._frames_key != key:
            self._frames = {name: self.world.render(name, self.picture_size_px) for name in self.cameras}
            self._frames_key = key
        return Observation(
            cameras=dict(self._frames),
            joint_position_rad=position,
            joint_velocity_rad_s=velocity,
            gripper_width_m=width,
            stamp_s=self.world.time_s,
            privileged=privileged,
        )
