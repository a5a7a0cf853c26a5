# SPDX-License-Identifier: Apache-2.0
"""What all heads share that point: in which picture, at what, and how sure they are."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from embodied.data.sample import Sample, Seen
from embodied.language.nouns import Noun
from embodied.model.heads import Head, Host
from embodied.model.hidden import Hidden


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A thing and how sure the model is that it is at the place that it points at."""

    noun: Noun
    point: tuple[float, float]  # (u, v), fractions of the picture's width and height
    probability: float
    several: bool = False  # whether it is seen in places too far apart to be one thing


class Named(NamedTuple):
    """A noun of a plan, in training, whose thing is there."""

    row: int  # of its sentence
    position: int  # of the noun's last word in there
    noun: Noun
    seen: Seen


class Pointer(Head):
    """Says where in the picture `picture` (a sense) what a plan names is, from the state at the noun's last word."""

    picture: str

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._plans = host.plans

    @abstractmethod
    def looked(self, hidden: Hidden) -> Any:
        """What it makes of the picture before the plan is known, for `visible` and `point`."""

    @abstractmethod
    def visible(self, hidden: Hidden, looked: Any) -> tuple[Sight, ...] | None:
        """Everything that it sees, whatever was said; None of a head that looks only for what is named."""

    @abstractmethod
    def point(self, hidden: Hidden, looked: Any, nouns: Sequence[Noun], positions: Sequence[int]) -> tuple[Sight, ...]:
        """Where each of `nouns` is, whose last words stand at `positions` of the sentence."""

    def bare(self, tokens: Tensor) -> Tensor | None:
        """(B, T) how surely each of the picture's tokens (B, T, D), before the language model, shows nothing.

        None where all of them are to be read.
        """
        return None

    def answer(self, hidden: Hidden) -> tuple[Sight, ...] | None:
        """As `visible`."""
        return self.visible(hidden, self.looked(hidden))

    def named(self, hidden: Hidden, samples: Sequence[Sample]) -> list[Named]:
        """The nouns of all plans whose things are there: an answer points at nothing, nor what is not there."""
        found = list[Named]()
        for row, (sample, branches) in enumerate(zip(samples, hidden.sentence.places, strict=True)):
            for command, place in zip(sample.commands, branches, strict=True):
                if command.plan is None or not command.plan.moves:
                    continue
                for index, noun in zip(self._plans.tokens(command.plan).nouns, command.plan.nouns, strict=True):
                    if (seen := sample.find(noun)) is not None:
                        found.append(Named(row, place.answer + index, noun, seen))
        return found
