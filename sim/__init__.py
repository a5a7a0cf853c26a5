# SPDX-License-Identifier: Apache-2.0
"""The simulated tabletop. Importing this registers its environments with gymnasium."""

from embodied.environments import DEFAULT_SUITE, SUITES, environment_id
from sim.tasks import CONVERSATION, LANGUAGE, LONGHORIZON, TABLETOP, TASKS, VERBS_SUITE, VQA, register_environment

__all__ = ["TABLETOP", "environment_id"]

for _task in TASKS.names():
    register_environment(_task)
SUITES.register(DEFAULT_SUITE, TABLETOP)
SUITES.register("verbs", VERBS_SUITE)
SUITES.register("language", LANGUAGE)
SUITES.register("longhorizon", LONGHORIZON)
SUITES.register("vqa", VQA)
SUITES.register("conversation", CONVERSATION)
