# SPDX-License-Identifier: Apache-2.0
"""An environment without physics, for tests of the loop around it."""

from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import numpy as np

from embodied.arm import arm_model
from embodied.motion.actions import SkillActions
from embodied.types import Observation, Picture


class FakeEnv:
    """Succeeds on seeds that are no multiple of 3; step `steps` ends an episode. Pictures show the seed."""

    def __init__(self, *, action_mode: str = "skill", steps: int = 2, **options: Any) -> None:
        self.action_mode, self.options, self.last = action_mode, options, steps
        self.model = arm_model("panda")
        self.skills = SkillActions()
        self.time_s = 12.5
        self.resets: list[tuple[int, dict[str, Any]]] = []
        self.actions: list[Any] = []
        self.extra: list[dict[str, Any]] = []
        """What the next steps tell beside the rest."""
        self.unwrapped = self
        self.closed = False

    def reset(self, *, seed: int, options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        self.resets.append((seed, options))
        self.episode = types.SimpleNamespace(instruction=f"solve {seed}")
        self.steps = 0
        return {"step": 0}, self._info(False)

    def _info(self, success: bool) -> dict[str, Any]:
        info = {"is_success": success, "score": float(success)}
        if self.resets[-1][1].get("swap"):
            info["original_success"] = not success
        return info

    def observe(self) -> Observation:
        seed = self.resets[-1][0] if self.resets else 0
        frame = Picture(
            rgb=np.full((2, 2, 3), seed % 251, np.uint8),
            intrinsics_px=np.eye(3),
            world_from_camera=np.eye(4),
            stamp_s=self.time_s,
        )
        return Observation(readings={"front": frame, "joints": replace(self.model.at_home, stamp_s=self.time_s)})

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        self.actions.append(action)
        self.steps += 1
        success = self.resets[-1][0] % 3 != 0
        info = self._info(success) | (self.extra.pop(0) if self.extra else {})
        return {"step": self.steps}, 0.0, success, self.steps == self.last, info

    def close(self) -> None:
        self.closed = True
