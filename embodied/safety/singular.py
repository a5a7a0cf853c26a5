# SPDX-License-Identifier: Apache-2.0
"""Near a singular posture an arm goes slower: there small errors of the hand are large ones of the joints."""

import numpy as np

from embodied.arm import ArmModel
from embodied.motion.kinematics import Chain
from embodied.motion.path import TimedPath
from embodied.types import Float

SLOWS_FROM, SLOWEST_AT = 30.0, 100.0
"""Condition numbers of the Jacobian (m and rad) between which the joints lose speed."""
LEAST = 0.25
"""The share of their fastest that they keep: an arm has to get away from there, too."""
_STEP_S = 0.1


def condition(chain: Chain, position_rad: Float) -> Float:
    """(T,) condition numbers of the geometric Jacobian at postures (T, N); Yoshikawa 1985."""
    frames = chain.frames(position_rad)
    axes = (frames[1:, :, :3, :3] @ chain.axes[:, None, :, None])[..., 0]  # (N, T, 3)
    tool = (frames[-1] @ chain.tool)[:, :3, 3]
    linear = np.cross(axes, tool - frames[1:, :, :3, 3])
    jacobians = np.concatenate([linear, axes], axis=2).transpose(1, 2, 0)  # (T, 6, N)
    # Of the square, whose eigenvalues cost less than the singular values.
    squares = np.linalg.eigvalsh(jacobians @ jacobians.transpose(0, 2, 1))
    smallest = squares[:, max(0, 6 - jacobians.shape[2])]
    numbers: Float = np.sqrt(squares[:, -1] / np.maximum(smallest, 1e-12))
    return numbers


def slowed(model: ArmModel, path: TimedPath) -> tuple[Float, Float]:
    """Times (T,) on the path and the rates (T,) there at which no joint is faster than it should be."""
    time_s = np.linspace(0.0, path.duration_s, int(path.duration_s / _STEP_S) + 2)
    position, velocity = path.sample(time_s)
    near = (condition(model.chain, position) - SLOWS_FROM) / (SLOWEST_AT - SLOWS_FROM)
    share = 1.0 - (1.0 - LEAST) * np.clip(near, 0.0, 1.0)
    fastest = (np.abs(velocity) / model.max_velocity_rad_s).max(axis=1)
    return time_s, np.minimum(share / np.maximum(fastest, 1e-9), 1.0)
