# SPDX-License-Identifier: Apache-2.0
"""Plans as token sequences, and the tree of all of them that decoding walks.

Constrained decoding: at each node the language model chooses among the words that some plan goes on
with, so what it writes is always a plan. Where only one word is possible there is nothing to choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.model.backbone import encode
from embodied.plan import Plan, all_plans


@dataclass(frozen=True)
class PlanTokens:
    """A plan's token ids, and for each of its things the index of the last token of its noun."""

    ids: tuple[int, ...]
    nouns: tuple[int, ...]


@dataclass
class Node:
    """A place in the tree; a leaf carries its plan."""

    children: dict[int, Node] = field(default_factory=dict)
    plan: Plan | None = None


class PlanLanguage:
    """Every plan in tokens of one tokenizer."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokens: dict[Plan, PlanTokens] = {}
        self.root = Node()
        self._words: dict[str, list[int]] = {}
        for plan in all_plans():
            tokens = self._tokenise(plan, tokenizer)
            self.tokens[plan] = tokens
            node = self.root
            for token in tokens.ids:
                assert node.plan is None, "one plan is the beginning of another"
                node = node.children.setdefault(token, Node())
            node.plan = plan
        self.vocabulary: tuple[int, ...] = tuple(sorted({i for t in self.tokens.values() for i in t.ids}))

    def _tokenise(self, plan: Plan, tokenizer: PreTrainedTokenizerBase) -> PlanTokens:
        """Word by word, so that a word is the same tokens wherever it stands."""
        ids: list[int] = []
        nouns: list[int] = []
        things = list(plan.things)
        words = [f" {word}" for word in plan.text().split()] + ["."]
        for number, word in enumerate(words):
            if word not in self._words:
                self._words[word] = encode(tokenizer, word)
            ids += self._words[word]
            if (
                things
                and number > 0
                and (words[number - 1].strip(), word.strip())
                == (
                    things[0].colour,
                    things[0].kind,
                )
            ):
                nouns.append(len(ids) - 1)
                things.pop(0)
        assert not things, f"a thing of {plan} was not found in its sentence"
        return PlanTokens(tuple(ids), tuple(nouns))
