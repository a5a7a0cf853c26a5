# SPDX-License-Identifier: Apache-2.0
"""A robot arm that does what it is told. The public names, loaded when they are used (PEP 562).

    from embodied import Agent, make_environment, make_policy

What is not listed here may change without notice.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "embodied.arm": ("Arm", "ArmModel", "Outcome", "arm_model", "load_arm"),
    "embodied.environments": ("make_environment",),
    "embodied.episode": ("EnvironmentArm",),
    "embodied.errors": ("EmbodiedError",),
    "embodied.geometry": ("unproject",),
    "embodied.language.verbs": ("Noun", "Plan", "Verb"),
    "embodied.motion.actions": ("ActionChunk",),
    "embodied.motion.hand": ("HandPose",),
    "embodied.motion.raw": ("RawActions",),
    "embodied.motion.skills": ("Skill", "SkillCall"),
    "embodied.policy": ("Policy", "make_policy"),
    "embodied.run": ("Agent", "Result"),
    "embodied.things": ("Thing",),
    "embodied.types": ("Decision", "Depth", "Instruction", "Joints", "Motion", "Observation", "Picture", "Vector"),
}
_PLACES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'embodied' has no {name!r}; public are: {', '.join(__all__)}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
