# SPDX-License-Identifier: Apache-2.0
"""Whether an arm touches itself, the table or a box in some posture: PyBullet's word, and none of the code it judges.

Run as a script it holds the gate against this judge in many motions, and the planner against the gate:

    python -m tests.embodied.motion.judge motions 1000000
    python -m tests.embodied.motion.judge plans 10000
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pybullet
from pybullet_utils.bullet_client import BulletClient
from tqdm import tqdm

from embodied.arm import ArmModel, arm_model
from embodied.errors import UnreachableError, UnsafeCommandError
from embodied.motion.path import TimedPath
from embodied.motion.skills import SKILLS, SkillCall
from embodied.safety import ActionGate, ArmState, GateLimits
from embodied.types import Float, JointTrajectory

THICKER_M = 2.5e-3
"""PyBullet makes shapes thicker by a millimetre each, so that two are nearer to each other by this."""
START_M = 8e-3
"""Motions begin this far from everything. What begins within 3 mm of something, by distances that are up to 5 mm too
small, may come a little nearer: an arm that touches must get away, which is another test."""
EVERYWHERE = GateLimits(workspace_lower_m=np.full(3, -3.0), workspace_upper_m=np.full(3, 3.0))

Shown = Callable[[Iterable[int]], Iterable[int]]
"""How a long count is shown on the way."""


class Judge:
    """An arm on a table, and boxes (six numbers each) beside it."""

    def __init__(self, model: ArmModel, boxes: Sequence[Sequence[float]] = (), *, table: bool = True) -> None:
        client = self._client = BulletClient(pybullet.DIRECT)
        flags = client.URDF_USE_SELF_COLLISION | client.URDF_USE_SELF_COLLISION_EXCLUDE_PARENT
        self._arm = client.loadURDF(str(model.urdf), useFixedBase=True, flags=flags)
        infos = [client.getJointInfo(self._arm, joint) for joint in range(client.getNumJoints(self._arm))]
        numbers = {info[1].decode(): info[0] for info in infos}
        self._joints = [numbers[name] for name in model.joint_names]
        self._fingers = [numbers[name] for name in model.gripper_joints]
        self._names = {-1: client.getBodyInfo(self._arm)[0].decode()} | {info[0]: info[12].decode() for info in infos}
        self._parents = {info[0]: info[16] for info in infos}
        self._shaped = [link for link in self._names if client.getCollisionShapeData(self._arm, link)]
        self._watched = []
        for pair in itertools.combinations(self._shaped, 2):
            watched = not self._joined(*pair)
            client.setCollisionFilterPair(self._arm, self._arm, *pair, int(watched))
            self._watched += [(self._arm, pair)] * watched
        around = [(-2.0, -2.0, -1.0, 2.0, 2.0, 0.0)] if table else []
        for lower, upper in ((np.array(box[:3]), np.array(box[3:])) for box in (*around, *boxes)):
            shape = client.createCollisionShape(client.GEOM_BOX, halfExtents=(0.5 * (upper - lower)).tolist())
            body = client.createMultiBody(0, shape, basePosition=(0.5 * (lower + upper)).tolist())
            for link in self._shaped:
                if self._moves(link):
                    self._watched.append((body, (link, -1)))
                else:
                    client.setCollisionFilterPair(self._arm, body, link, -1, 0)

    def _moves(self, link: int) -> bool:
        while link >= 0:
            if link in self._joints:
                return True
            link = self._parents[link]
        return False

    def _joined(self, one: int, other: int) -> bool:
        """One hangs on the other, with nothing but empty links between; or both are fingers."""
        return (
            other == self._ancestor(one)
            or one == self._ancestor(other)
            or {one, other} == set(self._fingers)
            or self._ancestor(one) == self._ancestor(other)
        )

    def _ancestor(self, link: int) -> int:
        if link < 0:
            return -2
        link = self._parents[link]
        while link >= 0 and link not in self._shaped:
            link = self._parents[link]
        return link

    def nearest_m(self, q_rad: Float, width_m: float) -> tuple[float, str]:
        """How near anything comes in a posture (N,), below 0 where it touches, and what: 0 where nothing touches."""
        self._stand(q_rad, width_m)
        self._client.performCollisionDetection()
        contacts = self._client.getContactPoints(self._arm)
        worst = min(contacts, key=lambda contact: contact[8], default=None)
        if worst is None or worst[8] >= 0.0:
            return 0.0, ""
        other = self._names[worst[4]] if worst[2] == self._arm else f"body {worst[2]}"
        return worst[8], f"{self._names[worst[3]]} and {other}"

    def _stand(self, q_rad: Float, width_m: float) -> None:
        for joint, value in zip(self._joints, q_rad, strict=True):
            self._client.resetJointState(self._arm, joint, value)
        for joint in self._fingers:
            self._client.resetJointState(self._arm, joint, 0.5 * width_m)

    def is_within(self, distance_m: float, q_rad: Float, width_m: float) -> bool:
        """Whether anything that could touch is nearer than `distance_m` in a posture (N,)."""
        self._stand(q_rad, width_m)
        return any(self._client.getClosestPoints(self._arm, other, distance_m, *pair) for other, pair in self._watched)

    def between_m(self, one: str, other: str, q_rad: Float) -> float:
        """The distance of two links in a posture (N,) with the fingers closed, as far as a metre."""
        self._stand(q_rad, 0.0)
        links = {name: link for link, name in self._names.items()}
        points = self._client.getClosestPoints(self._arm, self._arm, 1.0, links[one], links[other])
        return min((point[8] for point in points), default=1.0)

    def along_m(self, motion: JointTrajectory, step_rad: float = 0.02) -> tuple[float, str]:
        """The least on the way, looked at wherever a joint has turned by `step_rad`."""
        return min((self.nearest_m(*look) for look in looks(motion, step_rad)), key=lambda found: found[0])

    def is_near(self, distance_m: float, motion: JointTrajectory) -> bool:
        """Whether anything comes nearer than that on the way."""
        return any(self.is_within(distance_m, *look) for look in looks(motion, 0.05))


def looks(motion: JointTrajectory, step_rad: float) -> Iterator[tuple[Float, float]]:
    """Postures (N,) and widths of the fingers, wherever a joint has turned by `step_rad`."""
    path = TimedPath(motion)
    times = np.linspace(0.0, path.duration_s, 200)
    turned = np.abs(np.diff(path.sample(times)[0], axis=0)).max(axis=1)
    steps = np.concatenate([[0.0], np.cumsum(turned)])
    at = np.interp(np.append(np.arange(0.0, steps[-1], step_rad), steps[-1]), steps, times)
    for row, time in zip(path.sample(at)[0], at, strict=True):
        yield row, path.gripper_width_at(float(time))


class Adversary:
    """Motions within all other limits, from anywhere to anywhere and most of all along what they might touch."""

    def __init__(self, model: ArmModel, judge: Judge, seed: int) -> None:
        self._model, self._judge, self._rng = model, judge, np.random.default_rng(seed)
        self._free, self._near = [model.home_rad], []
        while len(self._near) < 100:
            q = self._rng.uniform(model.lower_rad, model.upper_rad)
            if not self._is_near(q):
                self._free.append(q)
                continue
            clear, touching = self._free[-1], q
            for _ in range(10):
                middle = 0.5 * (clear + touching)
                clear, touching = (clear, middle) if self._is_near(middle) else (middle, touching)
            self._near.append(clear)

    def _is_near(self, q_rad: Float) -> bool:
        return any(self._judge.is_within(START_M, q_rad, width) for width in (0.0, self._model.gripper_width_m))

    def motion(self) -> JointTrajectory:
        """Through one to three points; slow enough that only what it touches can be against it."""
        model, rng = self._model, self._rng
        pool = self._near if rng.random() < 0.6 else self._free
        start = pool[rng.integers(len(pool))]
        reach_rad = rng.choice([0.02, 0.1, 0.3, 3.0])
        points = [start]
        for _ in range(rng.integers(1, 4)):
            q = points[-1] + rng.normal(0.0, reach_rad, len(start))
            if rng.random() < 0.1:
                q = np.where(rng.random(len(q)) < 0.3, rng.choice([model.lower_rad, model.upper_rad]), q)
            points.append(np.clip(q, model.lower_rad, model.upper_rad))
        position = np.array(points)
        velocity = self._rng.normal(0.0, 0.5 * reach_rad, position.shape) * (rng.random() < 0.5)
        velocity[[0, -1]] = 0.0
        motion = JointTrajectory(
            joint_names=model.joint_names,
            time_s=np.arange(1.0, len(position) + 1),
            position_rad=position,
            velocity_rad_s=velocity,
            gripper_width_m=rng.uniform(0.0, model.gripper_width_m, len(position)),
        )
        path = TimedPath(motion)
        faster = (path.peak_velocity_rad_s() / model.max_velocity_rad_s).max()
        # At the points, a jerk is a jump of the acceleration, and shrinks as that does.
        hardest = np.maximum(
            path.peak_acceleration_rad_s2() / model.max_acceleration_rad_s2,
            path.peak_jerk_rad_s3() / model.max_jerk_rad_s3,
        )
        slower = 1.01 * max(faster, np.sqrt(hardest.max()), 0.05)
        return replace(motion, time_s=motion.time_s * slower, velocity_rad_s=velocity / slower)


def refusal(gate: ActionGate, motion: JointTrajectory) -> str:
    """What the gate says against a motion from rest where it begins; empty where it passes."""
    start_rad = TimedPath(motion).position_rad[0]
    arm = ArmState(position_rad=start_rad, velocity_rad_s=np.zeros(len(start_rad)), age_s=0.0)
    try:
        gate.check(motion, arm=arm, proposal_age_s=0.0)
    except UnsafeCommandError as error:
        return str(error)
    return ""


def try_motions(name: str, count: int, seed: int, shown: Shown = iter) -> Counter[str]:
    """How many adversarial motions pass and touch, and how many are refused that never come near to anything."""
    model, found = arm_model(name), Counter[str]()
    judge, gate = Judge(model), ActionGate(model, EVERYWHERE)
    adversary = Adversary(model, judge, seed)
    for _ in shown(range(count)):
        motion = adversary.motion()
        why = refusal(gate, motion)
        if any(word in why for word in ("position of", "velocity of", "acceleration of", "jerk of", "lasts")):
            found["beyond another limit"] += 1
            continue
        nearest_m, what = judge.along_m(motion)
        found["passed" if not why else "refused"] += 1
        if nearest_m < 0.0:
            found["touches"] += 1
            if not why:
                found["touches, passed"] += 1
                found[f"  {what} {nearest_m * 1000:.1f} mm"] += 1
        elif why and not judge.is_near(0.02, motion):
            found["never nearer than 2 cm, refused"] += 1
        elif why:
            found["never touches, refused"] += 1
    return found


def random_call(model: ArmModel, rng: np.random.Generator) -> SkillCall:
    """A skill anywhere in the reach of the hand, as low as it goes."""
    skill = str(rng.choice(["touch", "pick", "pick_place", "push", "place", "home"]))
    points = rng.uniform(model.reach_lower_m, [0.75, 0.4, 0.2], (SKILLS.get(skill).points, 3))
    points[:, 2] = np.where(rng.random(len(points)) < 0.5, model.reach_lower_m[2], points[:, 2])
    return SkillCall(skill=skill, points_m=points)


def try_plans(name: str, count: int, seed: int, shown: Shown = iter) -> Counter[str]:
    """What the gate says to motions that are planned from wherever an earlier one was stopped."""
    model, rng, found = arm_model(name), np.random.default_rng(seed), Counter[str]()
    gate, q, width_m = ActionGate(model), model.home_rad, model.gripper_width_m
    for _ in shown(range(count)):
        try:
            motion = random_call(model, rng).plan(model, q, width_m)
        except UnreachableError as error:
            found["unreachable"] += 1
            found["  " + "".join(letter for letter in str(error) if not letter.isdigit())[:70]] += 1
            q, width_m = model.home_rad, model.gripper_width_m
            continue
        path = TimedPath(motion)
        arm = ArmState(position_rad=q, velocity_rad_s=np.zeros(len(q)), age_s=0.0)
        try:
            gate.check(motion, arm=arm, proposal_age_s=0.0)
            found["passed"] += 1
        except UnsafeCommandError as error:
            found["planned and refused"] += 1
            found[f"  {error}"] += 1
        stop_s = rng.uniform(0.0, path.duration_s)
        q = path.sample(np.array([stop_s]))[0][0] + rng.normal(0.0, rng.choice([0.0, 1e-4, 2e-3]), len(q))
        q = np.clip(q, model.lower_rad, model.upper_rad)
        width_m = path.gripper_width_at(stop_s) if rng.random() < 0.7 else rng.uniform(0.0, model.gripper_width_m)
    return found


if __name__ == "__main__":
    trial, count = {"motions": try_motions, "plans": try_plans}[sys.argv[1]], int(sys.argv[2])
    for arm in ("panda", "ur5e"):
        print(arm)
        for what, number in trial(arm, count // 2, 0, tqdm).most_common():
            print(f"  {number:8d} {what}")
