# SPDX-License-Identifier: Apache-2.0
"""Plans in number, for tests that try all of them."""

from collections.abc import Iterator, Sequence

from embodied.language.nouns import Noun
from embodied.language.verbs import VERBS, Plan
from embodied.model.plan_tokens import Node


def all_plans(verbs: Sequence[str], kinds: Sequence[str], colours: Sequence[str]) -> Iterator[Plan]:
    """Every motion that verbs can be asked for, each once."""
    nouns = [Noun(colour, kind) for kind in kinds for colour in colours]
    for name in verbs:
        yield from VERBS.get(name).plans(nouns)


def below(node: Node) -> Iterator[Plan]:
    """Every plan that decoding can come to from a place in the tree."""
    if (plan := node.plan) is not None:
        yield plan
    for child in node.children.values():
        yield from below(child)
