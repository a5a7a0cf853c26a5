# SPDX-License-Identifier: Apache-2.0
"""Forward and inverse kinematics of a serial arm from its URDF, in numpy alone.

The same chain serves the simulator, the graph and a real arm, so a plan made for one runs on all.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from embodied.errors import EmbodiedError, UnreachableError, shown
from embodied.motion.urdf import attribute, axis_of, limits_of, pose_of, read_urdf
from embodied.types import Float

POSITION_TOLERANCE_M = 2e-4
ROTATION_TOLERANCE_RAD = 2e-3


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Revolute joints in a row from the base to the tool centre point.

    `fixed[i]` (4, 4) carries the frame before joint i from the frame after joint i-1; `tool` follows
    the last joint. Every joint turns about `axes[i]` (3,).
    """

    joint_names: tuple[str, ...]
    fixed: Float  # (N, 4, 4)
    axes: Float  # (N, 3)
    tool: Float  # (4, 4)
    lower_rad: Float  # (N,)
    upper_rad: Float  # (N,)
    max_velocity_rad_s: Float  # (N,)

    @classmethod
    def from_urdf(cls, path: Path | str, tip: str) -> Self:
        """Read the chain from the root of the URDF file at `path` to the link `tip`.

        Raises EmbodiedError where the file is no sound URDF, has no such link, or a joint between is neither
        revolute nor fixed or has no way to turn.
        """
        joints = {attribute(joint, "child", "link"): joint for joint in read_urdf(path).findall("joint")}
        if tip not in joints:
            raise EmbodiedError(f"{path} has no link {shown(tip)} behind a joint; it has {', '.join(sorted(joints))}")
        row: list[ElementTree.Element] = []
        link = tip
        while link in joints:
            row.append(joints[link])
            link = attribute(joints[link], "parent", "link")
        names, fixed, axes, limits, pending = [], [], [], [], np.eye(4)
        for joint in reversed(row):
            pending = pending @ pose_of(joint)
            if joint.get("type") == "fixed":
                continue
            if joint.get("type") != "revolute":
                what = f"joint {joint.get('name')!r} is {joint.get('type')}, neither revolute nor fixed"
                raise EmbodiedError(f"{path}: {what}")
            names.append(str(joint.get("name")))
            fixed.append(pending)
            axes.append(axis_of(joint))
            limits.append(limits_of(joint))
            if not limits[-1][0] < limits[-1][1]:
                raise EmbodiedError(f"{path}: joint {joint.get('name')!r} has limits that leave it no way")
            pending = np.eye(4)
        if not names:
            raise EmbodiedError(f"{path}: no joint turns on the way to {tip!r}")
        lower, upper, velocity = np.array(limits).T
        return cls(
            joint_names=tuple(names),
            fixed=np.array(fixed),
            axes=np.array(axes),
            tool=pending,
            lower_rad=lower,
            upper_rad=upper,
            max_velocity_rad_s=velocity,
        )

    def forward(self, q_rad: Float) -> Float:
        """Pose (4, 4) of the tool centre point at joint angles `q_rad` (N,)."""
        return self._frames(q_rad)[0]

    def positions(self, q_rad: Float) -> Float:
        """Places (T, 3) of the tool centre point along a motion `q_rad` (T, N)."""
        places: Float = self.frames(q_rad)[-1] @ self.tool[:, 3]
        return places[:, :3]

    def frames(self, q_rad: Float) -> Float:
        """Poses (1 + N, T, 4, 4) of the base and of the frame behind each joint along a motion `q_rad` (T, N)."""
        assert q_rad.ndim == 2 and q_rad.shape[1] == len(self.joint_names), q_rad.shape
        count, joints = q_rad.shape
        frames = np.empty((1 + joints, count, 4, 4))
        frames[0] = np.eye(4)
        turns = _turns(np.repeat(self.axes, count, axis=0), q_rad.T.ravel()).reshape(joints, count, 4, 4)
        frames[1:] = self.fixed[:, None] @ turns
        for i in range(joints):
            frames[i + 1] = frames[i] @ frames[i + 1]
        return frames

    def jacobian(self, q_rad: Float) -> Float:
        """Geometric Jacobian (6, N) in the base frame: linear rows first, then angular."""
        return self._frames(q_rad)[1]

    def _frames(self, q_rad: Float) -> tuple[Float, Float]:
        q_rad = np.asarray(q_rad, dtype=np.float64)
        assert q_rad.shape == (len(self.joint_names),), q_rad.shape
        # Every joint's own transform in one go: the loop below then costs one product per joint.
        frames = self.fixed @ _turns(self.axes, q_rad)
        for i in range(1, len(frames)):
            frames[i] = frames[i - 1] @ frames[i]
        pose = frames[-1] @ self.tool
        axes = (frames[:, :3, :3] @ self.axes[:, :, None])[:, :, 0].T
        arm = (pose[:3, 3] - frames[:, :3, 3]).T
        jacobian = np.empty((6, len(q_rad)))
        # The cross product by hand: numpy's own costs more than all of the rest.
        jacobian[0] = axes[1] * arm[2] - axes[2] * arm[1]
        jacobian[1] = axes[2] * arm[0] - axes[0] * arm[2]
        jacobian[2] = axes[0] * arm[1] - axes[1] * arm[0]
        jacobian[3:] = axes
        return pose, jacobian

    def inverse(self, target: Float, q0_rad: Float, *, rest_rad: Float | None = None, iterations: int = 60) -> Float:
        """Joint angles (N,) within the limits that bring the tool centre point to `target` (4, 4).

        Damped least squares from `q0_rad` (N,). `rest_rad` (N,) draws the redundant joint towards a
        posture, so that equal targets give nearby answers. Raises UnreachableError.
        """
        if not (np.isfinite(target).all() and np.isfinite(q0_rad).all()):
            raise UnreachableError("the hand pose or the start of the arm is not finite")
        q = np.clip(np.asarray(q0_rad, dtype=np.float64), self.lower_rad, self.upper_rad)
        identity = np.eye(len(q))
        error = np.empty(6)
        for _ in range(iterations):
            pose, jacobian = self._frames(q)
            error[:3] = target[:3, 3] - pose[:3, 3]
            error[3:] = _rotation_error(target[:3, :3], pose[:3, :3])
            if np.abs(error[:3]).max() < POSITION_TOLERANCE_M and np.abs(error[3:]).max() < ROTATION_TOLERANCE_RAD:
                return q
            # Far targets in short steps: the linear model holds only near.
            length = float(np.linalg.norm(error))
            step_error = error * min(1.0, 0.5 / length)
            # Damping fades with the error: robust far away, quadratic convergence near.
            damping = (1e-6 + 1e-2 * min(1.0, length * length)) * np.eye(6)
            free = np.ones(len(q))
            for _ in range(len(q)):
                reach = jacobian * free
                inverse = reach.T @ np.linalg.inv(reach @ reach.T + damping)
                step = inverse @ step_error
                if rest_rad is not None:
                    step += 0.3 * free * ((identity - inverse @ reach) @ (free * (rest_rad - q)))
                # A joint at its limit cannot help further: the others take over its share.
                stuck = ((q + step > self.upper_rad) | (q + step < self.lower_rad)) & (free > 0.0)
                if not stuck.any():
                    break
                q = np.where(stuck, np.clip(q + step, self.lower_rad, self.upper_rad), q)
                free[stuck] = 0.0
            q = np.clip(q + step, self.lower_rad, self.upper_rad)
        x, y, z = target[:3, 3]
        raise UnreachableError(
            f"the arm cannot reach ({x:.3f}, {y:.3f}, {z:.3f}) m with this hand direction: "
            f"{np.linalg.norm(error[:3]) * 1e3:.1f} mm and {np.degrees(np.linalg.norm(error[3:])):.1f} degrees remain"
        )


