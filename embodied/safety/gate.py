# SPDX-License-Identifier: Apache-2.0
"""The deterministic check after everything that learns: a motion passes whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from embodied.arm import ArmModel
from embodied.errors import UnsafeCommandError
from embodied.motion.clearance import Box
from embodied.motion.path import TimedPath
from embodied.motion.trajectory import MAX_DURATION_S
from embodied.safety.splice import BLENDS_S, Curve, Seam, meeting_s, splice
from embodied.safety.streamer import SPARE
from embodied.types import Float, JointTrajectory

MAX_POINTS = 5000
"""Points of a motion; whoever converts one looks at no more."""
_NEAREST_S = 0.001
_BLEND_SHARE, _PAUSE_S = 0.2, 0.01
_SAME_RAD = 1e-5
"""A start this near to where the arm is measured costs less than a fiftieth of its acceleration."""
_ROUNDING = 1e-6
_READABLE = 1e6


@dataclass(frozen=True, kw_only=True)
class GateLimits:
    """What the gate allows beside the limits of the arm itself."""

    workspace_lower_m: Float | None = None
    """(3,) where the hand may be; None: as the arm's model says."""
    workspace_upper_m: Float | None = None
    start_tolerance_rad: float = 0.05
    """How far from the measured joints a motion may start."""
    start_speed_rad_s: float = 0.1
    """How fast the arm may still move when a motion is accepted."""
    overshoot_rad: float = 1e-3
    """Joint positions this little beyond a limit are set to the limit, not refused."""
    overshoot_width_m: float = 2e-3
    max_duration_s: float = MAX_DURATION_S
    max_proposal_age_s: float = 2.0
    """Age of the observation that a motion was decided on, in steady time."""
    max_state_age_s: float = 0.3
    """Age of the joint states in steady time."""


@dataclass(frozen=True, kw_only=True)
class ArmState:
    """The measured arm and how old the measurement is."""

    position_rad: Float  # (N,)
    velocity_rad_s: Float  # (N,)
    age_s: float


