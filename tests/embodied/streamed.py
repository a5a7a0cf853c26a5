# SPDX-License-Identifier: Apache-2.0
"""Motions at the edge of every limit, checked and sent by an untimely sender; what is sent is judged from outside.

    python -m tests.embodied.streamed 1000000 20000

checks a million of them and streams 20,000 that pass.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from embodied.arm import ArmModel, arm_model
from embodied.errors import UnsafeCommandError
from embodied.judge import Sent, followed, shares
from embodied.motion.path import TimedPath
from embodied.safety import ActionGate, ArmState, Streamer
from embodied.types import Float, JointTrajectory
from tests.embodied.motion.judge import Judge

WITHIN = 1.005
"""Differences over a millisecond are not the derivative, and stamps are rounded."""
CLEAR_M = 0.005
SHARD = 5000
_EDGES = (0.98, 1.0, 1.001, 1.05, 1.5)
"""How many times slower than its tightest limit a motion is."""


def wild(model: ArmModel, rng: np.random.Generator) -> JointTrajectory:
    """A walk at random, a sine, full acceleration this way and that, or one smooth sweep; then scaled to an edge."""
    joints, count = model.joints, int(rng.integers(2, 60))
    step_s = float(rng.choice([0.005, 0.02, 0.025, 0.1, 0.3]))
    time_s = step_s * np.arange(1, count + 1)
    start = model.home_rad + rng.normal(0.0, 0.05, joints)
    kind = rng.integers(4)
    if kind == 0:
        position = start + np.cumsum(rng.normal(0.0, 0.02, (count, joints)), axis=0)
        velocity = np.gradient(position, step_s, axis=0)
    elif kind == 1:
        reach, phase = rng.uniform(0.0, 0.8, joints), 2.0 * np.pi * rng.uniform(0.1, 6.0)
        position = start + reach * (1.0 - np.cos(phase * time_s[:, None]))
        velocity = reach * phase * np.sin(phase * time_s[:, None])
    elif kind == 2:
        joint = int(rng.integers(joints))
        push = rng.uniform(0.2, 1.2) * model.max_acceleration_rad_s2[joint]
        gained = np.cumsum(push * step_s * np.sign(np.sin(np.arange(count) / rng.uniform(1.0, 8.0))))
        position, velocity = np.tile(start, (count, 1)), np.zeros((count, joints))
        velocity[:, joint] = gained
        position[:, joint] += np.cumsum(0.5 * step_s * (gained + np.concatenate([[0.0], gained[:-1]])))
    else:
        u, way = time_s[:, None] / time_s[-1], rng.normal(0.0, 0.6, joints)
        position = start + way * (10.0 * u**3 - 15.0 * u**4 + 6.0 * u**5)
        velocity = way * (30.0 * u**2 - 60.0 * u**3 + 30.0 * u**4) / time_s[-1]
    velocity[-1] = 0.0
    width = np.full(count, model.gripper_width_m)
    if rng.random() < 0.3:
        width[count // 2 :] = 0.02
    motion = JointTrajectory(
        joint_names=model.joint_names,
        time_s=time_s,
        position_rad=position,
        velocity_rad_s=velocity,
        gripper_width_m=width,
    )
    path = TimedPath(motion)
    tightest = max(
        (path.peak_velocity_rad_s() / model.max_velocity_rad_s).max(),
        np.sqrt((path.peak_acceleration_rad_s2() / model.max_acceleration_rad_s2).max()),
        np.sqrt((path.peak_jerk_rad_s3() / model.max_jerk_rad_s3).max()),
    )
    slower = max(float(tightest), 1e-3) * float(rng.choice(_EDGES))
    return replace(motion, time_s=slower * motion.time_s, velocity_rad_s=motion.velocity_rad_s / slower)


def streamed(model: ArmModel, motion: JointTrajectory, rng: np.random.Generator) -> Float:
    """(T, N) what an arm is told every millisecond by a sender that is late now and then, and stops it somewhere."""
    path = TimedPath(motion)
    streamer, sent, now_s = Streamer(path, model), [], 5.0
    scale, stop_s = float(rng.choice([1.0, 1.0, 3.0])), 5.0 + float(rng.uniform(0.0, 1.2 * path.duration_s))
    while not streamer.finished(now_s):
        stops = now_s >= stop_s
        piece = streamer.brake(now_s) if stops else streamer.piece(now_s, scale=scale)
        sent.append(Sent(now_s, piece.time_s, piece.position_rad, piece.velocity_rad_s))
        if stops:
            break
        late_s = 0.02 * scale if rng.random() < 0.95 else float(rng.uniform(0.02, 0.5))
        now_s = round(now_s + late_s * float(rng.uniform(0.8, 1.2)), 9)
    return followed(path.position_rad[0], sent, 4.9, now_s + 1.0)


def trouble(model: ArmModel, judge: Judge, told: Float) -> list[str]:
    """What is wrong with what an arm was told (T, N), a millisecond apart."""
    found = [limit for limit, share in shares(model, told).items() if share > WITHIN]
    last = told[0] + 1.0
    for posture in told[::20]:
        if np.abs(posture - last).max() > 0.02:
            last = posture
            if judge.is_within(0.0, posture, model.gripper_width_m):
                found.append("touches")
                break
    return found


def try_motions(name: str, count: int, most: int, seed: int) -> Counter[str]:
    """How many of `count` motions pass and are refused, and of the first `most` that pass, what is wrong as sent."""
    model, rng = arm_model(name), np.random.default_rng(seed)
    gate, judge, results = ActionGate(model), Judge(model), Counter[str]()
    for _ in range(count):
        motion = wild(model, rng)
        begin = TimedPath(motion).position_rad[0]
        if judge.is_within(CLEAR_M, begin, model.gripper_width_m):
            results["impossible"] += 1  # no arm is inside of its table; one that touches may get away
            continue
        measured = begin + rng.uniform(-0.05, 0.05, model.joints) * float(rng.choice([0.0, 0.01, 1.0]))
        arm = ArmState(position_rad=measured, velocity_rad_s=np.zeros(model.joints), age_s=0.0)
        try:
            passed = gate.check(motion, arm=arm, proposal_age_s=0.1)
        except UnsafeCommandError:
            results["refused"] += 1
            continue
        results["passed"] += 1
        if results["streamed"] < most:
            results["streamed"] += 1
            results.update(trouble(model, judge, streamed(model, passed, rng)))
    return results


def _shard(task: tuple[str, int, int, int]) -> tuple[str, Counter[str]]:
    return task[0], try_motions(*task)


def main(checked: int, sent_out: int) -> None:
    """Half of the motions for each arm, in shards of a seed each, on all cores."""
    shards = max(1, checked // 2 // SHARD)
    each = checked // 2 // shards, sent_out // 2 // shards
    tasks = [(arm, *each, seed) for seed in range(shards) for arm in ("panda", "ur5e")]
    found: dict[str, Counter[str]] = {}
    with ProcessPoolExecutor() as pool:
        for arm, results in tqdm(pool.map(_shard, tasks), total=len(tasks)):
            found.setdefault(arm, Counter()).update(results)
    for arm, results in found.items():
        print(arm, dict(results))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
