# SPDX-License-Identifier: Apache-2.0
"""Inference: one moment and one command in; a plan, pointed locations and what other heads say out.

The engine keeps nothing between calls. A caller that has decoded a plan may hand it back, and then
one pass over picture, state and plan points without decoding.

What was meant is the language model's to say, in view of the picture's tokens: no rule here knows a word.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from embodied.language.seen import Entity
from embodied.language.verbs import Plan
from embodied.model.encoders import Encoder
from embodied.model.heads.plan import PlanHead
from embodied.model.heads.pointing import Pointer, Sight
from embodied.model.palme import Palme
from embodied.model.sentence import Embedded

PICTURE_TOKENS = 48
"""How many of a picture's tokens the language model reads: those that least look like bare table."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model wrote, where it points, and what its other heads say."""

    plan: Plan | None  # None of a model that writes none
    confidence: float  # product of the probabilities of the chosen words; 1 where the plan was known
    sights: tuple[Sight, ...]  # one for each of plan.nouns, in order; none if the plan is a refusal
    visible: tuple[Sight, ...] | None  # everything that is seen; None of a model that looks for what is named alone
    others: Mapping[str, Any]  # by the name of the head
    things: tuple[Entity, ...] | None  # that were named in the sentence; None where nobody looked
    features: Mapping[str, Tensor]  # (1, T, F) what the encoders said of each sense: the same for other words
    timings_ms: Mapping[str, float]


class Engine:
    """Runs a model without gradients."""

    def __init__(self, model: Palme) -> None:
        self.model = model.eval()
        heads = model.heads
        self.planner = next((head for head in heads.values() if isinstance(head, PlanHead)), None)
        self.pointer = next((head for head in heads.values() if isinstance(head, Pointer)), None)
        mute = {head for head in heads.values() if not head.answers}
        self._others = {n: head for n, head in heads.items() if head not in {self.planner, self.pointer, *mute}}
        self._pictures = [n for n, e in model.encoders.items() if isinstance(e, Encoder) and e.sees]

    @torch.inference_mode()
    def answer(
        self,
        senses: Mapping[str, Tensor],
        instruction: str,
        *,
        plan: Plan | None = None,
        features: Mapping[str, Tensor] | None = None,
        no_vision: bool = False,
    ) -> Answer:
        """Answer one command.

        Args:
            senses: what `Palme.senses` makes of the last observations; any may be missing.
            instruction: the command.
            plan: a plan that was decoded before for this command; skips decoding.
            features: those of an answer to other words about the same senses; skips the encoders.
            no_vision: control: the tokens of pictures are zeros.
        """
        timings, device = dict[str, float](), self.model.backbone.embedding.weight.device
        writes = self.planner is not None and plan is None
        with _timed(timings, "encode", device):
            known = None if self.planner is None else plan
            # The words have done their work once the plan is known, except for heads that read them again.
            words = instruction if known is None or self._others else None
            sentence = self.model.sentence(senses, [(words, known)], {n: f[0] for n, f in (features or {}).items()})
            whole = self.model.embed([sentence], zeroed=self._pictures if no_vision else ())
            embedded = self._thinned(whole)
        with _timed(timings, "prefill", device):
            hidden = self.model.read(embedded, remember=writes)
            pointer = self.pointer if self.pointer is not None and self.pointer.picture in senses else None
            looked = None if pointer is None else pointer.looked(hidden)
        start, confidence = embedded.places[0][0].answer, 1.0
        others = {name: head.answer(hidden) for name, head in self._others.items()}
        if self.planner is not None and plan is None:
            with _timed(timings, "decode", device):
                plan, confidence, hidden = self.planner.write(hidden)
        sights: tuple[Sight, ...] = ()
        visible: tuple[Sight, ...] | None = None
        with _timed(timings, "point", device):
            if pointer is not None:
                visible = pointer.visible(hidden, looked)
                if self.planner is not None and plan is not None and plan.nouns and plan.moves:
                    positions = [start + i for i in self.planner.language.tokens(plan).nouns]
                    sights = pointer.point(hidden, looked, plan.nouns, positions)
        return Answer(
            plan=plan,
            confidence=confidence,
            sights=sights,
            visible=visible,
            others=others,
            things=whole.things[0],
            features=whole.features,
            timings_ms=timings,
        )

    def _thinned(self, embedded: Embedded) -> Embedded:
        """Without the cells of the pointer's picture that most say "nothing" before the language model.

        Most cells show bare table; without them, the language model has half as much to read. Other heads were
        trained to look anywhere, and what they look for may be no thing: for them all cells stay.
        """
        if self._others or self.pointer is None or self.pointer.picture not in embedded.spans:
            return embedded
        tokens = embedded.of(self.pointer.picture)
        if tokens.shape[1] <= PICTURE_TOKENS or (bare := self.pointer.bare(tokens)) is None:
            return embedded
        return embedded.thinned(self.pointer.picture, bare[0].topk(PICTURE_TOKENS, largest=False).indices.sort().values)


@contextmanager
def _timed(timings: dict[str, float], stage: str, device: torch.device) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    timings[stage] = 1e3 * (time.perf_counter() - start)
