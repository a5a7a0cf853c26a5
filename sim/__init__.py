# SPDX-License-Identifier: Apache-2.0
"""The simulated tabletop. Importing this registers its environments with gymnasium."""

import gymnasium

from embodied.environments import DEFAULT_SUITE, SUITES, environment_id
from sim.tasks import TABLETOP, TASKS

for _task in TASKS.names():
    if environment_id(_task) not in gymnasium.registry:
        gymnasium.register(
            id=environment_id(_task), entry_point="sim.env:TabletopEnv", kwargs={"task": _task}
        )
SUITES.register(DEFAULT_SUITE, TABLETOP)
