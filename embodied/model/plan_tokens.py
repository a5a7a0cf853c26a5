# SPDX-License-Identifier: Apache-2.0
"""Plans as token sequences, and the tree of all of them that decoding walks.

Constrained decoding: at each node the language model chooses among the words that some plan goes on
with, so what it writes is always a plan. Where only one word is possible there is nothing to choose.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.language.verbs import Plan, all_plans
from embodied.model.backbone import encode


@dataclass(frozen=True)
class PlanTokens:
    """A plan's token ids, and for each of its things the index of the last token of its noun."""

    ids: tuple[int, ...]
    nouns: tuple[int, ...]


@dataclass
class Node:
    """A place in the tree; a leaf carries its plan."""

    children: dict[int, "Node"] = field(default_factory=dict)
    plan: Plan | None = None


class PlanLanguage:
    """Every plan that can be made of some verbs, kinds of things and colours, in tokens of one tokenizer."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, verbs: Sequence[str], kinds: Sequence[str], colours: Sequence[str]
    ) -> None:
        self._words: dict[str, list[int]] = {}
        self._colours = frozenset(colours)
        self.tokens: dict[Plan, PlanTokens] = {
            plan: self._tokenise(plan, tokenizer) for plan in all_plans(verbs, kinds, colours)
        }
        self.tree = lru_cache(maxsize=64)(self._tree)
        self.vocabulary: tuple[int, ...] = tuple(sorted({i for t in self.tokens.values() for i in t.ids}))

    def tree_for(self, colours: frozenset[str]) -> Node:
        """The plans that name things of `colours` only; all plans where there are none.

        With the colours that a command says, a plan never touches a thing of a colour that nobody said,
        however rare the words.
        """
        return self.tree(colours or self._colours)

    def colours_said(self, instruction: str) -> frozenset[str]:
        """The colours that a command names, those among them that nothing here has."""
        return self._colours.intersection(re.findall(r"[a-z]+", instruction.lower()))

    def _tree(self, colours: frozenset[str]) -> Node:
        root = Node()
        for plan, tokens in self.tokens.items():
            if not all(noun.colour in colours for noun in plan.nouns):
                continue
            node = root
            for token in tokens.ids:
                assert node.plan is None, "one plan is the beginning of another"
                node = node.children.setdefault(token, Node())
            node.plan = plan
        return root

    def _tokenise(self, plan: Plan, tokenizer: PreTrainedTokenizerBase) -> PlanTokens:
        """Word by word, so that a word is the same tokens wherever it stands."""
        ids, nouns, left = list[int](), list[int](), list(plan.nouns)
        words = [f" {word}" for word in plan.text().split()] + ["."]
        for number, word in enumerate(words):
            if word not in self._words:
                self._words[word] = encode(tokenizer, word)
            ids += self._words[word]
            if left and "".join(words[: number + 1]).endswith(f" {left[0]}"):
                nouns.append(len(ids) - 1)
                left.pop(0)
        assert not left, f"a noun of {plan} was not found in its sentence"
        return PlanTokens(tuple(ids), tuple(nouns))
