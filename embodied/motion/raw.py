# SPDX-License-Identifier: Apache-2.0
"""Actions of an environment that knows no skill and no arm: rows of numbers, handed over as they are."""

from dataclasses import dataclass
from textwrap import shorten
from typing import Any, ClassVar

import numpy as np

from embodied.errors import EmbodiedError
from embodied.types import Float, JointTrajectory


@dataclass(frozen=True, kw_only=True, eq=False)
class RawActions:
    """Some steps of an environment, a row each; the readings ACTION_LOWER and ACTION_UPPER bound the A numbers."""

    rows: Float  # (T, A), in the environment's own units
    grasp_m: ClassVar[None] = None
    needs_empty_hand: ClassVar[bool] = True

    def __post_init__(self) -> None:
        rows: Any = self.rows
        numbers = isinstance(rows, np.ndarray) and rows.dtype.kind in "iuf"
        if not numbers or rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
            given = shorten(repr(rows), 100)
            raise EmbodiedError(f"raw actions are an array (T, A) of finite numbers, a row a step, and not {given}")

    def plan(self, model: Any, position_rad: Float, gripper_width_m: float) -> JointTrajectory:
        """Raises EmbodiedError: nothing but their own environment knows what the numbers mean."""
        raise EmbodiedError("raw actions are for the environment that they were made for; an arm takes other motions")


ACTION_LOWER, ACTION_UPPER = "action_lower", "action_upper"
"""Readings of an environment that takes `RawActions`: a Vector (A,) each, infinite where there is no bound."""
