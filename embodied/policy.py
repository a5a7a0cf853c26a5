# SPDX-License-Identifier: Apache-2.0
"""The contract of everything that can decide, and the registry that finds it by name."""

import importlib
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from embodied.errors import UnknownNameError
from embodied.types import Decision, Instruction, Observation

POLICIES: dict[str, str] = {
    "palme": "policies.palme:PalmePolicy",
    "oracle": "policies.oracle:OraclePolicy",
    "random": "policies.random:RandomPolicy",
    "colour_blob": "policies.colour_blob:ColourBlobPolicy",
}
"""Name -> "module:class". `embodied` names the modules and never imports them on its own."""


@runtime_checkable
class Policy(Protocol):
    """Words and pictures in, a decision out."""

    cameras: tuple[str, ...]
    """Names of the cameras that `decide` reads."""

    def reset(self, instruction: Instruction) -> None:
        """Start a new command; forget the plan of the last one."""

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation."""


def make_policy(name: str, options: Mapping[str, object] | None = None) -> Policy:
    """Build the policy `name` (a registered name or "module:class") with keyword `options`.

    Raises UnknownNameError that lists the valid names.
    """
    target = POLICIES.get(name, name if ":" in name else None)
    if target is None:
        raise UnknownNameError("policy", name, POLICIES)
    module_name, _, class_name = target.partition(":")
    policy: Policy = getattr(importlib.import_module(module_name), class_name)(**(options or {}))
    return policy
