# SPDX-License-Identifier: Apache-2.0
"""The contract of everything that can decide, and how a policy is found by its name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.registry import Registry
from embodied.types import JOINTS, Decision, Instruction, Observation

PRIVILEGED = "privileged"
"""What only a simulator has: `Observation.privileged`."""


class Policy(Protocol):
    """Words and readings in, a decision out."""

    needs: tuple[str, ...]
    """Names of the senses that `decide` reads besides the joints: cameras, "front_depth", "touch", ...; and
    PRIVILEGED where it reads the simulator's truth. Only what is needed is rendered or subscribed to."""

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Start a new command; forget the plan of the last one. A policy that draws, draws from `seed`."""

    def decide(self, observation: Observation) -> Decision:
        """Answer one observation. Called again until a decision says that it is done.

        What was done so far is `observation.steps`; to count calls is not enough, since what is seen may be asked about
        twice before anything moves.
        """


def _checked(name: str, found: Any) -> Callable[..., Policy]:
    """What builds a policy: a class with the contract; of installed packages a function too.

    Raises EmbodiedError for anything else, before any of it is called.
    """
    wanted = "a policy has needs, reset(instruction, seed) and decide(observation)"
    if isinstance(found, type):
        lacks = [f"{each}()" for each in ("reset", "decide") if not callable(getattr(found, each, None))]
        if lacks:
            raise EmbodiedError(f"policy {name!r}: {found.__name__} lacks {' and '.join(lacks)}; {wanted}")
    elif ":" in name or not callable(found):
        raise EmbodiedError(f"policy {name!r} is a {type(found).__name__} and no class; {wanted}")
    build: Callable[..., Policy] = found
    return build


POLICIES: Registry[Callable[..., Policy]] = Registry("policy", group="embodied.policies", build=_checked)
"""What builds a policy, by name; "module:Class" finds one in the current folder."""


def make_policy(name: str, options: Mapping[str, object] | None = None) -> Policy:
    """Build the policy `name` (a registered name or "module:Class") with keyword `options`.

    Raises UnknownNameError that lists the valid names, of policies or of options; EmbodiedError for a class
    without the contract and for an option that is missing.
    """
    build, options = POLICIES.get(name), options or {}
    check_options(name, options)
    try:
        inspect.signature(build).bind(**options)
    except TypeError as error:
        raise EmbodiedError(f"policy {name!r}: {error}; give it as options.NAME=VALUE") from None
    policy = build(**options)
    needs = getattr(policy, "needs", None)
    if not isinstance(needs, tuple) or not all(isinstance(each, str) for each in needs):
        wanted = 'a tuple of the names of the senses that it reads, as needs = ("front",)'
        raise EmbodiedError(f"policy {name!r} lacks needs: {wanted}")
    for method, count in (("reset", 2), ("decide", 1)):
        _check_call(name, policy, method, count)
    return policy


def check_options(name: str, options: Mapping[str, object]) -> None:
    """Raises UnknownNameError where the policy `name` has no such option."""
    parameters = inspect.signature(POLICIES.get(name)).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for key in options:
        if key not in parameters and not takes_any:
            raise UnknownNameError(f"option of policy {name}", key, parameters)


def _check_call(name: str, policy: Policy, method: str, count: int) -> None:
    """Raises EmbodiedError where a method cannot be called as the contract says."""
    function = getattr(policy, method, None)
    if not callable(function):
        raise EmbodiedError(f"policy {name!r} lacks {method}()")
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError as error:
        wanted = "reset(instruction, seed)" if method == "reset" else "decide(observation)"
        raise EmbodiedError(f"policy {name!r}: {method}() must take {wanted}: {error}") from None


def senses_of(policy: Policy) -> tuple[str, ...]:
    """The senses among what `policy` needs."""
    return tuple(name for name in policy.needs if name not in (PRIVILEGED, JOINTS))
