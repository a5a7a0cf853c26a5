# SPDX-License-Identifier: Apache-2.0
"""Inference: one picture, one state, one command in; a plan and pointed locations out.

The engine keeps nothing between calls. A caller that has decoded a plan may hand it back, and then
one pass over picture, state and plan points without decoding.

A word is chosen by what the language model thinks of it and by what the picture affords: a plan whose
things are in view is more likely meant (the rule of SayCan, Ahn et al. 2022, with the model's own
reading of the picture as the affordance).
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from embodied.language.verbs import Noun, Plan
from embodied.model.heads import Reading
from embodied.model.palme import STATE, Embedded, Palme
from embodied.model.plan_tokens import Node
from embodied.model.sentence import PLANNED, Sensor, allowed, prompt

SEEN_PROBABILITY = 0.5
"""A picture token counts as seeing a thing from this probability of its words on."""

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
class Sight:
    """A thing and how sure the model is that it is at the place that it points at."""

    noun: Noun
    point_px: tuple[float, float]  # (u, v) in the model's picture
    probability: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model wrote and where it points."""

    plan: Plan
    confidence: float  # product of the probabilities of the chosen words, in view of the picture
    sights: tuple[Sight, ...]  # one for each of plan.nouns, in order; none if the plan is a refusal
    visible: tuple[Sight, ...]  # everything that some picture token names
    timings_ms: Mapping[str, float]


