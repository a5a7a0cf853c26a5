# SPDX-License-Identifier: Apache-2.0
"""The plan in words: the language model's own next word, among those that some plan goes on with."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from embodied.data.sample import Sample
from embodied.errors import EmbodiedError
from embodied.language.verbs import Plan
from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden


class PlanHead(Head):
    """Has no weights: a word's logit is its embedding times the hidden state before it."""

    weights = {"plan": 1.0}  # noqa: RUF012

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.language = host.plans
        """Every plan that this model may write."""
        self._number = {token: i for i, token in enumerate(self.language.vocabulary)}

    def tokens(self, plan: Plan) -> tuple[int, ...]:
        """The words of a plan. Raises EmbodiedError for one that this model does not speak of."""
        if plan not in self.language:
            what = f"the data have the plan {plan.text()!r}, of which the model does not speak"
            raise EmbodiedError(f"{what}; list its words as verbs:, answers:, kinds: and colours: in its composition")
        return self.language.tokens(plan).ids

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of each word of the plans whose command was said, over the words of all plans."""
        predict = [
            (row, place.answer + i - 1, self._number[token])
            for row, (sample, places) in enumerate(zip(samples, hidden.sentence.places, strict=True))
            for command, place in zip(sample.commands, places, strict=True)
            if command.text is not None and command.plan is not None
            for i, token in enumerate(self.tokens(command.plan))
        ]
        if not predict:
            return {}
        row, position, target = torch.tensor(predict, device=hidden.states.device).unbind(dim=1)
        logits = hidden.states[row, position].float() @ hidden.words(self.language.vocabulary).T
        right = (logits.argmax(dim=-1) == target).float().mean()
        return {"plan": nn.functional.cross_entropy(logits, target), "plan_accuracy": right.detach()}

    def answer(self, hidden: Hidden) -> Plan:
        """The likeliest plan, word by word."""
        return self.write(hidden)[0]

    def write(self, hidden: Hidden) -> tuple[Plan, float, Hidden]:
        """Walk the tree of plans after a sentence, by the likeliest word at each place.

        Returns the plan, the product of the probabilities of the chosen words, and the states of sentence and plan.
        """
        node, confidence = self.language.tree, 1.0
        while node.plan is None:
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


HEADS.register("plan", PlanHead)
