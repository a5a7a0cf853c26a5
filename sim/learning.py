# SPDX-License-Identifier: Apache-2.0
"""The same tasks for those who learn by reward: numbers instead of words, so that any library takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from embodied.errors import EmbodiedError, check_name
from embodied.motion.actions import finite
from embodied.types import Float
from sim.env import TabletopEnv
from sim.spaces import observed

MODES = ("ee_delta", "joint")
_FAR_M = 2.0


class LearningEnv(TabletopEnv):
    """A `TabletopEnv` whose command is two places, as the simulator knows them, and whose actions are in [-1, 1].

    The observation holds the `state` of `TabletopEnv`, `target_m` (3,) where the thing that the command
    names is now, `goal_m` (3,) where it should end, and the `senses` by name (by default none, so that nothing
    is drawn). An action goes from the lowest (-1) to the highest (1) of what `action_mode` takes.
    """

    def __init__(
        self,
        task: str = "touch",
        *,
        action_mode: str = "ee_delta",
        reward_type: str = "dense",
        senses: Sequence[str] = (),
        picture_size_px: int = 84,
        **options: Any,
    ) -> None:
        check_name("action mode", action_mode, MODES)
        super().__init__(
            task,
            action_mode=action_mode,
            reward_type=reward_type,
            senses=senses,
            picture_size_px=picture_size_px,
            **options,
        )
        taken = self.action_space
        assert isinstance(taken, spaces.Box)
        self._low, self._high = taken.low.astype(np.float64), taken.high.astype(np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, taken.shape, dtype=np.float32)
        place = spaces.Box(-_FAR_M, _FAR_M, (3,), dtype=np.float32)
        seen = observed(self.model, senses, picture_size_px)
        self.observation_space = spaces.Dict({**seen, "target_m": place, "goal_m": place})

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Act, by numbers in [-1, 1], and look."""
        share = 0.5 * (np.clip(finite(action, self._low.shape), -1.0, 1.0) + 1.0)
        return super().step(self._low + share * (self._high - self._low))

    def _command(self) -> dict[str, Any]:
        if not self.episode.meant:
            raise EmbodiedError(f"task {self.task.name!r} names no thing: there are no places to show a learner")
        state = self.scene_state()
        goal_m = self.task.goal_m(self.episode, state)
        return {"target_m": _place(state.of(self.episode, "target").position_m), "goal_m": _place(goal_m)}


def _place(position_m: Float) -> Any:
    return np.clip(position_m, -_FAR_M, _FAR_M).astype(np.float32)
