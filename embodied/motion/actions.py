# SPDX-License-Identifier: Apache-2.0
"""Actions of the gymnasium environments, as those who make them and those who take them read them.

`skill`: a fixed list of skills, and places for them. `ee_delta`: displacements of the hand at 10 Hz.
`joint`: joint targets at 10 Hz.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embodied.arm import ArmModel
from embodied.errors import UnsafeCommandError
from embodied.geometry import beside, quaternion, rotation_matrix
from embodied.motion.hand import HandPose, Waypoint, turn_between
from embodied.motion.skills import SKILLS, SkillCall, width_to_keep
from embodied.motion.trajectory import plan_motion
from embodied.types import Float, Joints, JointTrajectory

ACTION_MODES = ("skill", "ee_delta", "joint")
SKILL_LIST = ("touch", "pick", "pick_place", "push", "place", "home")
"""Skills of an environment that is made without a list of its own."""


def every_skill() -> tuple[str, ...]:
    """Those, and all others that are registered: what an evaluation lets a policy use."""
    return tuple(dict.fromkeys((*SKILL_LIST, *sorted(SKILLS))))


EE_DELTA_NAMES = ("dx_m", "dy_m", "dz_m", "rx_rad", "ry_rad", "rz_rad", "gripper")
"""Displacement of the tool centre point and its turn (a rotation vector), both in the world's frame; the
fingers from -1 closed to 1 open."""
CHUNK_RATE_HZ = 10.0
MAX_STEP_M = 0.05
MAX_TURN_RAD = 0.3
"""Largest displacement along each axis, and largest turn, of one `ee_delta` action."""
_STRIDE_M = 0.04
_STOPPED_S = 0.1
_SAME_STEP = 1e-4
"""Steps that differ by less (m, rad) go on straight."""


class SkillActions:
    """Actions of an environment in skill mode. Raises UnknownNameError for a skill that does not exist."""

    def __init__(self, names: tuple[str, ...] = SKILL_LIST) -> None:
        self.names = names
        self.points = max(SKILLS.get(name).points for name in names)

    def encode(self, call: SkillCall) -> dict[str, Any]:
        """The action of a motion; unused places are zero. Raises UnsafeCommandError for other skills."""
        if call.skill not in self.names:
            names = ", ".join(self.names)
            raise UnsafeCommandError(f"this environment has no skill {call.skill!r}; it was made with: {names}")
        points = np.zeros((self.points, 3), dtype=np.float32)
        points[: len(call.points_m)] = call.points_m
        return {"skill": self.names.index(call.skill), "points_m": points}

    def decode(self, action: Mapping[str, Any]) -> SkillCall:
        """The motion of an action. Raises UnsafeCommandError where it is none of the list, or not finite."""
        index = int(action["skill"])
        if not 0 <= index < len(self.names):
            raise UnsafeCommandError(f"there is no skill {index}; valid: 0 to {len(self.names) - 1}")
        points = finite(action["points_m"], (self.points, 3))
        name = self.names[index]
        return SkillCall(skill=name, points_m=points[: SKILLS.get(name).points])


@dataclass(frozen=True, kw_only=True)
class ActionChunk:
    """A short run of `ee_delta` actions. Raises ValueError for other shapes and for what is not finite."""

    grasp_m: ClassVar[None] = None
    needs_empty_hand: ClassVar[bool] = True

    ee_delta: NDArray[np.float32]  # (T, 7), see EE_DELTA_NAMES
    rate_hz: float = CHUNK_RATE_HZ

    def __post_init__(self) -> None:
        if self.ee_delta.ndim != 2 or self.ee_delta.shape[1] != len(EE_DELTA_NAMES):
            shape, names = self.ee_delta.shape, ", ".join(EE_DELTA_NAMES)
            raise ValueError(f"a chunk has a row of {names} for each step, and not the shape {shape}")
        if not np.isfinite(self.ee_delta).all():
            raise ValueError(f"a chunk holds a number that is not finite: {self.ee_delta.tolist()}")

    def plan(self, model: ArmModel, position_rad: Float, gripper_width_m: float) -> JointTrajectory:
        """From rest at `position_rad` (N,) through every displacement to rest. Raises UnreachableError."""
        pose = HandPose.from_matrix(model.chain.forward(position_rad))
        # Fingers are measured a little beyond what they can do.
        width_m = min(max(gripper_width_m, 0.0), model.gripper_width_m)
        stops, first_m = self._stops(model, pose, width_m)
        return _told(plan_motion(model, position_rad, first_m, stops), width_m)

    def plan_moving(self, model: ArmModel, seen: Joints, told: Joints) -> JointTrajectory:
        """The rows from where the hand was `seen`, for an arm that was `told` to be there and so fast at that instant.

        Raises UnreachableError.
        """
        pose = HandPose.from_matrix(model.chain.forward(seen.position_rad))
        stops, first_m = self._stops(model, pose, told.gripper_width_m)
        ahead_m = model.chain.forward(told.position_rad)[:3, 3]
        if passed := _passed(ahead_m, pose.position_m, stops):
            first_m, stops = stops[passed - 1].gripper_width_m, stops[passed:]
        return _told(plan_motion(model, told.position_rad, first_m, stops, told.velocity_rad_s), told.gripper_width_m)

    def _stops(self, model: ArmModel, pose: HandPose, width_m: float) -> tuple[list[Waypoint], float]:
        """Waypoints from `pose`, one for all rows that go on straight and evenly, and the width (m) on the way to the
        first.

        Fingers move with the hand in a row that moves it, and else before it goes on.
        """
        stops: list[Waypoint] = []
        first_m = width_m
        direction = np.zeros(6)
        for row in np.asarray(self.ee_delta, dtype=np.float64):
            before, (pose, told_m) = pose, stepped(model, pose, row)
            speed_m_s = max(float(np.linalg.norm(pose.position_m - before.position_m)) * self.rate_hz, 0.01)
            still, moves_fingers = not row[:6].any(), abs(told_m - width_m) > 1e-3
            dwell_s = max(_STOPPED_S * moves_fingers, 1.0 / self.rate_hz) if still else 0.0
            width_m = told_m
            if moves_fingers and not still:  # a waypoint's width is taken when the hand has passed it
                if not stops:
                    first_m = told_m
                elif stops[-1].dwell_s:
                    stops.append(replace(stops[-1], gripper_width_m=told_m, dwell_s=0.0))
                else:
                    stops[-1] = replace(stops[-1], gripper_width_m=told_m)
            last = stops[-1] if stops else None
            if last is not None and still and not moves_fingers:
                stops[-1] = replace(last, dwell_s=last.dwell_s + dwell_s)
                continue
            stop = Waypoint(pose=pose, gripper_width_m=width_m, speed_m_s=speed_m_s, dwell_s=dwell_s)
            straight = not (dwell_s or moves_fingers) and bool(np.abs(row[:6] - direction).max() < _SAME_STEP)
            on = straight and last is not None and not last.dwell_s
            stops[-1 if on else len(stops) :] = [stop]
            direction = row[:6]
        return stops or [Waypoint(pose=pose, gripper_width_m=width_m)], first_m


def _told(trajectory: JointTrajectory, width_m: float) -> JointTrajectory:
    """The motion with the width that the fingers have been told at its first point: what differs later is new."""
    return replace(trajectory, gripper_width_m=np.append(width_m, trajectory.gripper_width_m[1:]))


def _passed(place_m: Float, start_m: Float, stops: Sequence[Waypoint]) -> int:
    """How many of the stops a hand at a place (3,) is past already, on its way through them from a start (3,)."""
    waits = next((i for i, stop in enumerate(stops) if stop.dwell_s > 0.0), len(stops) - 1)
    corners = np.array([start_m, *(stop.pose.position_m for stop in stops[: waits + 1])])
    return int(beside(place_m, corners)[1].argmin())


def stepped(model: ArmModel, pose: HandPose, action: Float) -> tuple[HandPose, float]:
    """Where an `ee_delta` action (7,) leads, at most to the edge of reach, and the width (m) that it tells."""
    there = moved(pose, action[:3], action[3:6])
    there = there.at(np.clip(there.position_m, model.reach_lower_m, model.reach_upper_m))
    return there, 0.5 * (float(action[6]) + 1.0) * model.gripper_width_m


def moved(pose: HandPose, step_m: Float, turn_rad: Float) -> HandPose:
    """`pose` after a displacement (3,) and a turn by a rotation vector (3,), both in the world's frame."""
    angle = float(np.linalg.norm(turn_rad))
    there = pose.at(pose.position_m + step_m)
    return there.turned(turn_rad / angle, angle) if angle > 1e-12 else there


