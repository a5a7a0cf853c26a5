# SPDX-License-Identifier: Apache-2.0
"""What of an episode is recorded: what was seen before each step, the action, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.layout import Feature, number
from embodied.inputs import prepare_state, state_names
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.types import DEPTH, Depth, Joints, Observation, Picture, Reading, Vector

Row = dict[str, NDArray[Any]]
"""The values of each feature at one step."""


class Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that keeps its steps in `rows`."""

    def __init__(self, env: Any) -> None:
        super().__init__(env)
        self.rows: list[Row] = []

    def step(self, action: Any) -> Any:
        """Step, and keep what was seen before it."""
        seen: Observation = self.unwrapped.observe()  # type: ignore[attr-defined]
        came = super().step(action)
        _, _, terminated, truncated, info = came
        row = {layout.ACTION: flat_action(action), **dict(map(recorded, seen.readings, seen.readings.values()))}
        row[layout.REWARD] = np.array(info["is_success"], dtype=np.float32)
        row[layout.DONE] = np.array(terminated or truncated)
        row[layout.SUCCESS] = np.array(info["is_success"], dtype=np.bool_)
        self.rows.append(row)
        return came

    def frames(self) -> Row:
        """All steps: arrays whose first axis is time; nothing where nothing moved."""
        return {key: np.stack([row[key] for row in self.rows]) for key in (self.rows or [{}])[0]}


def features_of(env: Any) -> dict[str, Feature]:
    """The columns that a Recorder of `env` fills, which has an episode."""
    seen: Observation = env.unwrapped.observe()
    columns = {}
    for name, reading in seen.readings.items():
        key, values = recorded(name, reading)
        dtype = "video" if isinstance(reading, Picture) else str(values.dtype)
        columns[key] = Feature(dtype=dtype, shape=values.shape, names=_names(reading, env.unwrapped.model.joint_names))
    actions = action_names(env)
    return columns | {
        layout.ACTION: Feature(dtype="float32", shape=(len(actions),), names=actions),
        layout.REWARD: number("float32"),
        layout.DONE: number("bool"),
        layout.SUCCESS: number("bool"),
    }


def recorded(name: str, reading: Reading) -> tuple[str, NDArray[Any]]:
    """The feature that keeps what a sense said, and its values; of the joints what a policy reads of them."""
    if isinstance(reading, Picture):
        return layout.IMAGES + name, reading.rgb
    if isinstance(reading, Depth):
        return layout.DEPTH + name.removesuffix(DEPTH), reading.depth_m.astype(np.float32)
    if isinstance(reading, Joints):
        return layout.STATE, prepare_state(reading)
    return layout.OBSERVATION + name, reading.values.astype(np.float32)


def _names(reading: Reading, joint_names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(reading, Joints):
        return state_names(joint_names)
    if isinstance(reading, Vector):
        return reading.names
    return ("height", "width", "channels") if isinstance(reading, Picture) else ("height", "width")


def action_names(env: Any) -> tuple[str, ...]:
    """What each number of a recorded action is.

    A skill is its index in the list that meta/embodied.json keeps; its places follow, those left over are zero.
    """
    mode = env.unwrapped.action_mode
    if mode == "skill":
        return ("skill", *(f"{axis}{point}_m" for point in range(env.unwrapped.skills.points) for axis in "xyz"))
    return (
        EE_DELTA_NAMES
        if mode == "ee_delta"
        else (*(f"{name}_rad" for name in env.unwrapped.model.joint_names), "gripper_width_m")
    )


def flat_action(action: Any) -> NDArray[np.float32]:
    """An action (N,) as it is recorded, whatever its mode."""
    if isinstance(action, Mapping):
        return np.array([action["skill"], *np.ravel(action["points_m"])], dtype=np.float32)
    return np.asarray(action, dtype=np.float32)
