# SPDX-License-Identifier: Apache-2.0
"""The simulated arm behind the `Arm` contract: follows one trajectory at a time while time goes on."""

from collections.abc import Callable, Sequence

import numpy as np

from embodied.arm import Outcome
from embodied.environments import check_picture_size
from embodied.errors import UnsafeCommandError
from embodied.motion.path import TimedPath
from embodied.types import JOINTS, Float, Joints, JointTrajectory, Motion, Observation, PrivilegedView, Reading
from sim.senses import check_sense, sense
from sim.world import PHYSICS_HZ, World

CONTROL_STEPS = 2
"""Physics steps between two motor commands."""
TOUCH_STEPS = 12
"""Physics steps between two looks at what the fingers touch."""
SETTLE_STEPS = 24
"""Physics steps after a motion, in which what was let go comes to rest."""
_TICK_STEPS = 24


class SimArm:
    """The arm of `world`. Time passes only in `advance`; between motions the arm holds still.

    `senses` are what it senses besides its joints, see `sim.senses`; pictures are squares of `picture_size_px`.
    """

    def __init__(self, world: World, senses: Sequence[str], picture_size_px: int = 224) -> None:
        for name in senses:
            check_sense(name)
        check_picture_size(picture_size_px)
        self.world = world
        self.model = world.model
        self.senses = tuple(senses)
        self.picture_size_px = picture_size_px
        self.forget()

    def forget(self) -> None:
        """Drop the motion under way and hold where the arm is; call after the scene was replaced."""
        position, _, width = self.world.joint_state()
        self.commanded_rad = position
        """Joint angles (N,) that the arm was last told to take."""
        self.told_width_m = width
        """Width that the fingers were last told to take."""
        self._path: TimedPath | None = None
        self._path_steps = 0
        self._readings: dict[str, Reading] = {}
        self._readings_key: tuple[int, float] | None = None
        self._stopping = False
        self.narrowest_m = width

    def now_s(self) -> float:
        """Simulated seconds since the scene began."""
        return self.world.time_s

    def execute(
        self, motion: Motion, observation: Observation | None = None, on_tick: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Plan `motion` from where the arm is, run it to its end and let things settle.

        Raises UnreachableError, and nothing moves; what `on_tick` raises stops the arm and goes on.
        """
        position, _, width = self.world.joint_state()
        trajectory = motion.plan(self.model, position, width)
        self.send(trajectory)
        self._stopping = False
        try:
            while self._path is not None and not self._stopping:
                on_tick()
                left = int(np.ceil(self._path.duration_s * PHYSICS_HZ)) - self._path_steps
                self.advance(min(left, _TICK_STEPS))
        finally:
            stopped, self._path = self._path is not None, None
        self.advance(SETTLE_STEPS)
        return Outcome(
            state="stopped" if stopped else "done",
            narrowest_m=self.narrowest_m,
            width_m=float(trajectory.gripper_width_m[-1]),
        )

    def stop(self) -> None:
        """Hold where the arm is told to be; `execute` then returns."""
        self._stopping = True

    def send(self, trajectory: JointTrajectory) -> JointTrajectory:
        """Start `trajectory` now, in place of the one under way; it is followed as it is.

        Raises UnsafeCommandError for numbers that are not finite or times that do not increase.
        """
        numbers = (trajectory.time_s, trajectory.position_rad, trajectory.velocity_rad_s, trajectory.gripper_width_m)
        if not all(np.isfinite(values).all() for values in numbers):
            raise UnsafeCommandError("a trajectory holds a number that is not finite")
        if not len(trajectory.time_s) or np.diff(trajectory.time_s, prepend=0.0).min() <= 0.0:
            raise UnsafeCommandError("the times of a trajectory must increase from above zero")
        self._path = TimedPath(trajectory)
        self._path_steps = 0
        self.narrowest_m = np.inf
        return trajectory

    def advance(self, steps: int) -> None:
        """Let `steps` of 1/240 s pass."""
        while steps > 0:
            count = min(CONTROL_STEPS, steps)
            position, velocity, width = self._command(count)
            self.world.step(position, velocity, width, count)
            self._path_steps += count
            steps -= count
            if self._path_steps % TOUCH_STEPS < count:
                self.world.note_touches()
                self.narrowest_m = min(self.narrowest_m, self.world.joint_state()[2])

    def _command(self, count: int) -> tuple[Float, Float, float]:
        """Where the arm should be at the end of the next `count` steps."""
        if self._path is None:
            return self.commanded_rad, np.zeros(self.model.joints), self.told_width_m
        end_s = (self._path_steps + count) / PHYSICS_HZ
        [self.commanded_rad], [velocity] = self._path.sample(np.array([end_s]))
        self.told_width_m = self._path.gripper_width_at(end_s)
        if end_s >= self._path.duration_s:
            self._path = None
        return self.commanded_rad, velocity, self.told_width_m

    def glide(self, goal_rad: Float, gripper_width_m: float, steps: int) -> bool:
        """Move evenly towards `goal_rad` (N,) during `steps` of 1/240 s, within the velocity limits.

        Returns whether the goal was near enough to be reached; the arm goes part of the way otherwise.
        Raises UnsafeCommandError for numbers that are not finite.
        """
        if not (np.isfinite(goal_rad).all() and np.isfinite(gripper_width_m)):
            raise UnsafeCommandError("a joint target is not finite")
        duration_s = steps / PHYSICS_HZ
        start = self.commanded_rad
        velocity = (goal_rad - start) / duration_s
        excess = max(1.0, float((np.abs(velocity) / self.model.max_velocity_rad_s).max()))
        goal, velocity = start + (goal_rad - start) / excess, velocity / excess
        self._path, self.told_width_m = None, gripper_width_m
        for done in range(0, steps, CONTROL_STEPS):
            count = min(CONTROL_STEPS, steps - done)
            place = start + (goal - start) * ((done + count) / steps)
            self.world.step(place, velocity, gripper_width_m, count)
        self.commanded_rad = goal
        self.world.note_touches()
        self.narrowest_m = self.world.joint_state()[2]
        return excess == 1.0

    def observe(self, privileged: PrivilegedView | None = None) -> Observation:
        """The readings of this instant; each is taken once however often it is asked for."""
        key = (self.world.scene_number, self.world.time_s)
        if self._readings_key != key:
            position, velocity, width = self.world.joint_state()
            felt = Joints(
                position_rad=position, velocity_rad_s=velocity, gripper_width_m=width, stamp_s=self.world.time_s
            )
            seen = {name: sense(self.world, name, self.picture_size_px) for name in self.senses}
            self._readings, self._readings_key = {JOINTS: felt, **seen}, key
        return Observation(readings=dict(self._readings), privileged=privileged)
