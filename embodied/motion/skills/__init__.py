# SPDX-License-Identifier: Apache-2.0
"""Skills: what the hand can do at pointed places, one file a skill, the same for every arm.

To add one, write a file here with a class like those beside it; nothing else changes. Outside of this
folder, decorate the class with `register`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from embodied.arm import ArmModel
from embodied.errors import UnreachableError
from embodied.motion.hand import TRAVEL_SPEED_M_S, HandPose, Waypoint
from embodied.motion.trajectory import plan_motion
from embodied.registry import Registry, instance_of
from embodied.types import Float, JointTrajectory

TRAVEL_HEIGHT_M = 0.17
"""Height of the tool centre point between places: a held block passes over a tower of three."""
OPEN_WIDTH_M = 0.08
APPROACH_SPEED_M_S = 0.3
RELEASE_WIDTH_M = 0.065
"""Wide enough to let a block go, narrow enough to spare its neighbours."""
CLOSE_DWELL_S, OPEN_DWELL_S = 0.4, 0.3
NO_POINTS_M: Float = np.zeros((0, 3))
"""The places of a skill that takes none."""


class Route:
    """Waypoints so far; each keeps the fingers' width of the last unless it says otherwise."""

    def __init__(self, start: HandPose, model: ArmModel, gripper_width_m: float) -> None:
        self.start = start
        self.stops: list[Waypoint] = []
        self.open_m = min(OPEN_WIDTH_M, model.gripper_width_m)
        self.width_m = width_to_keep(model, gripper_width_m)

    def begin(self, width_m: float | None = None, speed_m_s: float = TRAVEL_SPEED_M_S) -> None:
        """Rise to travel height where the hand is lower, and set the fingers on the way."""
        self.width_m = self.width_m if width_m is None else width_m
        x, y, z = self.start.position_m
        self.add(self.start.at(np.array([x, y, max(z, TRAVEL_HEIGHT_M)])), speed_m_s=speed_m_s)

    def add(self, pose: HandPose, *, speed_m_s: float = TRAVEL_SPEED_M_S, dwell_s: float = 0.0) -> None:
        """Go to `pose`, with the fingers at `width_m` from there on."""
        self.stops.append(Waypoint(pose=pose, gripper_width_m=self.width_m, speed_m_s=speed_m_s, dwell_s=dwell_s))

    def take(self, point_m: Float) -> None:
        """Open fingers come down on a place (3,), close, and rise with what stands there."""
        self.width_m = self.open_m
        self.visit(point_m, 0.0, CLOSE_DWELL_S)

    def let_go(self, point_m: Float) -> None:
        """Put what is held down on a place (3,), and rise without it."""
        self.visit(point_m, min(RELEASE_WIDTH_M, self.open_m), OPEN_DWELL_S)

    def visit(self, point_m: Float, width_m: float, dwell_s: float, speed_m_s: float = APPROACH_SPEED_M_S) -> None:
        """Down on a place (3,) from above, set the fingers there, and up again."""
        self.add(above(point_m))
        self.width_m = width_m
        self.add(HandPose.down(point_m), speed_m_s=speed_m_s, dwell_s=dwell_s)
        self.add(above(point_m), speed_m_s=APPROACH_SPEED_M_S)


class Skill(ABC):
    """A motion primitive. Its way begins wherever the hand is; the way home follows by itself, unless it `stays`."""

    name: ClassVar[str]
    points: ClassVar[int]
    """How many places it takes."""
    grasps: ClassVar[bool] = False
    """Whether the fingers close on something at its first point: it failed where they close on nothing."""
    needs_empty_hand: ClassVar[bool] = True
    """Whether what the hand holds has to be put back before."""
    stays: ClassVar[bool] = False
    """Whether the hand stays where its way ends."""

    @abstractmethod
    def move(self, route: Route, points_m: Float) -> None:
        """Add the way of the hand to `route`; `points_m` is (points, 3)."""


def width_to_keep(model: ArmModel, gripper_width_m: float) -> float:
    """What to tell fingers that are this far apart, so that they stay so and what they hold is held."""
    low, high = model.held_width_m
    # Fingers that are told the width of a thing no longer press on it.
    return 0.0 if low < gripper_width_m < high else gripper_width_m


def above(point_m: Float, yaw_rad: float = 0.0) -> HandPose:
    """The hand at travel height over a place (3,), or at the place where that is higher."""
    height = max(TRAVEL_HEIGHT_M, float(point_m[2]))
    return HandPose.down(np.array([point_m[0], point_m[1], height]), yaw_rad)


SKILLS: Registry[Skill] = Registry("skill", group="embodied.skills", package=__name__, build=instance_of(Skill))
"""Skills by name."""


def register(skill: type[Skill]) -> type[Skill]:
    """Class decorator: make a skill known by its name."""
    SKILLS.register(skill.name, skill())
    return skill


@dataclass(frozen=True, kw_only=True)
class SkillCall:
    """A skill at pointed places of the tool centre point.

    `points_m` is (skill.points, 3); z is the height of the tool centre point where the fingers close,
    open or touch. Raises UnknownNameError for a skill that does not exist, ValueError for other points.
    """

    skill: str
    points_m: Float

    def __post_init__(self) -> None:
        expected = (SKILLS.get(self.skill).points, 3)
        if self.points_m.shape != expected:
            raise ValueError(f"{self.skill} takes points of shape {expected}, got {self.points_m.shape}")
        if not np.isfinite(self.points_m).all():
            raise ValueError(f"{self.skill} got a location that is not finite: {self.points_m.tolist()}")

    @property
    def grasp_m(self) -> Float | None:
        """(3,) where the fingers close on something; None for a skill that takes nothing."""
        return self.points_m[0] if SKILLS.get(self.skill).grasps else None

    @property
    def needs_empty_hand(self) -> bool:
        """Whether what the hand holds has to be put back before."""
        return SKILLS.get(self.skill).needs_empty_hand

    def waypoints(self, model: ArmModel, start: HandPose, gripper_width_m: float) -> list[Waypoint]:
        """The way of the hand from `start` through the skill, and home unless the skill stays."""
        route = Route(start, model, gripper_width_m)
        skill = SKILLS.get(self.skill)
        skill.move(route, self.points_m)
        if not skill.stays:
            route.add(HandPose.from_matrix(model.home_pose))
        return route.stops

    def plan(self, model: ArmModel, position_rad: Float, gripper_width_m: float) -> JointTrajectory:
        """The joint motion from rest at `position_rad` (N,). Raises UnreachableError."""
        outside = np.maximum(model.reach_lower_m - self.points_m, self.points_m - model.reach_upper_m)
        if self.points_m.size and outside.max() > 1e-6:
            x, y, z = self.points_m[int(outside.max(axis=1).argmax())]
            raise UnreachableError(f"({x:.3f}, {y:.3f}, {z:.3f}) m is outside of the reach of the hand")
        start = HandPose.from_matrix(model.chain.forward(position_rad))
        return plan_motion(model, position_rad, gripper_width_m, self.waypoints(model, start, gripper_width_m))
