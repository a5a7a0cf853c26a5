# SPDX-License-Identifier: Apache-2.0
"""Joint states as real drivers send them: merged by name over messages, each joint with an age of its own."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import JointState

from embodied.arm import ArmModel
from embodied.errors import ObservationError
from embodied.text import shown
from embodied.types import Float, Joints
from nodes.common import steady_s
from nodes.inlet import Inlet
from nodes.stamps import SKEW_S, Stamps

QUALITY = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Not the newest message alone: that of the arm would push out that of the gripper."""
SILENT_S = 2.0
"""Whoever reads joints that have not come for longer is told so."""
PREFIX = "what stands before the joints' names, as left_; empty: it is found where one arm alone is there"
"""Of the parameter `joint_prefix`."""
_ARMS = 8
"""More prefixes than arms stand together belong to no arm."""
_MOST_JOINTS, _MOST_LISTS = 500, 32
_NEAR_S, _FAR_S = 0.02, 1.0
"""Between positions that are nearer than this noise would be a speed; those that are further say nothing of now."""
_BEYOND = 0.5
"""So far beyond its limits, in rad or in its widths, no joint can be: it is measured in other units."""
_TOO_FAST = 10.0
"""So many times its limit no joint can move."""


@dataclass
class _Joint:
    """What is known of one joint."""

    lowest: float
    highest: float
    fastest: float
    position: float = math.nan
    told_velocity: float | None = None
    stamp_s: float = -math.inf
    heard_s: float = -math.inf  # steady time
    past: deque[tuple[float, float]] = field(default_factory=deque)  # stamps and positions of the last second

    def hear(self, stamp_s: float, position: float, velocity: float | None) -> None:
        self.past.append((stamp_s, position))
        while len(self.past) > 1 and stamp_s - self.past[0][0] > _FAR_S:
            self.past.popleft()
        # Of those that are far enough back, the newest; positions come up to a thousand times a second.
        while len(self.past) > 2 and stamp_s - self.past[1][0] >= _NEAR_S:
            self.past.popleft()
        self.position, self.told_velocity, self.stamp_s, self.heard_s = position, velocity, stamp_s, steady_s()

    @property
    def velocity(self) -> float | None:
        """As it was told, else from how the position changes; None where neither is known."""
        if self.told_velocity is not None:
            return self.told_velocity
        then_s, before = self.past[0]
        return (self.position - before) / (self.stamp_s - then_s) if self.stamp_s - then_s >= _NEAR_S else None


