# SPDX-License-Identifier: Apache-2.0
"""Ask about what is to be seen: in a scene of a task or on a picture file, where nothing moves, or the running graph,
which takes the words as those of `say`."""

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from embodied.config import ConfigError, option, parse
from embodied.controls import Policies
from embodied.environments import make_environment
from embodied.errors import ObservationError
from embodied.language import door
from embodied.policy import Policy, senses_of
from embodied.types import Decision, Float, Instruction, Observation, Picture
from nodes.say import say

EXAMPLE = 'embodied ask "how many red blocks are there?"'
IS_COMMAND = 1
"""Exit code for words that are no question."""
_OPTION = re.compile(r"-|[\w.]+=")
"""A mistyped key is no word either: no question begins like one."""
_UNKNOWN: Float = np.full((4, 4), np.nan)


@dataclass
class AskOptions:
    """Ask the running graph about what it sees; with picture= or task= no graph is needed."""

    picture: str = option("", "a picture file to ask about, taken as the front camera would")
    task: str = option("", "a scene to ask about: that of this task at seed=")
    seed: int = option(0, "seed of the scene")
    policy: str = option("palme", "with picture= or task=: policy by name or module:Class")
    options: dict[str, Any] = option({}, "options of that policy, as options.checkpoint=path")
    namespace: str = option("", "namespace of the graph")
    timeout_s: float = option(120.0, "seconds after which the graph is not waited for")


def main(arguments: Sequence[str]) -> int:
    """Ask the words among `arguments`; 0 when they were answered."""
    is_option = [_OPTION.match(argument) is not None for argument in arguments]
    words = [argument for argument, taken in zip(arguments, is_option, strict=True) if not taken]
    others = [argument for argument, taken in zip(arguments, is_option, strict=True) if taken]
    options = parse(AskOptions, others, command="embodied ask", example=EXAMPLE)
    if not words:
        raise ConfigError(f"embodied ask needs words. For example: {EXAMPLE}")
    if options.picture and options.task:
        raise ConfigError("ask about picture= or about the scene of task=, not about both")
    question = " ".join(words)
    if not options.picture and not options.task:
        return say(question, options.namespace, options.timeout_s)
    if (answer := door.answer_without_a_model(question)) is not None:
        raise ConfigError(answer)
    policy = Policies(options.policy, options.options).plain
    found = _on_picture(policy, question, options) if options.picture else _in_scene(policy, question, options)
    if found is None or found.motion is not None:
        print("that is a command: say it to a graph, with `embodied say`")
        return IS_COMMAND
    print(found.text)
    return 0


def _in_scene(policy: Policy, question: str, options: AskOptions) -> Decision:
    with closing(make_environment(options.task, action_mode="skill", senses=senses_of(policy))) as env:
        env.reset(seed=options.seed)
        return _decided(policy, question, env.unwrapped.observe())


def _on_picture(policy: Policy, question: str, options: AskOptions) -> Decision | None:
    """What is decided about a picture of which nobody knows where it was taken; None for a motion.

    Raises ConfigError for a file that holds no picture.
    """
    try:
        with Image.open(Path(options.picture)) as image:
            rgb = np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigError(f"picture={options.picture} cannot be read as a picture: {error}") from None
    frame = Picture(rgb=rgb, intrinsics_px=_UNKNOWN[:3, :3], world_from_camera=_UNKNOWN, stamp_s=0.0)
    try:
        return _decided(policy, question, Observation(readings=dict.fromkeys(senses_of(policy), frame)))
    except ObservationError:
        return None


def _decided(policy: Policy, question: str, observation: Observation) -> Decision:
    policy.reset(Instruction(text=door.plain(question)))
    return policy.decide(observation)
