# SPDX-License-Identifier: Apache-2.0
"""Heads: hidden states in, an answer out; and in training, what the answer should have been. One file each."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor, nn
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.data.sample import Actions, Sample
from embodied.language.verbs import Plan
from embodied.model.composition import PalmeConfig
from embodied.model.encoders import Encoder
from embodied.model.hidden import Hidden, WordEmbedding
from embodied.model.plan_tokens import PlanLanguage
from embodied.registry import Registry
from embodied.types import Motion


@dataclass(frozen=True)
class Host:
    """The model that a head is built into."""

    dim: int  # of a hidden state
    config: PalmeConfig
    encoders: Mapping[str, Encoder]
    tokenizer: PreTrainedTokenizerBase
    words: WordEmbedding

    @cached_property
    def plans(self) -> PlanLanguage:
        """Every plan that the model may write; made once, for all heads that write or read plans."""
        config = self.config
        colours = (*config.colours, *config.other_colours)
        return PlanLanguage(self.tokenizer, config.verbs, config.kinds, colours, config.answers, config.looks)


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a head that moves the arm answers."""

    motion: Motion
    done: bool  # nothing is left to do after the motion


class Head(nn.Module):
    """Built as `head(host, **options)`."""

    weights: ClassVar[Mapping[str, float]] = {}
    """What each part of `loss` weighs; parts that are not here are for the log, where the head's name comes first."""
    answers: ClassVar[bool] = True
    """Whether it has something to say when the model acts; one that only teaches has not."""
    learns_half_way: ClassVar[bool] = False
    """Whether its loss reads `Hidden.half`."""
    sense: str = ""
    """The sense at whose cells it looks one by one; empty: none."""
    horizon: int = 0
    """How many of the next actions it wants to see in training."""
    wants_goal: ClassVar[bool] = False
    """Whether it wants to see in training what was seen at the end."""
    captioned: str = ""
    """The sense whose picture it wants told in captions too, in training; empty: none."""
    pretrained: ClassVar[str] = ""
    """The module of it whose weights a file brings; empty: none."""

    def __init__(self, host: Host) -> None:
        super().__init__()

    def fit(self, actions: Actions) -> None:
        """Take what it needs of the recorded actions, before training. Raises EmbodiedError for others than its own."""

    def tokens(self, plan: Plan) -> tuple[int, ...]:
        """The words of a plan that answers a command, for a head that writes them."""
        return ()

    @abstractmethod
    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Parts of the loss on B sentences of `samples`, whose branches are the samples' commands, in order.

        Samples that do not show what a part is about give no such part.
        """

    @abstractmethod
    def answer(self, hidden: Hidden) -> Any:
        """What it makes of one sentence of one branch that ends with the command; an `Act` moves the arm."""


HEADS: Registry[Callable[..., Head]] = Registry("head", group="embodied.heads", package=__name__)
"""What builds a head, by name."""
