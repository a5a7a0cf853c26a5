# SPDX-License-Identifier: Apache-2.0
"""What training reads: one moment and what is known of it, from rendered scenes and recorded episodes alike."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embodied.language.verbs import Noun, Plan
from embodied.types import Observation


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A thing in a picture, at the fractions (u, v) of its width and height."""

    colour: str | None  # None: a colour that has no name
    kind: str
    u: float
    v: float


@dataclass(frozen=True, kw_only=True)
class Command:
    """Something that may be said at this moment, and what is then right."""

    text: str | None  # None: a plan that is known already, without the words that led to it
    plan: Plan | None = None
    actions: NDArray[np.float32] | None = None
    """(H, A) what was done from here on; behind the end of an episode the hand stays where it is."""
    ends: bool = False  # whether nothing of the command is left to do after these actions


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a policy would have seen, felt and been told."""

    observations: tuple[Observation, ...]  # the last ones, oldest first
    commands: tuple[Command, ...]
    things: tuple[Seen, ...] | None = None  # in the newest picture; None where nobody knows

    def find(self, noun: Noun) -> Seen | None:
        """What `noun` names; None where it is not there."""
        named = (each for each in self.things or () if (each.colour, each.kind) == (noun.colour, noun.kind))
        return next(named, None)
