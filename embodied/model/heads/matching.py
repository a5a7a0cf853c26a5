# SPDX-License-Identifier: Apache-2.0
"""Whether words and a picture belong together, told at the end of a caption: a lesson, and no answer.

The tasks on which UNITER is pretrained (Chen et al. 2020, section 3.2), one side masked at a time: whether a caption is
true of a picture (ITM), what a hole in the picture hides (MRC), which word a caption leaves out (MLM). The sentence is
causal: a picture's token knows no word, and a word none behind it. So all three are told where both are known, at the
last token before an answer, and not at what is masked.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from embodied.data.sample import Lesson, Sample
from embodied.errors import check_name
from embodied.language.nouns import Noun
from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden

ITM, MRC, MLM = "itm", "mrc", "mlm"


class Matching(Head):
    """Reads captions of the picture `sense`, which the data bring beside the commands."""

    weights: ClassVar[Mapping[str, float]] = {ITM: 1.0, MRC: 0.5, MLM: 0.5}
    answers = False

    def __init__(self, host: Host, *, sense: str = "front") -> None:
        super().__init__(host)
        check_name("sense", sense, host.config.senses)
        if not host.encoders[sense].sees:
            raise ValueError(f"it matches captions with a picture, and the sense {sense!r} is none")
        self.captioned = sense
        self.colours, self.kinds = host.config.colours, host.config.kinds
        words = len(self.colours) + len(self.kinds)
        self.sizes = {ITM: [2], MRC: [len(self.colours), len(self.kinds)], MLM: [words]}
        """Of each task, how many classes there are for each of its answers."""
        self.tell = nn.ModuleDict(
            {
                task: nn.Sequential(nn.RMSNorm(host.dim), nn.Linear(host.dim, sum(size)))
                for task, size in self.sizes.items()
            }
        )

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of each task, a colour's and a kind's in one, and how much of it is right."""
        asked: defaultdict[str, list[tuple[int, list[int]]]] = defaultdict(list)
        for number, lesson in enumerate(command.lesson for sample in samples for command in sample.commands):
            if lesson is not None:
                task, right = self._wanted(lesson)
                asked[task].append((number, right))
        states, parts = hidden.states[hidden.asked()].float(), dict[str, Tensor]()
        for task, wanted in asked.items():
            numbers, classes = zip(*wanted, strict=True)
            targets = torch.tensor(classes, device=states.device).unbind(dim=1)
            told = self.tell[task](states[list(numbers)]).split(self.sizes[task], dim=-1)
            pairs = [*zip(told, targets, strict=True)]
            parts[task] = torch.stack([nn.functional.cross_entropy(*pair) for pair in pairs]).sum()
            told_right = torch.stack([each.argmax(dim=-1) == target for each, target in pairs]).all(dim=0)
            parts[f"{task}_accuracy"] = told_right.float().mean()
        return parts

    def answer(self, hidden: Hidden) -> Any:
        """Nothing."""
        return None

    def _wanted(self, lesson: Lesson) -> tuple[str, list[int]]:
        """The task, and the number of each class that is right."""
        match lesson:
            case bool():
                return ITM, [int(lesson)]
            case Noun():
                return MRC, [self.colours.index(lesson.colour), self.kinds.index(lesson.kind)]
            case str():
                return MLM, [(*self.colours, *self.kinds).index(lesson)]


HEADS.register("matching", Matching)