def to_chunk(model: ArmModel, call: SkillCall, start: HandPose, gripper_width_m: float) -> ActionChunk:
    """The skill as hand displacements, for environments that take `ee_delta` actions."""
    rows: list[list[float]] = []
    at, width = start, width_to_keep(model, gripper_width_m)
    for stop in call.waypoints(model, start, gripper_width_m):
        move = stop.pose.position_m - at.position_m
        turn = turn_to(at, stop.pose)
        angle = float(np.linalg.norm(turn))
        stride = min(stop.speed_m_s / CHUNK_RATE_HZ, _STRIDE_M)
        steps = int(np.ceil(max(float(np.linalg.norm(move)) / stride, angle / MAX_TURN_RAD) - 1e-9))
        grip = _grip(model, width)
        rows += [[*(move / steps), *(turn / steps), grip] for _ in range(steps)]
        at, width = stop.pose, stop.gripper_width_m
        # The hand lags behind its commands by a step: it has to arrive before the fingers move.
        wait = int(np.ceil(stop.dwell_s * CHUNK_RATE_HZ)) + 1 if stop.dwell_s > 0.0 else 0
        rows += [[0.0] * 6 + [_grip(model, width)] for _ in range(wait)]
    return ActionChunk(ee_delta=np.array(rows, dtype=np.float32).reshape(-1, 7))


def turn_to(a: HandPose, b: HandPose) -> Float:
    """Rotation vector (3,) in the world's frame that turns `a` into `b`."""
    turn = quaternion(rotation_matrix(b.orientation) @ rotation_matrix(a.orientation).T)
    angle = turn_between(a.orientation, b.orientation)
    sine = float(np.linalg.norm(turn[:3]))
    return np.zeros(3) if sine < 1e-9 else np.copysign(angle, turn[3]) / sine * turn[:3]


def _grip(model: ArmModel, width_m: float) -> float:
    return float(np.clip(2.0 * width_m / model.gripper_width_m - 1.0, -1.0, 1.0))


def finite(values: Any, shape: tuple[int, ...]) -> Float:
    """`values` as an array of `shape`. Raises UnsafeCommandError for another shape, NaN and infinity."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise UnsafeCommandError(f"an action has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise UnsafeCommandError(f"an action is not finite: {array.tolist()}")
    return array
