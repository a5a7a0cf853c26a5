# SPDX-License-Identifier: Apache-2.0
"""Motion primitives as waypoints for the hand: the same for every arm that can point it down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodied.types import ActionChunk, Float, SkillCall

TRAVEL_HEIGHT_M = 0.17
"""Height of the tool centre point between places: a held block passes over a tower of three."""
OPEN_WIDTH_M = 0.08
RELEASE_WIDTH_M = 0.065
"""Wide enough to let a block go, narrow enough to spare its neighbours."""
PUSH_WIDTH_M = 0.025
PUSH_CONTACT_M = 0.029
"""From the tool centre point to the centre of a block that the fingers push: half of each."""
PUSH_RUN_UP_M = 0.065
PUSH_RETREAT_M = 0.03

TRAVEL_SPEED_M_S = 0.6
APPROACH_SPEED_M_S = 0.3
TOUCH_SPEED_M_S = 0.2
PUSH_SPEED_M_S = 0.15

CLOSE_DWELL_S = 0.4
OPEN_DWELL_S = 0.3
TOUCH_DWELL_S = 0.1

CHUNK_RATE_HZ = 10.0
MAX_STEP_M = 0.05
MAX_TURN_RAD = 0.3
"""Largest hand displacement and turn of one `ee_delta` action."""
_CHUNK_STEP_M = 0.04


@dataclass(frozen=True, kw_only=True)
class HandPose:
    """The hand pointing straight down; at yaw 0 the fingers open along y."""

    position_m: Float  # (3,) of the tool centre point
    yaw_rad: float = 0.0

    def matrix(self) -> Float:
        """Pose (4, 4) of the tool centre point."""
        c, s = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        pose = np.eye(4)
        pose[:3, :3] = ((c, s, 0.0), (s, -c, 0.0), (0.0, 0.0, -1.0))
        pose[:3, 3] = self.position_m
        return pose

    @classmethod
    def from_matrix(cls, pose: Float) -> HandPose:
        """The pose of the hand, taken to point down, whose tool centre point is at `pose` (4, 4)."""
        return cls(position_m=pose[:3, 3].copy(), yaw_rad=float(np.arctan2(pose[1, 0], pose[0, 0])))


@dataclass(frozen=True, kw_only=True)
class Waypoint:
    """A place that the hand goes to in a straight line.

    The fingers are told to take `gripper_width_m` when the hand arrives. With `dwell_s` the hand stops
    there that long; without, it passes by in a rounded corner.
    """

    pose: HandPose
    gripper_width_m: float
    speed_m_s: float = TRAVEL_SPEED_M_S
    dwell_s: float = 0.0


HOME = HandPose(position_m=np.array([0.30, 0.0, 0.45]))
"""Where every skill ends: above and behind the things on the table, out of the front camera's way."""


def waypoints(call: SkillCall, start: HandPose, home: HandPose = HOME) -> list[Waypoint]:
    """The way of the hand from `start` through the skill and `home`."""
    route = _Route(start)
    if call.skill == "touch":
        _touch(route, call.points_m[0])
    elif call.skill == "pick":
        _pick(route, call.points_m[0])
    elif call.skill == "pick_place":
        _pick(route, call.points_m[0])
        _place(route, call.points_m[1])
    else:
        assert call.skill == "push", call.skill
        _push(route, call.points_m[0], call.points_m[1])
    route.add(home)
    return route.stops


class _Route:
    """Waypoints so far; each keeps the fingers' width of the last unless it says otherwise."""

    def __init__(self, start: HandPose) -> None:
        self.start = start
        self.stops: list[Waypoint] = []
        self.width_m = OPEN_WIDTH_M

    def begin(self, width_m: float) -> None:
        """Rise to travel height where the hand is lower, and set the fingers on the way."""
        self.width_m = width_m
        x, y, z = self.start.position_m
        lifted = np.array([x, y, max(z, TRAVEL_HEIGHT_M)])
        self.add(HandPose(position_m=lifted, yaw_rad=self.start.yaw_rad))

    def add(self, pose: HandPose, *, speed_m_s: float = TRAVEL_SPEED_M_S, dwell_s: float = 0.0) -> None:
        self.stops.append(
            Waypoint(pose=pose, gripper_width_m=self.width_m, speed_m_s=speed_m_s, dwell_s=dwell_s)
        )


