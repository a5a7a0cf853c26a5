# SPDX-License-Identifier: Apache-2.0
"""Plans as token sequences, and the tree of all of them that decoding walks.

Constrained decoding: at each node the language model chooses among the words that some plan goes on
with, so what it writes is always a plan. Where only one word is possible there is nothing to choose.
The tree grows where it is walked: with three things to a sentence, nobody could write all plans down.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.language.looks import ANY, THING
from embodied.language.nouns import Noun
from embodied.language.verbs import NOUN_SLOTS, SAID, WHICH, Plan, choices_of, may_follow, sentence_of, slots_of
from embodied.model.backbone import encode

STOP = "."
"""What every plan and every answer ends with."""


@dataclass(frozen=True)
class PlanTokens:
    """A plan's token ids, and for each of its things the index of the last token of its noun."""

    ids: tuple[int, ...]
    nouns: tuple[int, ...]
    free: range = range(0)
    """Those that are chosen among all words, or among those of the command: an answer, or a part, and its full stop."""


@dataclass(frozen=True)
class _Thread:
    """One way on: the tokens that come next, the parts of the sentence after them, and what was chosen so far."""

    verb: str
    tokens: tuple[int, ...]
    parts: tuple[str, ...]  # words, and slots in braces
    chosen: tuple[tuple[str, Noun | str], ...] = ()


class Node:
    """A place in the tree; a leaf carries its plan."""

    def __init__(self, language: "PlanLanguage", threads: Sequence[_Thread]) -> None:
        self._language, self._threads = language, threads

    @property
    def plan(self) -> Plan | None:
        """The plan that is whole here."""
        first = self._threads[0]
        if first.tokens or first.parts:
            return None
        assert len(self._threads) == 1, "two plans read the same"
        return Plan(verb=first.verb, **dict(first.chosen))  # type: ignore[arg-type]  # slots by name

    @property
    def free(self) -> str | None:
        """What is said in words of no plan here: the answer, or the look, whose turn it is."""
        first = self._threads[0]
        return first.verb if not first.tokens and first.parts[:1] == (f"{{{SAID}}}",) else None

    @cached_property
    def children(self) -> Mapping[int, "Node"]:
        """What may come next, by token; where words are free, nothing that could be listed."""
        if self.free is not None:
            return {}
        found: dict[int, list[_Thread]] = {}
        for thread in self._threads:
            for longer in self._language.grown(thread):
                rest = _Thread(longer.verb, longer.tokens[1:], longer.parts, longer.chosen)
                found.setdefault(longer.tokens[0], []).append(rest)
        return {token: Node(self._language, threads) for token, threads in found.items()}


class PlanLanguage:
    """Every plan that can be made of some verbs, kinds of things and colours, in tokens of one tokenizer."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        verbs: Sequence[str],
        kinds: Sequence[str],
        colours: Sequence[str],
        answers: Sequence[str],
        looks: Sequence[str] = (),
    ) -> None:
        self._tokenizer, self._kinds, self._colours = tokenizer, tuple(kinds), tuple(colours)
        self._verbs, self._looks = (*verbs, *answers, *looks), frozenset(looks)
        self._words: dict[str, tuple[int, ...]] = {}
        self.tokens = lru_cache(maxsize=1 << 16)(self._tokens)
        words = [*self._kinds, *self._colours, STOP, *(word for v in self._verbs for word in _words_of(v))]
        words += [ANY, THING] if looks else []
        self.vocabulary: tuple[int, ...] = tuple(sorted({i for word in words for i in self._encoded(word)}))

    @property
    def stop(self) -> int:
        """The token that ends an answer."""
        (token,) = self._encoded(STOP)
        return token

    @property
    def quotes(self) -> bool:
        """Whether it has a look that says a part of a command again."""
        return any(SAID in slots_of(sentence_of(look)) for look in self._looks)

    def __contains__(self, plan: Plan) -> bool:
        """Whether a model with these words may write `plan`."""
        if plan.verb not in self._verbs:
            return False
        kinds, colours = self._named(plan.verb)
        return all(noun.kind in kinds and noun.colour in colours for noun in plan.nouns)

    def _named(self, verb: str) -> tuple[Sequence[str], Sequence[str]]:
        """Kinds and colours that nouns of a verb, a look or an answer may have."""
        if verb in self._looks:
            return (*self._kinds, THING), (*self._colours, ANY)
        return self._kinds, (*self._colours, "") if verb == WHICH else self._colours

    @cached_property
    def tree(self) -> Node:
        """All plans."""
        threads = [_Thread(verb, (), _parts(verb)) for verb in self._verbs]
        return Node(self, [thread for thread in threads if self._has_end(thread)])

    def grown(self, thread: _Thread) -> Iterator[_Thread]:
        """The ways on from a thread, each with a token that comes next; none from a plan that is whole."""
        if thread.tokens:
            yield thread
        elif thread.parts:
            part, *rest = thread.parts
            for value in self._values(thread, part) if part.startswith("{") else (part,):
                chosen = thread.chosen if value is part else (*thread.chosen, (part[1:-1], value))
                longer = _Thread(thread.verb, self._encoded(str(value)), tuple(rest), chosen)
                if self._has_end(longer):
                    yield longer

    def _has_end(self, thread: _Thread) -> bool:
        """Whether the slots that are left can be filled: of few kinds and colours none may be left that fits."""
        for number, part in enumerate(thread.parts):
            if part.startswith("{") and part[1:-1] != SAID:
                rest = thread.parts[number + 1 :]
                return any(
                    self._has_end(_Thread(thread.verb, (), rest, (*thread.chosen, (part, value))))
                    for value in self._values(thread, part)
                )
        return True

    def _values(self, thread: _Thread, slot: str) -> Iterator[Noun | str]:
        """What may stand in a slot, after what was chosen before it."""
        name = slot[1:-1]
        if name not in NOUN_SLOTS:
            yield from choices_of(thread.verb)[name]
            return
        before = [value for _, value in thread.chosen if isinstance(value, Noun)]
        kinds, colours = self._named(thread.verb)
        every = (Noun(colour, kind) for kind in kinds for colour in colours)
        yield from filter(may_follow(thread.verb, before), every)

    def _tokens(self, plan: Plan) -> PlanTokens:
        assert plan in self, plan
        ids, nouns, free = list[int](), list[int](), range(0)
        for part in _parts(plan.verb):
            slot = part[1:-1] if part.startswith("{") else ""
            begin = len(ids)
            ids += self._encoded(str(getattr(plan, slot)) if slot else part)
            if slot in NOUN_SLOTS:
                nouns.append(len(ids) - 1)
            if slot == SAID:
                free = range(begin, len(ids) + len(self._encoded(STOP)))
        return PlanTokens(tuple(ids), tuple(nouns), free)

    def _encoded(self, words: str) -> tuple[int, ...]:
        """Word by word, so that a word is the same tokens wherever it stands."""
        if words not in self._words:
            each = (word if word == STOP else f" {word}" for word in words.split())
            self._words[words] = tuple(token for word in each for token in encode(self._tokenizer, word))
        return self._words[words]


def _parts(verb: str) -> tuple[str, ...]:
    """The sentence of a verb or an answer, cut at its slots, with its full stop."""
    return (*(part.strip() for part in re.split(r"({\w+})", sentence_of(verb)) if part.strip()), STOP)


def _words_of(verb: str) -> Iterator[str]:
    """Every word that a verb or an answer brings."""
    yield from (part for part in _parts(verb) if not part.startswith("{"))
    for choices in choices_of(verb).values():
        yield from choices
