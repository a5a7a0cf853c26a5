# SPDX-License-Identifier: Apache-2.0
"""`embodied say`: reads the words and the options, and hands them to the room that speaks ROS."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from embodied.config import ConfigError, option, parse

SPEAKER = "nodes.say:say"
EXAMPLE = 'embodied say "put the red block in the green bowl"'


@dataclass
class SayOptions:
    """Tell the running graph what to do, and follow it to its outcome; Ctrl-C stops the arm."""

    namespace: str = option("", "namespace of the graph")
    timeout_s: float = option(120.0, "seconds after which the arm is stopped and the command given up")


def main(arguments: Sequence[str]) -> int:
    """Say the words among `arguments`; 0 when it was done."""
    keys = tuple(f"{field.name}=" for field in fields(SayOptions))
    is_option = [argument.startswith((*keys, "--", "-h")) for argument in arguments]
    words = [argument for argument, taken in zip(arguments, is_option, strict=True) if not taken]
    others = [argument for argument, taken in zip(arguments, is_option, strict=True) if taken]
    options = parse(SayOptions, others, command="embodied say", example=EXAMPLE)
    if not words:
        raise ConfigError(f"embodied say needs words. For example: {EXAMPLE}")
    module_name, _, name = SPEAKER.partition(":")
    say: Callable[[str, str, float], int] = getattr(importlib.import_module(module_name), name)
    return say(" ".join(words), options.namespace, options.timeout_s)