def _above(point_m: Float, yaw_rad: float = 0.0) -> HandPose:
    height = max(TRAVEL_HEIGHT_M, float(point_m[2]))
    return HandPose(position_m=np.array([point_m[0], point_m[1], height]), yaw_rad=yaw_rad)


def _touch(route: _Route, point_m: Float) -> None:
    route.begin(0.0)
    route.add(_above(point_m))
    route.add(HandPose(position_m=point_m), speed_m_s=TOUCH_SPEED_M_S, dwell_s=TOUCH_DWELL_S)
    route.add(_above(point_m), speed_m_s=APPROACH_SPEED_M_S)


def _pick(route: _Route, point_m: Float) -> None:
    route.begin(OPEN_WIDTH_M)
    route.add(_above(point_m))
    route.width_m = 0.0
    route.add(HandPose(position_m=point_m), speed_m_s=APPROACH_SPEED_M_S, dwell_s=CLOSE_DWELL_S)
    route.add(_above(point_m), speed_m_s=APPROACH_SPEED_M_S)


def _place(route: _Route, point_m: Float) -> None:
    route.add(_above(point_m))
    route.width_m = RELEASE_WIDTH_M
    route.add(HandPose(position_m=point_m), speed_m_s=APPROACH_SPEED_M_S, dwell_s=OPEN_DWELL_S)
    route.add(_above(point_m), speed_m_s=APPROACH_SPEED_M_S)


def _push(route: _Route, block_m: Float, goal_m: Float) -> None:
    way = goal_m[:2] - block_m[:2]
    length = float(np.linalg.norm(way))
    # A push that is already done still touches down behind the block, from the arm's side.
    along = way / length if length > 1e-6 else np.array([1.0, 0.0])
    direction = np.append(along, 0.0)
    # The hand looks the same after half a turn: take the nearer of the two.
    yaw = float(np.arctan2(along[1], along[0]))
    yaw -= np.pi * np.round(yaw / np.pi)
    height = np.array([0.0, 0.0, block_m[2]])
    begin = np.append(block_m[:2], 0.0) - PUSH_RUN_UP_M * direction + height
    end = np.append(goal_m[:2], 0.0) - PUSH_CONTACT_M * direction + height
    if float((end - begin) @ direction) < 0.0:
        end = begin
    back = end - PUSH_RETREAT_M * direction
    route.begin(PUSH_WIDTH_M)
    route.add(_above(begin, yaw))
    for place, speed in ((begin, APPROACH_SPEED_M_S), (end, PUSH_SPEED_M_S), (back, PUSH_SPEED_M_S)):
        # Short stops keep the corners sharp: a rounded one would lift the fingers off the block.
        route.add(HandPose(position_m=place, yaw_rad=yaw), speed_m_s=speed, dwell_s=0.05)
    route.add(_above(back, yaw), speed_m_s=APPROACH_SPEED_M_S)


def to_chunk(call: SkillCall, start: HandPose, home: HandPose = HOME) -> ActionChunk:
    """The skill as hand displacements, for arms and environments that take `ee_delta` actions."""
    rows: list[list[float]] = []
    at, width = start, OPEN_WIDTH_M
    for stop in waypoints(call, start, home):
        move = stop.pose.position_m - at.position_m
        turn = stop.pose.yaw_rad - at.yaw_rad
        stride = min(stop.speed_m_s / CHUNK_RATE_HZ, _CHUNK_STEP_M)
        steps = int(np.ceil(max(float(np.linalg.norm(move)) / stride, abs(turn) / MAX_TURN_RAD) - 1e-9))
        rows += [[*(move / steps), turn / steps, _gripper(width)] for _ in range(steps)]
        at, width = stop.pose, stop.gripper_width_m
        # The hand lags behind its commands by a step: it has to arrive before the fingers move.
        wait = int(np.ceil(stop.dwell_s * CHUNK_RATE_HZ)) + 1 if stop.dwell_s > 0.0 else 0
        rows += [[0.0, 0.0, 0.0, 0.0, _gripper(width)] for _ in range(wait)]
    return ActionChunk(ee_delta=np.array(rows, dtype=np.float32).reshape(-1, 5), rate_hz=CHUNK_RATE_HZ)


def _gripper(width_m: float) -> float:
    return float(np.clip(2.0 * width_m / OPEN_WIDTH_M - 1.0, -1.0, 1.0))