class JointStates:
    """Listens to `joint_states` of one arm; agent and gate know it through this alone.

    Arm and gripper may come in messages of their own, with other joints, in any order. NaN means not measured.
    A speed that is not told is taken from how the positions change, for an arm that moves must not be believed to
    rest. Names may have a prefix, as `left_panda_joint1`: it is found where one arm alone has all the joints.

    Args:
        prefix: the prefix where it cannot be found; empty: it is found.
        allowed_s: how far stamps may be from the clock.
        on_news: called after each message that said something new of this arm.
    """

    def __init__(
        self,
        node: Node,
        model: ArmModel,
        *,
        prefix: str = "",
        allowed_s: Callable[[], float] = lambda: SKEW_S,
        on_news: Callable[[], None] = lambda: None,
    ) -> None:
        self._arm_names, self._finger = model.joint_names, model.gripper_joints[0]
        self._limits = {
            name: limits
            for name, *limits in zip(
                model.joint_names, model.lower_rad, model.upper_rad, model.max_velocity_rad_s, strict=True
            )
        } | {self._finger: [0.0, 0.5 * model.gripper_width_m, math.inf]}
        self._given, self._on_news = prefix, on_news
        self._seen: dict[str, set[str]] = {}  # the arm's joints that came with each prefix
        self._places: dict[tuple[str, ...], dict[str, int]] = {}  # where our joints are in lists of names that came
        self._strangers = ""  # the names that came instead
        self._joints: dict[str, _Joint] = {}
        self._lock = threading.Lock()
        self._stamps = Stamps(node, allowed_s)
        self._came = False
        self.forget()
        self.inlet = Inlet(node, JointState, "joint_states", self._hear, QUALITY)

    def forget(self) -> None:
        """Drop what was measured: the clock was set back."""
        with self._lock:
            self._joints = {name: _Joint(*limits) for name, limits in self._limits.items()}
            self._came = False

    @property
    def prefix(self) -> str:
        """What stands before the names of this arm's joints, in what comes from it and in what is sent to it."""
        complete = [prefix for prefix, names in self._seen.items() if len(names) == len(self._arm_names)]
        return self._given or ("" if "" in complete else next(iter(complete), ""))

    @property
    def names(self) -> tuple[str, ...]:
        """The N joints of the arm as the driver calls them."""
        return tuple(self.prefix + name for name in self._arm_names)

    @property
    def zero_stamps(self) -> bool:
        """Whether the driver writes no stamps."""
        return self._stamps.zero

    def silence_s(self) -> float:
        """Steady seconds since that joint of the arm was heard that has been silent for longest; infinite before."""
        with self._lock:
            return steady_s() - min(self._joints[name].heard_s for name in self._arm_names)

    def problem(self, *, within_s: float = SILENT_S, gripper: bool = False) -> str:
        """Why it is not known where the arm is (and with `gripper` its fingers); empty where that is known.

        Joints that have not come for longer than `within_s`, steady seconds, are not known.
        """
        with self._lock:
            return self._problem([*self._arm_names, *([self._finger] if gripper else [])], within_s)

    def read(self, *, within_s: float = SILENT_S, gripper: bool = True) -> Joints:
        """Where the joints are; without `gripper` its width may be NaN. Raises ObservationError with the problem."""
        with self._lock:
            wanted = [*self._arm_names, *([self._finger] if gripper else [])]
            if problem := self._problem(wanted, within_s):
                raise ObservationError(problem)
            arm = [self._joints[name] for name in self._arm_names]
            return Joints(
                position_rad=np.array([joint.position for joint in arm]),
                velocity_rad_s=np.array([joint.velocity for joint in arm]),
                gripper_width_m=2.0 * self._joints[self._finger].position,
                stamp_s=min(self._joints[name].stamp_s for name in wanted),
            )

    def newest_rad(self) -> Float | None:
        """Where the arm's joints (N,) were last, however long ago; None where some never came."""
        with self._lock:
            position = np.array([self._joints[name].position for name in self._arm_names])
        return position if np.isfinite(position).all() else None

    def _problem(self, wanted: Sequence[str], within_s: float) -> str:
        if several := self._several():
            return several
        joints, now_s = self._joints, steady_s()
        unheard = [name for name in wanted if joints[name].heard_s == -math.inf]
        if unheard:
            if not self._came:
                return self.inlet.complaint or "no joint_states have come: I do not know where the arm is"
            names = ", ".join(self._given + name for name in unheard)
            return f"joint_states came but lack {names}{self._strangers}{self._refusal(-math.inf)}"
        silent = max(wanted, key=lambda name: now_s - joints[name].heard_s)
        silence_s = now_s - joints[silent].heard_s
        if silence_s > within_s:
            refusal = self._refusal(joints[silent].heard_s)
            return f"joint_states have been silent for {silence_s:.2f} s (of {silent}){refusal}"
        if unknown := [name for name in wanted if name != self._finger and joints[name].velocity is None]:
            return f"joint_states tell no speed of {', '.join(unknown)}, and not yet enough positions to know it"
        return ""

    def _refusal(self, since_s: float) -> str:
        """Why the last message was refused that was so since then."""
        return f"; one came but was refused because {self.inlet.reason}" if self.inlet.refused_s > since_s else ""

    def _several(self) -> str:
        """That this may be one of several arms; empty where it is plain which."""
        complete = [prefix for prefix, names in self._seen.items() if len(names) == len(self._arm_names)]
        if self._given or "" in complete or len(complete) < 2:
            return ""
        return f"joint_states name several arms: set the parameter joint_prefix to one of {', '.join(complete)}"

    def _hear(self, message: JointState) -> None:
        names = tuple(message.name)
        lists = {"positions": message.position, "velocities": message.velocity, "efforts": message.effort}
        for what, values in lists.items():
            if len(values) not in (0, len(names)):
                raise ObservationError(f"it has lists of unequal length: {len(names)} names, {len(values)} {what}")
        with self._lock:
            if names not in self._places:
                self._note_names(names)
            found = self._places[names]
            self._came = True
            news = list(self._news(message, found))
            for joint, stamp_s, position, velocity in news:
                joint.hear(stamp_s, position, velocity)
        if news:
            self._on_news()

    def _news(self, message: JointState, found: dict[str, int]) -> Iterator[tuple[_Joint, float, float, float | None]]:
        """What the message says of each of our joints. Raises ObservationError for what cannot be."""
        if not found:
            return
        last_s = max(self._joints[name].stamp_s for name in found)
        stamp_s = self._stamps.read(message.header.stamp, last_s)
        for name, i in found.items():
            joint = self._joints[name]
            position = message.position[i] if message.position else math.nan
            velocity = message.velocity[i] if message.velocity else math.nan
            if math.isinf(position) or math.isinf(velocity):
                raise ObservationError(f"{name} is infinite")
            beyond = _BEYOND * (joint.highest if name == self._finger else 1.0)
            if position < joint.lowest - beyond or position > joint.highest + beyond:
                unit = "m, half of the width" if name == self._finger else "rad"
                raise ObservationError(
                    f"{name} is at {position:.4g}, its limits are {joint.lowest:.4g} to {joint.highest:.4g} {unit}"
                )
            if abs(velocity) > _TOO_FAST * joint.fastest:
                raise ObservationError(f"{name} moves at {velocity:.4g} rad/s, its limit is {joint.fastest:.4g}")
            # A message that is sent twice is no news, and keeps nobody from being silent.
            if not math.isnan(position) and stamp_s > joint.stamp_s:
                yield joint, stamp_s, position, None if math.isnan(velocity) else velocity

    def _note_names(self, names: tuple[str, ...]) -> None:
        """Find our joints among names that are new. Raises ObservationError for those that cannot be read."""
        if len(names) > _MOST_JOINTS:
            raise ObservationError(f"it names {len(names)} joints; I take at most {_MOST_JOINTS}")
        place = {name: i for i, name in enumerate(names)}
        if len(place) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ObservationError(f"it names a joint twice: {shown(twice, 60)}")
        before = self.prefix
        for own, name in product(self._arm_names, () if self._given else names):
            prefix = name.removesuffix(own)
            if name.endswith(own) and len(prefix) < 100 and (prefix in self._seen or len(self._seen) < _ARMS):
                self._seen.setdefault(prefix, set()).add(own)
        prefix = self.prefix
        if prefix != before or len(self._places) >= _MOST_LISTS:
            self._places.clear()  # they were found by another prefix, or somebody makes names up
        self._places[names] = {name: place[prefix + name] for name in self._joints if prefix + name in place}
        if not self._places[names]:
            self._strangers = f" and name {shown(', '.join(names[:5]), 120)}" if names else ""
