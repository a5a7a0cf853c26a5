# SPDX-License-Identifier: Apache-2.0
"""The truth about a world, as tasks judge it."""

from typing import Any

import numpy as np

from sim.tasks import Episode, SceneState, Task
from sim.world import World

_AT_HOME_RAD = 0.05


def verdict(task: Task, episode: Episode, state: SceneState) -> dict[str, Any]:
    """What a task says of how an episode stands, in an environment and in a graph alike: see `embodied.episode.judged`.

    `answer` is there where words count, and `still` tells where these or an earlier command leave nothing to be moved.
    """
    found: dict[str, Any] = {
        "is_success": bool(task.success(episode, state)),
        "score": float(task.score(episode, state)),
        "went_wrong": bool(task.went_wrong(episode, state)),
    }
    answer = task.answer(episode, state)
    if answer is not None:
        found["answer"] = answer
    if episode.earlier or answer is not None:
        found["still"] = episode.plan.refused
    return found


def state_of(world: World) -> SceneState:
    """What is on the table of `world`, and how its arm stands."""
    position_rad, _, width_m = world.joint_state()
    return SceneState(
        objects=world.objects(),
        held=world.held(),
        touched=world.touched(),
        gripper_width_m=width_m,
        at_home=bool(np.abs(position_rad - world.model.home_rad).max() <= _AT_HOME_RAD),
    )
