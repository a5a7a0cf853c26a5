# SPDX-License-Identifier: Apache-2.0
"""The simulated tabletop. Importing this registers its environments with gymnasium."""

import gymnasium

from sim.tasks import TASKS


def environment_id(task: str) -> str:
    """The gymnasium id of a task: put_in_bowl -> Embodied/PutInBowl-v0."""
    return f"Embodied/{''.join(word.capitalize() for word in task.split('_'))}-v0"


ENV_IDS: tuple[str, ...] = tuple(environment_id(task) for task in TASKS)
"""The ids of all environments."""

for _task in TASKS:
    if environment_id(_task) not in gymnasium.registry:
        gymnasium.register(
            id=environment_id(_task), entry_point="sim.env:TabletopEnv", kwargs={"task": _task}
        )
