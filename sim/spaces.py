# SPDX-License-Identifier: Apache-2.0
"""The spaces of the tabletop: what its environments show and take."""

import string
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import read_from_shared_memory
from numpy.typing import NDArray

from embodied.arm import ArmModel
from embodied.motion.actions import MAX_STEP_M, MAX_TURN_RAD, SkillActions
from embodied.types import Depth, Float, Picture, Reading, Vector
from sim.phrases import spoken
from sim.scene import CAMERAS
from sim.senses import SENSORS, check_sense

LARGEST: Float = np.array([MAX_STEP_M] * 3 + [MAX_TURN_RAD] * 3 + [1.0])
"""Of each number of an `ee_delta` action."""


class Words(spaces.Text):
    """An instruction of at most 500 characters.

    gymnasium reads a Text out of the memory that an AsyncVectorEnv shares with its processes once, before
    anything is written there. So the batch of this space is a view, and a copy of it is what is there now.
    """

    def __init__(self) -> None:
        super().__init__(max_length=500, min_length=0, charset=frozenset(string.printable) | spoken.letters())


class _SharedWords(Sequence[str]):
    """The instructions of `count` environments, read whenever they are asked for."""

    def __init__(self, space: Words, memory: Any, count: int) -> None:
        self._space, self._memory, self._count = space, memory, count

    def _now(self) -> tuple[str, ...]:
        read: Callable[..., Any] = read_from_shared_memory.dispatch(spaces.Text)
        return tuple(read(self._space, self._memory, self._count))

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return self._now()[index]

    def __repr__(self) -> str:
        return repr(self._now())

    def __deepcopy__(self, memo: Mapping[int, Any]) -> tuple[str, ...]:
        return self._now()


@read_from_shared_memory.register(Words)
def _read_words(space: Words, shared_memory: Any, n: int = 1) -> _SharedWords:
    return _SharedWords(space, shared_memory, n)


def action_space(model: ArmModel, action_mode: str, skills: SkillActions) -> spaces.Space[Any]:
    """The actions of a mode, in SI units."""
    if action_mode == "skill":
        # Unused places are zero, so zero belongs to the space.
        low = np.tile(np.minimum(model.reach_lower_m, 0.0), (skills.points, 1)).astype(np.float32)
        high = np.tile(model.reach_upper_m, (skills.points, 1)).astype(np.float32)
        return spaces.Dict(
            {"skill": spaces.Discrete(len(skills.names)), "points_m": spaces.Box(low, high, dtype=np.float32)}
        )
    if action_mode == "ee_delta":
        low, high = -LARGEST.astype(np.float32), LARGEST.astype(np.float32)
        return spaces.Box(low, high, dtype=np.float32)
    low = np.append(model.lower_rad, 0.0).astype(np.float32)
    high = np.append(model.upper_rad, model.gripper_width_m).astype(np.float32)
    return spaces.Box(low, high, dtype=np.float32)


def state_bound(model: ArmModel) -> Float:
    """Of each number of the state: N joint angles, N velocities, gripper width, x, y, z and yaw."""
    position = np.maximum(np.abs(model.lower_rad), np.abs(model.upper_rad)) + 1.0
    velocity = np.full(model.joints, 10.0)
    return np.concatenate([position, velocity, [0.1], [2.0] * 3, [4.0]])


def observed(model: ArmModel, senses: Sequence[str], size_px: int) -> dict[str, spaces.Space[Any]]:
    """The spaces of what is sensed, by name, and of the state."""
    bound = state_bound(model).astype(np.float32)
    return {**{name: _sensed(name, size_px) for name in senses}, "state": spaces.Box(-bound, bound, dtype=np.float32)}


def _sensed(name: str, size_px: int) -> spaces.Box:
    check_sense(name)
    if name in CAMERAS:
        return spaces.Box(0, 255, (size_px, size_px, 3), dtype=np.uint8)
    if name not in SENSORS:
        return spaces.Box(0.0, np.inf, (size_px, size_px), dtype=np.float32)
    sensor = SENSORS.get(name)
    return spaces.Box(-sensor.bound, sensor.bound, (len(sensor.names),), dtype=np.float32)


def shown(reading: Reading) -> NDArray[Any]:
    """What an observation tells of a reading: a copy, for callers keep and change what they got."""
    if isinstance(reading, Picture):
        return reading.rgb.copy()
    if isinstance(reading, Depth):
        return reading.depth_m.copy()
    assert isinstance(reading, Vector), reading
    return reading.values.astype(np.float32)
