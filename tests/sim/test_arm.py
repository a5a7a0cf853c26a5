# SPDX-License-Identifier: Apache-2.0
"""The simulated arm behind the contract: it arrives, it stops, and it takes no bad numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from embodied.arm import Arm, arm_model
from embodied.errors import UnreachableError, UnsafeCommandError
from embodied.motion.actions import ActionChunk
from embodied.motion.hand import HandPose, turn_between
from embodied.motion.skills import SkillCall
from sim.arm import SETTLE_STEPS, SimArm
from sim.world import PHYSICS_HZ, World

PANDA = arm_model("panda")
TOUCH = SkillCall(skill="touch", points_m=np.array([[0.5, 0.1, 0.05]]))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PANDA) as made:
        yield made


@pytest.fixture
def arm(world: World) -> SimArm:
    world.set_objects(())
    made = SimArm(world, senses=("front",), picture_size_px=16)
    made.advance(SETTLE_STEPS)
    return made


def test_it_arrives_and_time_passes_only_then(arm: SimArm) -> None:
    contract: Arm = arm
    before = contract.now_s()
    planned = TOUCH.plan(PANDA, PANDA.home_rad, 0.08)
    ticks: list[float] = []
    outcome = contract.execute(TOUCH, contract.observe(), lambda: ticks.append(arm.now_s()))
    assert outcome.done and not outcome.over and outcome.width_m == planned.gripper_width_m[-1]
    assert arm.now_s() - before == pytest.approx(planned.time_s[-1] + SETTLE_STEPS / PHYSICS_HZ, abs=0.02)
    assert np.abs(arm.observe().joints.position_rad - PANDA.home_rad).max() < 0.02
    assert len(ticks) > 10 and np.all(np.diff(ticks) > 0.0)


def test_a_chunk_is_a_motion_as_well(arm: SimArm) -> None:
    row = [0.02, 0.01, -0.03, 0.0, 0.05, 0.0, 1.0]
    chunk = ActionChunk(ee_delta=np.array([row] * 4, dtype=np.float32))
    assert arm.execute(chunk).done
    hand = HandPose.from_matrix(PANDA.chain.forward(arm.observe().joints.position_rad))
    home = HandPose.from_matrix(PANDA.home_pose)
    assert np.allclose(hand.position_m, home.position_m + 4 * np.array(row[:3]), atol=0.004)
    wanted = home.turned(np.array([0.0, 1.0, 0.0]), 0.2)
    assert turn_between(hand.orientation, wanted.orientation) < 0.03


def test_a_stop_in_the_middle_ends_it_there_and_it_holds_still(arm: SimArm) -> None:
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 12:
            arm.stop()

    outcome = arm.execute(TOUCH, on_tick=tick)
    assert outcome.state == "stopped" and ticks == 12
    there = arm.observe().joints.position_rad
    assert np.abs(there - PANDA.home_rad).max() > 0.1
    arm.advance(PHYSICS_HZ)
    assert np.abs(arm.observe().joints.position_rad - there).max() < 0.01
    # The next motion begins there and arrives.
    assert arm.execute(TOUCH).done
    assert np.abs(arm.observe().joints.position_rad - PANDA.home_rad).max() < 0.02


def test_whoever_interrupts_stops_it_and_is_heard(arm: SimArm) -> None:
    def tick() -> None:
        if arm.now_s() > 0.8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        arm.execute(TOUCH, on_tick=tick)
    there = arm.observe().joints.position_rad
    arm.advance(PHYSICS_HZ)
    assert np.abs(arm.observe().joints.position_rad - there).max() < 0.02, "it went on by itself"


def test_what_is_out_of_reach_moves_nothing(arm: SimArm) -> None:
    before = arm.now_s()
    for motion in (
        SkillCall(skill="touch", points_m=np.array([[0.5, 0.9, 0.05]])),
        ActionChunk(ee_delta=np.array([[1.5, 0, 0, 0, 0, 0, 1]], dtype=np.float32)),
    ):
        with pytest.raises(UnreachableError):
            arm.execute(motion)
    assert arm.now_s() == before


@pytest.mark.parametrize("key", ["time_s", "position_rad", "velocity_rad_s", "gripper_width_m"])
def test_a_trajectory_of_bad_numbers_is_refused(arm: SimArm, key: str) -> None:
    sound = TOUCH.plan(PANDA, PANDA.home_rad, 0.08)
    spoilt = getattr(sound, key).copy()
    spoilt[-1] = np.nan
    with pytest.raises(UnsafeCommandError, match="not finite"):
        arm.send(replace(sound, **{key: spoilt}))
    for times in (sound.time_s[::-1].copy(), np.zeros_like(sound.time_s), np.zeros(0)):
        with pytest.raises(UnsafeCommandError, match="must increase"):
            arm.send(replace(sound, time_s=times))


def test_a_glide_is_cut_where_the_joints_are_too_slow(arm: SimArm) -> None:
    near, far = PANDA.home_rad + 0.01, PANDA.home_rad + 2.0
    assert arm.glide(near, 0.08, 24) is True
    assert np.allclose(arm.commanded_rad, near)
    assert arm.glide(far, 0.08, 24) is False
    moved = np.abs(arm.commanded_rad - near) / 0.1
    assert (moved <= PANDA.max_velocity_rad_s + 1e-9).all() and moved.max() > 0.9 * PANDA.max_velocity_rad_s.min()
    for bad in (np.full(7, np.nan), np.full(7, np.inf)):
        with pytest.raises(UnsafeCommandError, match="not finite"):
            arm.glide(bad, 0.08, 24)
    with pytest.raises(UnsafeCommandError, match="not finite"):
        arm.glide(near, float("nan"), 24)


def test_one_instant_is_drawn_once(arm: SimArm, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    render = arm.world.render
    monkeypatch.setattr(arm.world, "render", lambda name, size: (drawn.append(name), render(name, size))[1])
    first, again = arm.observe(), arm.observe()
    assert drawn == ["front"] and again.picture("front") is first.picture("front")
    arm.advance(2)
    assert arm.observe().stamp_s > first.stamp_s and drawn == ["front"] * 2
    arm.world.set_objects(())
    arm.forget()
    arm.observe()
    assert drawn == ["front"] * 3, "another scene at the same time is another picture"
