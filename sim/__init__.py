# SPDX-License-Identifier: Apache-2.0
"""The simulated tabletop. Importing this registers its environments with gymnasium."""

import gymnasium

from embodied.environments import environment_id
from sim.tasks import TASKS

ENV_IDS: tuple[str, ...] = tuple(environment_id(task) for task in TASKS)
"""The ids of all environments."""

for _task in TASKS:
    if environment_id(_task) not in gymnasium.registry:
        gymnasium.register(
            id=environment_id(_task), entry_point="sim.env:TabletopEnv", kwargs={"task": _task}
        )
