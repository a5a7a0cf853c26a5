# SPDX-License-Identifier: Apache-2.0
"""The multimodal sentence: words and sensor readings in any order, any number (PaLM-E, section 3).

Sentences are packed. Several commands about one picture share its tokens: the sequence is a prefix
(branch 0) followed by branches that see the prefix and themselves, never each other. Tokens of one sensor
reading see each other in both directions; all else is causal. A single sentence is the case of one branch.
"""

from dataclasses import dataclass

import torch
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

PREFIX = 0
"""The branch of the shared prefix."""

PLANNED = Text("\nPlan:")
"""What stands before a plan that is known: the command's words have done their work."""


def prompt(instruction: str) -> Text:
    """The words that stand between a command and the plan that answers it."""
    return Text(" ".join(instruction.split()) + PLANNED.text)


def allowed(branch: Tensor, reading: Tensor) -> Tensor:
    """Attention mask of packed sequences.

    Args:
        branch: (B, L) int, PREFIX for the shared prefix, k >= 1 for branch k, -1 for padding.
        reading: (B, L) int, equal and >= 0 within one sensor reading, -1 for words and padding.

    Returns:
        (B, 1, L, L) bool, True where the row's token may look at the column's.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    rows, columns = branch[:, :, None], branch[:, None, :]
    visible = causal & ((columns == rows) | (columns == PREFIX))
    within = (reading[:, :, None] == reading[:, None, :]) & (reading[:, :, None] >= 0)
    mask = visible | within
    # A padding row must see something, or its softmax is NaN and spoils the gradients of the rest.
    diagonal = torch.eye(length, dtype=torch.bool, device=branch.device)
    return ((mask & (columns >= 0)) | diagonal).unsqueeze(1)


def positions(branch: Tensor) -> Tensor:
    """(B, L) position of each token: every branch goes on where the prefix ended."""
    prefix_length = (branch == PREFIX).sum(dim=1, keepdim=True)
    index = torch.arange(branch.shape[1], device=branch.device).expand_as(branch)
    new_branch = torch.ones_like(branch, dtype=torch.bool)
    new_branch[:, 1:] = branch[:, 1:] != branch[:, :-1]
    start = torch.where(new_branch, index, torch.zeros_like(index)).cummax(dim=1).values
    return torch.where(branch == PREFIX, index, prefix_length + index - start)
