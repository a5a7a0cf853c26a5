# SPDX-License-Identifier: Apache-2.0
"""What training reads: one moment and what is known of it, from rendered scenes and recorded episodes alike."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embodied.errors import EmbodiedError
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.types import Observation


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A thing in a picture, at the fractions (u, v) of its width and height."""

    colour: str | None  # None: a colour that has no name
    kind: str
    u: float
    v: float
    place_m: tuple[float, float] | None = None  # x, y on the table, where that is known
    on: int | None = None  # the number of the one that it is in or on


Lesson = bool | Noun | str
"""What is to be told of a caption and a picture: whether it is true, the thing that a hole in the picture hides, or the
word that the caption leaves out."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """Something that may be said at this moment, and what is then right."""

    text: str | None  # None: a plan that is known already, without the words that led to it
    plan: Plan | None = None
    looks: tuple[str, ...] = ()
    """What there is to be looked for before that is clear, one after the other, each with what was found."""
    actions: NDArray[np.float32] | None = None
    """(H, A) what was done from here on; behind the end of an episode the hand stays where it is."""
    ends: bool = False  # whether nothing of the command is left to do after these actions
    goal: Observation | None = None  # what was seen at its end; None where nobody knows, or wants to
    lesson: Lesson | None = None  # where it is no command, but a caption


@dataclass(frozen=True, kw_only=True)
class Actions:
    """What the recorded actions of some data are: the names of A numbers, how often one comes, and how large."""

    names: tuple[str, ...]
    rate_hz: float
    mean: NDArray[np.float64]  # (A,)
    std: NDArray[np.float64]  # (A,)
    count: int  # how many
    episodes: Callable[[], Iterable[NDArray[np.float32]]] = tuple
    """Reads those of some episodes, (T, A) each."""

    def ahead(self, episode: NDArray[np.float32], step: int, horizon: int) -> NDArray[np.float32]:
        """(horizon, A) the actions of an episode from `step` on; behind the last, such that nothing moves."""
        rows = np.asarray(episode[step : step + horizon], dtype=np.float32)
        if len(rows) == horizon:
            return rows
        still = np.array(episode[-1], dtype=np.float32)
        if self.names == EE_DELTA_NAMES:
            still[:-1] = 0.0  # displacements; other actions are targets, and the fingers' is one too
        return np.concatenate([rows, np.repeat(still[None], horizon - len(rows), axis=0)])

    def chunks(self, horizon: int, most: int) -> NDArray[np.float32]:
        """(N, horizon, A) what was done from some moments on, at most `most` of them, spread over what can be read."""
        episodes = [*self.episodes()]
        moments = [(episode, step) for episode in episodes for step in range(len(episode))]
        chosen = np.linspace(0, len(moments) - 1, min(len(moments), most)).astype(int)
        rows = [self.ahead(episode, step, horizon) for episode, step in (moments[number] for number in chosen)]
        return np.stack(rows) if rows else np.zeros((0, horizon, len(self.names)), np.float32)

    def with_(self, other: "Actions") -> "Actions":
        """The two together. Raises EmbodiedError where they are not of one sort."""
        if (self.names, self.rate_hz) != (other.names, other.rate_hz):
            raise EmbodiedError(f"actions of two sorts in one training: {self} and {other}")
        count = self.count + other.count
        mean = (self.count * self.mean + other.count * other.mean) / count
        square = sum(each.count * (each.std**2 + (each.mean - mean) ** 2) for each in (self, other)) / count
        return Actions(
            names=self.names,
            rate_hz=self.rate_hz,
            mean=mean,
            std=np.sqrt(square),
            count=count,
            episodes=lambda: (*self.episodes(), *other.episodes()),
        )

    def __str__(self) -> str:
        return f"{', '.join(self.names)} at {self.rate_hz:g} Hz"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What a policy would have seen, felt and been told."""

    observations: tuple[Observation, ...]  # the last ones, oldest first
    commands: tuple[Command, ...]
    things: tuple[Seen, ...] | None = None  # in the newest picture; None where nobody knows
    told: "Sample | None" = None  # the same moment with captions for commands, for heads that learn of those

    def find(self, noun: Noun) -> Seen | None:
        """What `noun` names; None where it is not there, or does not name one thing alone."""
        named = [each for each in self.things or () if (each.colour, each.kind) == (noun.colour, noun.kind)]
        return named[0] if len(named) == 1 else None
