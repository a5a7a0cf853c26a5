# SPDX-License-Identifier: Apache-2.0
"""The multimodal sentence: words and sensor readings in any order, any number (PaLM-E, section 3)."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Text:
    """A run of words."""

    text: str


@dataclass(frozen=True)
class Sensor:
    """One reading of one modality; `value` has the shape that the modality's encoder documents."""

    modality: str
    value: Tensor


Segment = Text | Sensor
Sentence = tuple[Segment, ...]


PLANNED = Text("\nPlan:")
"""What stands before a plan that is known: the command's words have done their work."""


def prompt(instruction: str) -> Text:
    """The words that stand between a command and the plan that answers it."""
    return Text(" ".join(instruction.split()) + PLANNED.text)
