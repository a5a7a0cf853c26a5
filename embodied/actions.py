# SPDX-License-Identifier: Apache-2.0
"""The actions of the gymnasium environments, as those who make them and those who take them read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from embodied.errors import UnsafeCommandError
from embodied.types import SKILL_POINTS, SKILLS, Float, SkillCall

ACTION_MODES = ("skill", "ee_delta", "joint")


def to_skill_action(call: SkillCall) -> dict[str, Any]:
    """The skill-mode action of a motion; unused locations are zero."""
    points = np.zeros((2, 3), dtype=np.float32)
    points[: len(call.points_m)] = call.points_m
    return {"skill": SKILLS.index(call.skill), "points_m": points}


def from_skill_action(action: Mapping[str, Any]) -> SkillCall:
    """The motion of a skill-mode action. Raises UnsafeCommandError where it is not finite or not one."""
    index = int(action["skill"])
    if not 0 <= index < len(SKILLS):
        raise UnsafeCommandError(f"there is no skill {index}; valid: 0 to {len(SKILLS) - 1}")
    points = finite(action["points_m"], (2, 3))
    return SkillCall(skill=SKILLS[index], points_m=points[: SKILL_POINTS[SKILLS[index]]])


def finite(values: Any, shape: tuple[int, ...]) -> Float:
    """`values` as an array of `shape`. Raises UnsafeCommandError for another shape, NaN and infinity."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise UnsafeCommandError(f"an action has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise UnsafeCommandError(f"an action is not finite: {array.tolist()}")
    return array