class Engine:
    """Runs a model without gradients."""

    def __init__(self, model: Palme) -> None:
        self.model = model.eval()
        self.language = model.plan_language()
        self._things = [Noun(colour, kind) for colour in model.config.colours for kind in model.config.kinds]

    @torch.inference_mode()
    def answer(
        self,
        picture: Tensor,
        state: Tensor | None,
        instruction: str,
        *,
        plan: Plan | None = None,
        no_vision: bool = False,
    ) -> Answer:
        """Answer one command.

        Args:
            picture: (S, S, 3) uint8, S = model.picture_size_px.
            state: (model.state_size,) float; None where that sense is missing.
            instruction: the command.
            plan: a plan that was decoded before for this command; skips decoding.
            no_vision: control: the picture's tokens are zeros.
        """
        timings: dict[str, float] = {}
        camera = self.model.config.picture
        with _timed(timings, "encode"):
            words = PLANNED if plan is not None else prompt(instruction)
            felt = () if state is None else (Sensor(STATE, state),)
            sentence = self.model.embed((Sensor(camera, picture), *felt, words))
            start, end = sentence.spans[0]
            if no_vision:
                sentence.embeddings[:, start:end] = 0.0
            cells = self._busiest(sentence.embeddings[:, start:end])
            sentence = sentence.thinned(0, cells)
            start, end = sentence.spans[0]
        cache = self.model.backbone.new_cache() if plan is None else None
        with _timed(timings, "prefill"):
            hidden = self._read(sentence, plan, cache)
        token_hidden = hidden[:, start:end]
        tokens = self.model.grounding.read_tokens(token_hidden)
        named, confidence = _named(tokens), 1.0
        if plan is None:
            said = self.language.colours_said(instruction)
            with _timed(timings, "decode"):
                tree = self.language.tree_for(said)
                affordances = _affordances(tree, self._presence(named), said)
                position = int(sentence.position[0, -1]) + 1
                plan, confidence, hidden = self._decode(hidden, cache, position, tree, affordances)
        features = sentence.features[0]
        assert features is not None
        with _timed(timings, "point"):
            sights: tuple[Sight, ...] = ()
            if plan.nouns and not plan.refused:
                nouns = [sentence.embeddings.shape[1] + i for i in self.language.tokens[plan].nouns]
                sights = self._point(plan, hidden[:, nouns], token_hidden, tokens, named, features, cells)
            visible = self._see(named, cells)
        return Answer(plan=plan, confidence=confidence, sights=sights, visible=visible, timings_ms=timings)

    def _busiest(self, tokens: Tensor) -> Tensor:
        """(K,) the cells, in order, whose tokens (1, T, D) least say "nothing" before the language model.

        Most cells show bare table; without them, the language model has half as much to read.
        """
        nothing = self.model.grounding.read_inputs(tokens).kind_logits[0].float().softmax(dim=-1)[:, -1]
        return nothing.topk(min(PICTURE_TOKENS, len(nothing)), largest=False).indices.sort().values

    def _read(self, sentence: Embedded, plan: Plan | None, cache: object) -> Tensor:
        """Hidden states (1, L, D) of a sentence, and of the words of its plan where that is known."""
        backbone = self.model.backbone
        device = sentence.embeddings.device
        ids = torch.tensor([self.language.tokens[plan].ids if plan else ()], dtype=torch.long, device=device)
        words = backbone.embedding(ids).to(self.model.projector_dtype)
        branch = torch.nn.functional.pad(sentence.branch, (0, ids.shape[1]), value=0)
        reading = torch.nn.functional.pad(sentence.reading, (0, ids.shape[1]), value=-1)
        after = sentence.position[:, -1:] + 1 + torch.arange(ids.shape[1], device=device)
        hidden: Tensor = backbone(
            torch.cat([sentence.embeddings, words], dim=1),
            mask=allowed(branch, reading),
            position_ids=torch.cat([sentence.position, after], dim=1),
            cache=cache,
        )
        return hidden

    def _decode(
        self, hidden: Tensor, cache: object, position: int, tree: Node, affordances: Mapping[int, float]
    ) -> tuple[Plan, float, Tensor]:
        """Walk a tree of plans, from `position` on, after a sentence whose hidden states are (1, L, D).

        Returns the plan, its confidence and the hidden states of sentence and plan.
        """
        backbone = self.model.backbone
        outputs = [hidden]
        node, confidence = tree, 1.0
        while node.plan is None:
            ids, best = list(node.children), 0
            if len(ids) > 1:
                rows = backbone.embedding(torch.tensor(ids, device=hidden.device))
                affordance = [affordances[id(child)] for child in node.children.values()]
                score = (hidden[0, -1].float() @ rows.T).softmax(dim=-1)
                score = score * torch.tensor(affordance, device=score.device)
                probability = score / score.sum()
                best = int(probability.argmax())
                confidence *= float(probability[best])
            chosen = [ids[best]]
            node = node.children[ids[best]]
            while len(node.children) == 1:
                ((token, node),) = node.children.items()
                chosen.append(token)
            hidden = self._extend(chosen, position, sum(each.shape[1] for each in outputs), cache)
            position += len(chosen)
            outputs.append(hidden)
        return node.plan, confidence, torch.cat(outputs, dim=1)

    def _extend(self, ids: list[int], position: int, length: int, cache: object) -> Tensor:
        """Hidden states (1, len(ids), D) of words from `position` on, after `length` cached tokens."""
        backbone = self.model.backbone
        device = backbone.embedding.weight.device
        embeddings = backbone.embedding(torch.tensor([ids], device=device)).to(self.model.projector_dtype)
        count = len(ids)
        mask = torch.ones(1, 1, count, length + count, dtype=torch.bool, device=device).tril(length)
        position_ids = torch.arange(position, position + count, device=device).unsqueeze(0)
        hidden: Tensor = backbone(embeddings, mask=mask, position_ids=position_ids, cache=cache)
        return hidden

    def _point(
        self,
        plan: Plan,
        query_hidden: Tensor,
        token_hidden: Tensor,
        tokens: Reading,
        named: Tensor,
        features: Tensor,
        cells: Tensor,
    ) -> tuple[Sight, ...]:
        """Where each thing of `plan` is; what belongs to tokens belongs to those of `cells`."""
        grounding = self.model.grounding
        queries = grounding.read_queries(query_hidden)
        column = {thing: named[:, i] for i, thing in enumerate(self._things)}  # (T,) each
        nowhere = torch.zeros_like(named[:, 0])
        rows = torch.stack([column.get(thing, nowhere) for thing in plan.nouns])  # (Q, T)
        # A cell between two things may match one and lie on the other: its own words must agree.
        match = grounding.match(tokens, queries, token_hidden)[0].float() + rows.clamp_min(1e-6).log()
        best = match.argmax(dim=-1)  # (Q,)
        offsets = grounding.offsets(token_hidden[0, best], features[0, best], query_hidden[0])
        return tuple(
            Sight(noun=thing, point_px=self._pixel(int(cells[i]), offset), probability=float(row[i]))
            for thing, i, offset, row in zip(plan.nouns, best, offsets, rows, strict=True)
        )

    def _presence(self, named: Tensor) -> dict[Noun, float]:
        """How sure the surest picture token is of each thing that it can name."""
        return dict(zip(self._things, named.amax(dim=0).tolist(), strict=True))

    def _see(self, named: Tensor, cells: Tensor) -> tuple[Sight, ...]:
        """The surest token of every thing that some token names."""
        best, index = named.max(dim=0)
        return tuple(
            Sight(noun=thing, point_px=self._pixel(int(cells[i])), probability=float(probability))
            for thing, i, probability in zip(self._things, index, best, strict=True)
            if probability > SEEN_PROBABILITY
        )

    def _pixel(self, cell: int, offset: Tensor | tuple[float, float] = (0.0, 0.0)) -> tuple[float, float]:
        (rows, columns), size = self.model.grid, self.model.picture_size_px
        row, column = divmod(cell, columns)
        return ((column + 0.5 + float(offset[0])) * size / columns, (row + 0.5 + float(offset[1])) * size / rows)


def _named(tokens: Reading) -> Tensor:
    """(T, things) probability that each picture token names each thing, in the order of colours and kinds."""
    colour = tokens.colour_logits[0].float().softmax(dim=-1)[:, :-1]
    kind = tokens.kind_logits[0].float().softmax(dim=-1)[:, :-1]
    return (colour[:, :, None] * kind[:, None, :]).flatten(1)


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
def _timed(timings: dict[str, float], stage: str) -> Iterator[None]:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    yield
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    timings[stage] = 1e3 * (time.perf_counter() - start)
