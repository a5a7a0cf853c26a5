# SPDX-License-Identifier: Apache-2.0
"""The contract of everything that can decide, and the registry that finds it by name."""

import importlib
import inspect
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

    Raises UnknownNameError that lists the valid names, of policies or of options.
    """
    target = POLICIES.get(name, name if ":" in name else None)
    if target is None:
        raise UnknownNameError("policy", name, POLICIES)
    module_name, _, class_name = target.partition(":")
    module = importlib.import_module(module_name)
    if not hasattr(module, class_name):
        found = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise UnknownNameError(f"class in {module_name}", class_name, found)
    build = getattr(module, class_name)
    options = options or {}
    parameters = inspect.signature(build).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key in options:
        if key not in parameters and not takes_any:
            raise UnknownNameError(f"option of policy {name}", key, parameters)
    policy: Policy = build(**options)
    return policy