class ActionGate:
    """Checks a joint trajectory against everything that is known about the arm and its place.

    `stop` latches: nothing passes until `resume`. Checking changes a motion at most by small
    overshoots, and a motion that passed passes again unchanged.
    """

    def __init__(self, model: ArmModel, limits: GateLimits | None = None) -> None:
        self.model = model
        self.limits = limits or GateLimits()
        lower, upper = self.limits.workspace_lower_m, self.limits.workspace_upper_m
        self._workspace = Box(
            model.workspace_lower_m if lower is None else lower, model.workspace_upper_m if upper is None else upper
        )
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether the emergency stop is latched."""
        return self._stopped

    def stop(self) -> None:
        """Latch the emergency stop."""
        self._stopped = True

    def resume(self) -> None:
        """Release the emergency stop. Nothing moves until a new motion is accepted."""
        self._stopped = False

    def check(self, trajectory: JointTrajectory, *, arm: ArmState, proposal_age_s: float) -> JointTrajectory:
        """The motion that may be executed from rest. Raises UnsafeCommandError that says what is wrong.

        `proposal_age_s` is of what it was decided on, in steady seconds.
        """
        self._check_allowed(arm, proposal_age_s)
        trajectory = self._checked_form(trajectory)
        self._check_start(TimedPath(trajectory), arm)
        begun = from_measured(self.model, trajectory, arm.position_rad)
        # The way from where the arm is measured may lie beyond a limit, for it leads back.
        self._check_path(TimedPath(begun), first=begun.time_s.size - trajectory.time_s.size)
        return begun

    def check_later(
        self,
        trajectory: JointTrajectory,
        *,
        earlier: Curve,
        width_m: float,
        stamp_s: float,
        now_s: float,
        arm: ArmState,
        proposal_age_s: float,
    ) -> tuple[TimedPath, Seam]:
        """The path on which the rest of a streamed motion may take over from what was sent last, `earlier`.

        The fingers were told `width_m`. The times of `trajectory` count from `stamp_s` on the clock on which it is
        `now_s`. Raises UnsafeCommandError; the earlier part then goes on to its end, at rest.
        """
        self._check_allowed(arm, proposal_age_s)
        later = TimedPath(self._checked_form(trajectory))
        clock_s = now_s - stamp_s
        left_s = later.duration_s - clock_s
        if left_s <= BLENDS_S[0]:
            raise UnsafeCommandError(f"it came too late: its end is {max(left_s, 0.0):.2f} s away")
        self._check_end(later)
        [position], [velocity] = earlier(np.zeros(1))
        later_s = meeting_s((position, velocity), width_m, later, clock_s)
        complaint: UnsafeCommandError | None = None
        for blend_s in BLENDS_S:
            path = splice(earlier, width_m, later, later_s, blend_s)
            try:
                self._check_path(path, share=SPARE)
            except UnsafeCommandError as error:
                complaint = complaint or error
            else:
                return path, Seam(at_s=now_s, later_s=later_s, blend_s=blend_s)
        assert complaint is not None
        raise complaint

    def _check_allowed(self, arm: ArmState, proposal_age_s: float) -> None:
        if self._stopped:
            raise UnsafeCommandError("the emergency stop is latched: call the gate's resume service first")
        self._check_ages(arm, proposal_age_s)

    def _checked_form(self, trajectory: JointTrajectory) -> JointTrajectory:
        self._check_form(trajectory)
        return self._without_small_overshoots(trajectory)

    def _check_path(self, path: TimedPath, first: int = 0, share: float = 1.0) -> None:
        self._check_limits(path, first, share)
        self._check_clearance(path)

    def _check_form(self, trajectory: JointTrajectory) -> None:
        names = self.model.joint_names
        if tuple(trajectory.joint_names) != tuple(names):
            raise UnsafeCommandError(
                f"the joints are [{', '.join(trajectory.joint_names)}], this arm has [{', '.join(names)}]"
            )
        points = trajectory.time_s.size
        if not 1 <= points <= MAX_POINTS:
            raise UnsafeCommandError(f"{points} points; a motion has 1 to {MAX_POINTS}")
        for what, values, shape in (
            ("time_s", trajectory.time_s, (points,)),
            ("position_rad", trajectory.position_rad, (points, len(names))),
            ("velocity_rad_s", trajectory.velocity_rad_s, (points, len(names))),
            ("gripper_width_m", trajectory.gripper_width_m, (points,)),
        ):
            if values.shape != shape:
                raise UnsafeCommandError(f"{what} has shape {values.shape}, expected {shape}")
            if not np.isfinite(values).all():
                where = [int(i) for i in np.argwhere(~np.isfinite(values))[0]]
                raise UnsafeCommandError(f"{what} is not finite at point {where[0]}: {values[tuple(where)]}")
        steps = np.diff(trajectory.time_s, prepend=0.0)
        if steps.min() < _NEAREST_S * (1 - _ROUNDING):
            at = int(steps.argmin())
            raise UnsafeCommandError(
                f"time must increase strictly from 0, by at least {_NEAREST_S:g} s a point:"
                f" point {at} is at {trajectory.time_s[at]:.6f} s"
            )
        if trajectory.time_s[-1] > self.limits.max_duration_s:
            raise UnsafeCommandError(
                f"the motion lasts {trajectory.time_s[-1]:.1f} s, at most {self.limits.max_duration_s:.1f} s"
            )

    def _check_ages(self, arm: ArmState, proposal_age_s: float) -> None:
        # Every comparison is written so that a number that is not one fails it.
        allowed_s = self.limits.max_proposal_age_s
        if not -0.1 <= proposal_age_s <= allowed_s:
            raise UnsafeCommandError(
                f"the motion was decided on something {proposal_age_s:.2f} s old; at most {allowed_s:.2f} s are valid"
                " (max_proposal_age_s): is this machine busy, or too slow for the model?"
            )
        if not arm.age_s <= self.limits.max_state_age_s:
            raise UnsafeCommandError(
                f"the joint states are {arm.age_s:.2f} s old; at most {self.limits.max_state_age_s:.2f} s"
            )
        if not (np.isfinite(arm.position_rad).all() and np.isfinite(arm.velocity_rad_s).all()):
            raise UnsafeCommandError("the measured joint states are not finite")

    def _without_small_overshoots(self, trajectory: JointTrajectory) -> JointTrajectory:
        lower, upper = self.model.lower_rad, self.model.upper_rad
        position, width = trajectory.position_rad, trajectory.gripper_width_m
        beyond = np.maximum(lower - position, position - upper).max(axis=0)
        self._refuse_above("position", beyond, np.full(beyond.shape, self.limits.overshoot_rad), "rad beyond its limit")
        widest = self.model.gripper_width_m
        excess = float(np.maximum(-width, width - widest).max())
        if excess > self.limits.overshoot_width_m:
            raise UnsafeCommandError(
                f"a gripper width is {excess * 1000:.1f} mm outside of 0 to {widest * 1000:.1f} mm"
            )
        return replace(
            trajectory, position_rad=np.clip(position, lower, upper), gripper_width_m=np.clip(width, 0.0, widest)
        )

    def _check_start(self, path: TimedPath, arm: ArmState) -> None:
        limits, joints = self.limits, self.model.joints
        away = np.abs(path.position_rad[0] - arm.position_rad)
        self._refuse_above("start", away, np.full(joints, limits.start_tolerance_rad), "rad from where the arm is")
        speed = np.abs(arm.velocity_rad_s)
        self._refuse_above("start", speed, np.full(joints, limits.start_speed_rad_s), "rad/s: the arm still moves")
        self._check_end(path)

    def _check_end(self, path: TimedPath) -> None:
        end = np.abs(path.velocity_rad_s[-1])
        self._refuse_above("end", end, np.full(end.shape, 1e-3), "rad/s: a motion ends at rest")

    def _check_limits(self, path: TimedPath, first: int, share: float) -> None:
        """With a share of the limits of acceleration and jerk; positions from the segment number `first` on."""
        model, slack = self.model, self.limits.overshoot_rad
        low, high = path.peak_position_rad(first)
        beyond = np.maximum(model.lower_rad - low, high - model.upper_rad)
        self._refuse_above("position", beyond, np.full(beyond.shape, slack), "rad beyond its limit")
        speed = path.peak_velocity_rad_s()
        self._refuse_above("velocity", speed, model.max_velocity_rad_s, "rad/s")
        self._refuse_above(
            "acceleration", path.peak_acceleration_rad_s2(), share * model.max_acceleration_rad_s2, "rad/s^2"
        )
        self._refuse_above("jerk", path.peak_jerk_rad_s3(), share * model.max_jerk_rad_s3, "rad/s^3")

    def _check_clearance(self, path: TimedPath) -> None:
        if why := self.model.clearance.refusal(path, self._workspace):
            raise UnsafeCommandError(why)

    def _refuse_above(self, what: str, values: Float, allowed: Float, unit: str) -> None:
        within = values <= allowed * (1 + _ROUNDING)
        if not within.all():
            worst = int(np.where(within, -np.inf, values / allowed).argmax())
            found = f"{values[worst]:.4f}" if abs(values[worst]) < _READABLE else f"{values[worst]:.3g}"
            name = self.model.joint_names[worst]
            raise UnsafeCommandError(f"{what} of {name}: {found} {unit}, at most {allowed[worst]:.4f}")


def from_measured(model: ArmModel, trajectory: JointTrajectory, measured_rad: Float) -> JointTrajectory:
    """The motion with the way from where the arm is measured (N,) to its beginning put before it.

    At even acceleration, first one way and then the other, with a share of the limits.
    """
    begin = TimedPath(trajectory).position_rad[0]
    way = begin - measured_rad
    half_s = float(np.sqrt(np.abs(way) / (_BLEND_SHARE * model.max_acceleration_rad_s2)).max())
    if np.abs(way).max() <= _SAME_RAD:
        return trajectory
    half_s = max(half_s, _NEAREST_S)
    still, times = np.zeros_like(way), np.array([half_s, 2.0 * half_s, 2.0 * half_s + _PAUSE_S])
    return replace(
        trajectory,
        time_s=np.concatenate([times, times[-1] + trajectory.time_s]),
        position_rad=np.concatenate([[measured_rad + 0.5 * way, begin, begin], trajectory.position_rad]),
        velocity_rad_s=np.concatenate([[way / half_s, still, still], trajectory.velocity_rad_s]),
        gripper_width_m=np.concatenate([np.repeat(trajectory.gripper_width_m[:1], 3), trajectory.gripper_width_m]),
    )
