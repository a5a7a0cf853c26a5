# SPDX-License-Identifier: Apache-2.0
"""Inference: one moment and one command in; a plan, pointed locations and what other heads say out.

The engine keeps nothing between calls. A caller that has decoded a plan may hand it back, and then
one pass over picture, state and plan points without decoding.

A model that has learned commands alone needs rules besides: it chooses a word by what the language model thinks of it
and by what the picture affords, for a plan whose things are in view is more likely meant (the rule of SayCan, Ahn et
al. 2022, with the model's own reading of the picture as the affordance), and among the colours that were said. One that
has learned to answer in other ways than "cannot" says itself what was meant.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from embodied.language.verbs import CANNOT, Noun, Plan
from embodied.model.encoders import Encoder
from embodied.model.heads.grounding import Grounding, Sight
from embodied.model.heads.plan import PlanHead
from embodied.model.palme import Palme
from embodied.model.plan_tokens import Node
from embodied.model.sentence import Embedded

PICTURE_TOKENS = 48
"""How many of a picture's tokens the language model reads: those that least look like bare table."""

UNSEEN_AFFORDANCE = 0.05
"""How much less likely a plan is meant if its thing is not in view. Never 0: people do name what is not
there, and a plan that names it is answered, where another thing's plan would move the arm."""

OMITTED_AFFORDANCE = 0.001
"""How much less likely a plan is meant if it leaves out a colour that was said and has room for it."""

REFUSAL_AFFORDANCE = 0.03
"""What "cannot do that" counts against a plan whose things are all in view, where a colour was said.
A command that says no colour hardly names a thing, and is refused as readily as the words ask for."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model wrote, where it points, and what its other heads say."""

    plan: Plan | None  # None of a model that writes none
    confidence: float  # product of the probabilities of the chosen words, in view of the picture
    sights: tuple[Sight, ...]  # one for each of plan.nouns, in order; none if the plan is a refusal
    visible: tuple[Sight, ...]  # everything that some picture token names
    others: Mapping[str, Any]  # by the name of the head
    timings_ms: Mapping[str, float]


class Engine:
    """Runs a model without gradients."""

    def __init__(self, model: Palme) -> None:
        self.model = model.eval()
        heads = model.heads
        self.planner = next((head for head in heads.values() if isinstance(head, PlanHead)), None)
        self.pointer = next((head for head in heads.values() if isinstance(head, Grounding)), None)
        mute = {head for head in heads.values() if not head.answers}
        self._others = {n: head for n, head in heads.items() if head not in {self.planner, self.pointer, *mute}}
        self.commands_only = model.config.answers == (CANNOT,)
        """Whether it takes all that is said for commands, and knows no other answer than that it cannot."""
        self._pictures = [n for n, e in model.encoders.items() if isinstance(e, Encoder) and e.sees]

    @torch.inference_mode()
    def answer(
        self, senses: Mapping[str, Tensor], instruction: str, *, plan: Plan | None = None, no_vision: bool = False
    ) -> Answer:
        """Answer one command.

        Args:
            senses: what `Palme.senses` makes of the last observations; any may be missing.
            instruction: the command.
            plan: a plan that was decoded before for this command; skips decoding.
            no_vision: control: the tokens of pictures are zeros.
        """
        timings, device = dict[str, float](), self.model.backbone.embedding.weight.device
        writes = self.planner is not None and plan is None
        with _timed(timings, "encode", device):
            known = None if self.planner is None else plan
            # The words have done their work once the plan is known, except for heads that read them again.
            words = instruction if known is None or self._others else None
            sentence = self.model.sentence(senses, [(words, known)])
            embedded = self._thinned(self.model.embed([sentence], zeroed=self._pictures if no_vision else ()))
        with _timed(timings, "prefill", device):
            hidden = self.model.read(embedded, remember=writes)
            pointer = self.pointer if self.pointer is not None and self.pointer.sense in senses else None
            named = None if pointer is None else pointer.named(hidden)
        start, confidence = embedded.places[0][0].answer, 1.0
        others = {name: head.answer(hidden) for name, head in self._others.items()}
        if self.planner is not None and plan is None:
            with _timed(timings, "decode", device):
                tree, affordances = self._allowed(instruction, named)
                plan, confidence, hidden = self.planner.write(hidden, tree, affordances)
        sights: tuple[Sight, ...] = ()
        visible: tuple[Sight, ...] = ()
        with _timed(timings, "point", device):
            if pointer is not None and named is not None:
                visible = pointer.visible(hidden, named)
                if self.planner is not None and plan is not None and plan.nouns and not plan.refused:
                    positions = [start + i for i in self.planner.language.tokens(plan).nouns]
                    sights = pointer.point(hidden, named, plan.nouns, positions)
        return Answer(
            plan=plan, confidence=confidence, sights=sights, visible=visible, others=others, timings_ms=timings
        )

    def _allowed(self, instruction: str, named: Tensor | None) -> tuple[Node, Mapping[int, float]]:
        """The tree of plans to choose from, and by `id` of its nodes what the picture says for each."""
        assert self.planner is not None
        if not self.commands_only:
            return self.planner.language.tree_for(frozenset()), {}
        said = self.planner.language.colours_said(instruction)
        tree = self.planner.language.tree_for(said)
        return tree, {} if named is None else _affordances(tree, self._presence(named), said)

    def _thinned(self, embedded: Embedded) -> Embedded:
        """Without the cells of the pointer's picture that most say "nothing" before the language model.

        Most cells show bare table; without them, the language model has half as much to read. Other heads were
        trained to look anywhere, and what they look for may be no thing: for them all cells stay.
        """
        if self._others or self.pointer is None or self.pointer.sense not in embedded.spans:
            return embedded
        tokens = embedded.of(self.pointer.sense)
        if tokens.shape[1] <= PICTURE_TOKENS:
            return embedded
        reading = self.pointer.read_inputs(tokens)
        nothing = reading.kind_logits[0].float().softmax(dim=-1)[:, -1]
        return embedded.thinned(self.pointer.sense, nothing.topk(PICTURE_TOKENS, largest=False).indices.sort().values)

    def _presence(self, named: Tensor) -> dict[Noun, float]:
        """How sure the surest picture token is of each thing that it can name."""
        assert self.pointer is not None
        return dict(zip(self.pointer.things, named.amax(dim=0).tolist(), strict=True))


def _affordances(tree: Node, presence: Mapping[Noun, float], said: frozenset[str]) -> dict[int, float]:
    """By `id` of each node: that of the best plan below it."""
    found: dict[int, float] = {}

    def visit(node: Node) -> float:
        children = [visit(child) for child in node.children.values()]
        found[id(node)] = max(children) if node.plan is None else _affordance(node.plan, presence, said)
        return found[id(node)]

    visit(tree)
    return found


def _affordance(plan: Plan, presence: Mapping[Noun, float], said: frozenset[str]) -> float:
    """How well a plan fits what is seen and the colours that were said."""
    if plan.refused:
        return REFUSAL_AFFORDANCE if said else 1.0
    seen = math.prod(max(presence.get(thing, 0.0), UNSEEN_AFFORDANCE) for thing in plan.nouns)
    named = {thing.colour for thing in plan.nouns}
    omitted = min(len(said), len(plan.nouns)) - len(named & said)
    return seen * OMITTED_AFFORDANCE**omitted


@contextmanager
def _timed(timings: dict[str, float], stage: str, device: torch.device) -> Iterator[None]:
    start = time.perf_counter()
    yield
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    timings[stage] = 1e3 * (time.perf_counter() - start)
