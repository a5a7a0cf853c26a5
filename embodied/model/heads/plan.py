# SPDX-License-Identifier: Apache-2.0
"""The plan in words: the language model's own next word, among those that some plan goes on with. An answer to a
question is written in free words: the next one is then any of the language model's vocabulary."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from embodied.data.sample import Sample
from embodied.errors import EmbodiedError
from embodied.language.verbs import Plan
from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden

MOST_SAID = 48
"""Tokens of an answer."""


class PlanHead(Head):
    """Has no weights: a word's logit is its embedding times the hidden state before it."""

    weights = {"plan": 1.0, "said": 1.0}  # noqa: RUF012

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.language = host.plans
        """Every plan that this model may write."""
        self._decode = host.tokenizer.decode
        self._every = range(len(host.tokenizer))
        self._number = {token: i for i, token in enumerate(self.language.vocabulary)}

    def tokens(self, plan: Plan) -> tuple[int, ...]:
        """The words of a plan. Raises EmbodiedError for one that this model does not speak of."""
        if plan not in self.language:
            what = f"the data have the plan {plan.text()!r}, of which the model does not speak"
            raise EmbodiedError(f"{what}; list its words as verbs:, answers:, kinds: and colours: in its composition")
        return self.language.tokens(plan).ids

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of each word of the plans whose command was said: over the words of all plans, and over the
        whole vocabulary where an answer is free."""
        closed, free = list[_Word](), list[_Word]()
        for row, (sample, places) in enumerate(zip(samples, hidden.sentence.places, strict=True)):
            for command, place in zip(sample.commands, places, strict=True):
                if command.text is None or command.plan is None:
                    continue
                ids, open_words = self.tokens(command.plan), self.language.tokens(command.plan).free
                for i, token in enumerate(ids):
                    (free if i in open_words else closed).append((row, place.answer + i - 1, token))
        parts: dict[str, Tensor] = {}
        if closed:
            parts |= _learned("plan", hidden, [(r, p, self._number[t]) for r, p, t in closed], self.language.vocabulary)
        if free:
            parts |= _learned("said", hidden, free, self._every)
        return parts

    def answer(self, hidden: Hidden) -> Plan:
        """The likeliest plan, word by word."""
        return self.write(hidden)[0]

    def write(self, hidden: Hidden) -> tuple[Plan, float, Hidden]:
        """Walk the tree of plans after a sentence, by the likeliest word at each place.

        Returns the plan, the product of the probabilities of the chosen words, of which the free ones count as one, and
        the states of sentence and plan.
        """
        node, confidence = self.language.tree, 1.0
        while node.plan is None:
            if node.free is not None:
                said, surely, hidden = self._say(hidden)
                return Plan(verb=node.free, said=said), confidence * surely, hidden
            ids, best = list(node.children), 0
            if len(ids) > 1:
                probability = (hidden.states[0, -1].float() @ hidden.words(ids).T).softmax(dim=-1)
                best = int(probability.argmax())
                confidence *= float(probability[best].detach())
            chosen = [ids[best]]
            node = node.children[ids[best]]
            while len(node.children) == 1:
                ((token, node),) = node.children.items()
                chosen.append(token)
            hidden = hidden.written(chosen)
        return node.plan, confidence, hidden

    def _say(self, hidden: Hidden) -> tuple[str, float, Hidden]:
        """The likeliest words up to a full stop, the probability of the least sure one, and the states with them."""
        table, written, confidence = hidden.words(self._every), list[int](), 1.0
        while len(written) < MOST_SAID:
            probability = (hidden.states[0, -1].float() @ table.T).softmax(dim=-1)
            best = int(probability.argmax())
            confidence = min(confidence, float(probability[best].detach()))
            if best == self.language.stop:
                break
            written.append(best)
            hidden = hidden.written([best])
        return str(self._decode(written, skip_special_tokens=True)).strip(), confidence, hidden


_Word = tuple[int, int, int]
"""The sentence, the place before it, and its number."""


def _learned(name: str, hidden: Hidden, words: Sequence[_Word], among: Sequence[int]) -> dict[str, Tensor]:
    """Cross-entropy of words among others, and how many of them are the likeliest."""
    row, position, target = torch.tensor(words, device=hidden.states.device).unbind(dim=1)
    logits = hidden.states[row, position].float() @ hidden.words(among).T
    right = (logits.argmax(dim=-1) == target).float().mean()
    return {name: nn.functional.cross_entropy(logits, target), f"{name}_accuracy": right.detach()}


HEADS.register("plan", PlanHead)
