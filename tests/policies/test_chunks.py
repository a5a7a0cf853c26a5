# SPDX-License-Identifier: Apache-2.0
"""A skill in chunks that follow each other while the arm moves: the same way, without a stop where there was none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.arm import arm_model
from embodied.errors import UnsafeCommandError
from embodied.judge import Sent, followed, shares
from embodied.motion.actions import ActionChunk
from embodied.motion.path import TimedPath
from embodied.motion.skills import SkillCall
from embodied.safety import ActionGate, ArmState, Streamer
from embodied.safety.splice import Seam
from embodied.types import Float, Joints
from nodes.ros_arm import Told
from policies.chunks import ROWS, Way

MODEL = arm_model("panda")
LAG_S = 0.03
TICK_S = 0.02


class Line:
    """An arm that lags a little behind what it is told, a gate, and decisions that take their time."""

    def __init__(self, call: SkillCall) -> None:
        self.gate, self.now_s, self.width_m = ActionGate(MODEL), 0.0, MODEL.gripper_width_m
        start = MODEL.at_home
        self.way = Way.of(MODEL, call, start)
        rows, self.last = self.way.next(start, ROWS)
        plan = ActionChunk(ee_delta=rows).plan(MODEL, start.position_rad, start.gripper_width_m)
        self.told, self.parts, self.dropped = Told(plan), 0, 0
        self.streamer = Streamer(TimedPath(self.gate.check(plan, arm=self.at_rest(), proposal_age_s=0.0)), MODEL)
        self.seams: dict[int, Seam] = {}
        self.sent: list[Sent] = []
        self.widths: list[tuple[float, float]] = []

    @staticmethod
    def at_rest() -> ArmState:
        return ArmState(position_rad=MODEL.home_rad, velocity_rad_s=np.zeros(7), age_s=0.0)

    def joints(self) -> Joints:
        here, before = (self.streamer.told_rad(self.now_s - LAG_S - back_s) for back_s in (0.0, 0.01))
        return Joints(
            position_rad=here,
            velocity_rad_s=(here - before) / 0.01,
            gripper_width_m=self.width_m,
            stamp_s=self.now_s,
        )

    def tick(self) -> None:
        piece = self.streamer.piece(self.now_s)
        self.sent.append(Sent(self.now_s, piece.time_s, piece.position_rad, piece.velocity_rad_s))
        if piece.gripper_width_m is not None and piece.gripper_width_m != self.width_m:
            self.width_m = piece.gripper_width_m
            self.widths.append((self.now_s, self.width_m))
        self.now_s = round(self.now_s + TICK_S, 9)

    def part(self, delay_s: float) -> None:
        """Look, decide and plan; the part comes to the gate later."""
        self.seen = seen = self.joints()
        rows, self.last = self.way.next(seen, ROWS)
        self.chunk = ActionChunk(ee_delta=rows)
        plan = self.chunk.plan_moving(MODEL, seen, self.told.at(seen, self.seams))
        self.parts += 1
        self.told.follow(self.parts, plan)
        for _ in range(round(delay_s / TICK_S)):
            self.tick()
        try:
            path, seam = self.gate.check_later(
                plan,
                earlier=self.streamer.ahead(self.now_s),
                width_m=self.streamer.width_m(self.now_s),
                stamp_s=seen.stamp_s,
                now_s=self.now_s,
                arm=self.at_rest(),
                proposal_age_s=delay_s,
            )
            streamer = self.streamer.follow(path, self.now_s)
            streamer.piece(self.now_s)
        except UnsafeCommandError:
            self.dropped += 1
        else:
            self.streamer, self.seams[self.parts] = streamer, seam

    def finish(self) -> None:
        while not self.streamer.finished(self.now_s):
            self.tick()

    def run(self, delay_s: float) -> Float:
        """To the end; (T, N) what the arm was told every millisecond."""
        for _ in range(5):
            self.tick()
        while not self.last:
            self.part(delay_s)
            self.tick()
        self.finish()
        if self.parts not in self.seams:
            rest = replace(self.seen, position_rad=self.streamer.told_rad(self.now_s), velocity_rad_s=np.zeros(7))
            plan = self.chunk.plan_moving(MODEL, self.seen, rest)
            state = ArmState(position_rad=rest.position_rad, velocity_rad_s=rest.velocity_rad_s, age_s=0.0)
            self.streamer = Streamer(TimedPath(self.gate.check(plan, arm=state, proposal_age_s=0.0)), MODEL)
            self.finish()
        return followed(MODEL.home_rad, self.sent, 0.0, self.now_s + 0.5)


def stands(told: Float) -> list[tuple[float, Float]]:
    """When (s) and where (3,) the hand stands for a fiftieth of a second, away from home."""
    hand = MODEL.chain.positions(told[::20])
    speed = np.linalg.norm(np.diff(hand, axis=0), axis=1) / TICK_S
    away = np.linalg.norm(hand[1:] - MODEL.home_pose[:3, 3], axis=1) > 0.05
    return [(TICK_S * i, hand[i]) for i in np.flatnonzero((speed < 0.002) & away).tolist()]


@pytest.mark.parametrize("delay_s", [0.06, 0.3])
@pytest.mark.parametrize(("skill", "points"), [("push", 2), ("touch", 1), ("pick", 1), ("pick_place", 2)])
def test_a_skill_in_chunks_stands_only_where_the_skill_waits(skill: str, points: int, delay_s: float) -> None:
    rng = np.random.default_rng(points)
    line = Line(SkillCall(skill=skill, points_m=rng.uniform([0.4, -0.25, 0.03], [0.6, 0.25, 0.06], (points, 3))))
    told = line.run(delay_s)
    for limit, share in shares(MODEL, told).items():
        assert share <= 1.01, limit
    assert line.dropped <= line.parts // 6
    still = np.flatnonzero(~line.way.steps[:, :6].any(axis=1))
    waits = [line.way.poses[row].position_m for row in still.tolist()]
    for at_s, place in stands(told):
        assert min(np.linalg.norm(place - wait) for wait in waits) < 0.01, at_s


@pytest.mark.parametrize("delay_s", [0.06, 0.3])
def test_chunks_that_follow_each_other_are_one_motion(delay_s: float) -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform([0.4, -0.25, 0.03], [0.6, 0.25, 0.06], (2, 3))
    line = Line(SkillCall(skill="pick_place", points_m=points))
    told = line.run(delay_s)

    for limit, share in shares(MODEL, told).items():
        assert share <= 1.01, limit
    assert line.parts > 10
    assert line.dropped <= line.parts // 6
    np.testing.assert_allclose(MODEL.chain.positions(told[-1:])[0], MODEL.home_pose[:3, 3], atol=0.02)
    # It closes the fingers at the first place and opens them at the second.
    assert [width > 0.03 for _, width in line.widths] == [False, True]
    hand = MODEL.chain.positions(told[::20])
    for (at_s, _), point in zip(line.widths, points, strict=True):
        np.testing.assert_allclose(hand[round(at_s / TICK_S)], point, atol=0.01)
    # And it stands nowhere else.
    for at_s, _ in stands(told):
        assert min(abs(at_s - told_s) for told_s, _ in line.widths) < 0.7