def _rotation_error(target: Float, present: Float) -> Float:
    """Rotation vector (3,) in the base frame that turns `present` (3, 3) into `target` (3, 3)."""
    turn = target @ present.T
    axis = 0.5 * np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    sine = float(np.linalg.norm(axis))
    cosine = 0.5 * (float(np.trace(turn)) - 1.0)
    if sine > 1e-6:
        return np.asarray(axis * (np.arctan2(sine, cosine) / sine))
    if cosine > 0.0:
        return axis
    # A half turn: the axis is the eigenvector of eigenvalue 1, any sign.
    column = int(np.argmax(np.diag(turn)))
    half = turn[:, column] + np.eye(3)[column]
    return np.asarray(half * (np.pi / float(np.linalg.norm(half))))


def _turns(axes: Float, angles_rad: Float) -> Float:
    """(N, 4, 4) rotations by `angles_rad` (N,) about unit `axes` (N, 3), by Rodrigues' formula."""
    cross = np.zeros((len(axes), 3, 3))
    x, y, z = axes.T
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -z, y, -x
    cross[:, 1, 0], cross[:, 2, 0], cross[:, 2, 1] = z, -y, x
    sine, cosine = np.sin(angles_rad)[:, None, None], np.cos(angles_rad)[:, None, None]
    turns = np.zeros((len(axes), 4, 4))
    turns[:, :3, :3] = np.eye(3) + sine * cross + (1.0 - cosine) * (cross @ cross)
    turns[:, 3, 3] = 1.0
    return turns
