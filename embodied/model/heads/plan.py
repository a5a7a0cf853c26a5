# SPDX-License-Identifier: Apache-2.0
"""The plan in words: the language model's own next word, among those that some plan goes on with. An answer to a
question is written in free words: the next one is then any of the language model's vocabulary. What a look says again
of the command is written in words of the command, as they follow on each other there."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from embodied.data.sample import Sample
from embodied.errors import EmbodiedError
from embodied.language.dialogue import DID, THEN
from embodied.language.looks import LOOKS
from embodied.language.verbs import Plan
from embodied.model.backbone import encode
from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden
from embodied.model.plan_tokens import Node
from embodied.model.sentence import PLANNED, SAID, Embedded

MOST_SAID = 48
"""Tokens of an answer, or of a part of a command."""
_AHEAD = 2
"""Tokens of an answer that are read ahead: a name, of things that are seen."""


class PlanHead(Head):
    """Has no weights: a word's logit is its embedding times the hidden state before it."""

    weights = {"plan": 1.0, "said": 1.0, "quoted": 1.0}  # noqa: RUF012

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.language = host.plans
        """Every plan that this model may write."""
        self._decode = host.tokenizer.decode
        self._every = range(len(host.tokenizer))
        self._before, self._behind = (len(encode(host.tokenizer, words)) for words in (SAID, PLANNED.text))
        self._then, self._did = (encode(host.tokenizer, f" {sign.strip()}")[-1] for sign in (THEN, DID))
        if self.language.quotes:
            self._check_quotes(partial(encode, host.tokenizer))
        self._number = {token: i for i, token in enumerate(self.language.vocabulary)}

    def _check_quotes(self, tokens: Callable[[str], list[int]]) -> None:
        """Raises EmbodiedError where words are other tokens in a command than alone: nothing of it could be said."""
        words = "tap the red block"
        found = tokens(f"{SAID} {words}{PLANNED.text}")[self._before : -self._behind]
        if found != tokens(f" {words}") or found != [id for word in words.split() for id in tokens(f" {word}")]:
            what = "the tokenizer of this language model reads words of a command otherwise than by themselves"
            raise EmbodiedError(f"{what}: it cannot say a part of it again; list looks: without now in its composition")

    def tokens(self, plan: Plan) -> tuple[int, ...]:
        """The words of a plan. Raises EmbodiedError for one that this model does not speak of."""
        if plan not in self.language:
            what = f"the data have the plan {plan.text()!r}, of which the model does not speak"
            raise EmbodiedError(
                f"{what}; list its words as verbs:, answers:, looks:, kinds: and colours: in its composition"
            )
        return self.language.tokens(plan).ids

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of each word of the plans whose command was said: over the words of all plans; over the whole
        vocabulary where an answer is free; and over the words that may be next where the command is quoted."""
        closed, free, quoted = list[_Word](), list[_Word](), list[tuple[_Word, list[int]]]()
        for row, (sample, places) in enumerate(zip(samples, hidden.sentence.places, strict=True)):
            for branch, (command, place) in enumerate(zip(sample.commands, places, strict=True)):
                if command.text is None or command.plan is None:
                    continue
                ids, open_words = self.tokens(command.plan), self.language.tokens(command.plan).free
                quotes = self._command(hidden.sentence, row, branch) if command.plan.looks and open_words else None
                for i, token in enumerate(ids):
                    word = (row, place.answer + i - 1, token)
                    if i not in open_words:
                        closed.append(word)
                    elif quotes is None:
                        free.append(word)
                    elif token in (among := going_on(quotes, ids[open_words.start : i], self.language.stop)):
                        quoted.append((word, among))  # of a command that is cut some words are not there
        parts: dict[str, Tensor] = {}
        if closed:
            parts |= _learned("plan", hidden, [(r, p, self._number[t]) for r, p, t in closed], self.language.vocabulary)
        if free:
            parts |= _learned("said", hidden, free, self._every)
        if quoted:
            parts |= _quoted(hidden, quoted)
        return parts

    def _command(self, sentence: Embedded, row: int, branch: int) -> tuple[int, ...]:
        """The tokens of a command as somebody said it last, without what stands around it and what was done for it."""
        place, said = sentence.places[row][branch], sentence.said[row][branch]
        begin = len(said) - (place.end - place.start)
        words = said[begin + self._before : begin + place.answer - place.start - self._behind]
        last = max((i + 1 for i, token in enumerate(words) if token == self._then), default=0)
        return words[last : next((i for i in range(last, len(words)) if words[i] == self._did), len(words))]

    def answer(self, hidden: Hidden) -> Plan:
        """The likeliest plan, word by word."""
        return self.write(hidden)[0]

    def write(self, hidden: Hidden) -> tuple[Plan, float, Hidden]:
        """Walk the tree of plans after a sentence, by the likeliest word at each place.

        What is likely to follow is read ahead, and taken back where the model goes on otherwise: the plan is the same
        as word by word, in fewer readings (speculative decoding by lookup in what was said, Saxena 2023).

        Returns the plan, the product of the probabilities of the chosen words, of which the free ones count as one, and
        the states of sentence and plan.
        """
        node, confidence, pen = self.language.tree, 1.0, _Pen(hidden)
        said = hidden.sentence.said[0][0]
        while node.plan is None:
            if node.free is not None:
                quotes = self._command(hidden.sentence, 0, 0) if node.free in LOOKS else None
                words, surely, hidden = self._say(pen.end(), quotes)
                return Plan(verb=node.free, said=words), confidence * surely, hidden
            token, surely = self._chosen(node, pen.state, hidden)
            confidence, node = confidence * surely, node.children[token]
            pen.write(token, partial(_likely, node, token, said))
        return node.plan, confidence, pen.end()

    @staticmethod
    def _chosen(node: Node, state: Tensor, hidden: Hidden) -> tuple[int, float]:
        """The likeliest token at a place, and its probability among those that are possible there."""
        ids = list(node.children)
        if len(ids) == 1:
            return ids[0], 1.0
        probability = (state.float() @ hidden.words(ids).T).softmax(dim=-1)
        best = int(probability.argmax())
        return ids[best], float(probability[best].detach())

    def _say(self, hidden: Hidden, quotes: Sequence[int] | None = None) -> tuple[str, float, Hidden]:
        """The likeliest words up to a full stop; how probable the least sure one is, and the states with them.

        Where it `quotes` a command the words are a part of that; then it is all of them together that must be sure, and
        what ends in the middle of a word or of a number is nothing that was said.
        """
        table, written, confidence, pen = hidden.words(self._every), list[int](), 1.0, _Pen(hidden)
        said = hidden.sentence.said[0][0]
        while len(written) < MOST_SAID:
            among: Sequence[int] = self._every
            if quotes is not None:
                among = going_on(quotes, written, self.language.stop)
            probability = (pen.state.float() @ (table if quotes is None else table[among]).T).softmax(dim=-1)
            likeliest = int(probability.argmax())
            best, surely = among[likeliest], float(probability[likeliest].detach())
            confidence = min(confidence, surely) if quotes is None else confidence * surely
            if best == self.language.stop:
                break
            written.append(best)
            pen.write(best, partial(_following, best, said))
        words = str(self._decode(written, skip_special_tokens=True)).strip()
        if quotes is not None and not (best == self.language.stop and _is_part(words, str(self._decode(list(quotes))))):
            confidence = 0.0
        return words, confidence, pen.end()


class _Pen:
    """Writes token by token, and reads ahead what is likely to follow: it is taken back where another one does."""

    def __init__(self, hidden: Hidden) -> None:
        self._hidden, self._ahead = hidden, list[int]()

    @property
    def state(self) -> Tensor:
        """(D,) where the next token is chosen."""
        return self._hidden.states[0, -1 - len(self._ahead)]

    def write(self, token: int, likely: Callable[[], list[int]]) -> None:
        """One more token; what is `likely` after it is asked for where it was not read ahead itself."""
        if self._ahead and self._ahead[0] == token:
            del self._ahead[0]
            return
        hidden = self.end()
        self._ahead = likely()
        self._hidden = hidden.written([token, *self._ahead])

    def end(self) -> Hidden:
        """The states with what was written, and no more."""
        if self._ahead:
            self._hidden, self._ahead = self._hidden.without(len(self._ahead)), []
        return self._hidden


def going_on(command: Sequence[int], written: Sequence[int], stop: int) -> list[int]:
    """The tokens that may follow on those `written`, where nothing but words of a command may be said, as they follow
    on each other there; or the end. Where nothing is written yet, any of them."""
    if not written:
        return [token for token in dict.fromkeys(command) if token != stop] or [stop]
    count = len(written)
    places = [i for i in range(len(command)) if tuple(command[i : i + count]) == tuple(written)]
    after = [command[i + count] for i in places if i + count < len(command)]
    return list(dict.fromkeys([*after, stop]))


def _is_part(words: str, command: str) -> bool:
    """Whether they stand in a command from the beginning of a word to the end of one."""
    return bool(words) and re.search(rf"(?<!\w){re.escape(words)}(?!\w|\.\w)", command) is not None


def _following(last: int, said: Sequence[int]) -> list[int]:
    """The few tokens that followed on one where it was said last; none where it was not."""
    place = next((i for i in range(len(said) - 1, -1, -1) if said[i] == last), len(said))
    return list(said[place + 1 : place + 1 + _AHEAD])


def _likely(node: Node, last: int, said: Sequence[int]) -> list[int]:
    """Tokens that may follow on the `last` one: where there is no other way on, or as they follow where it was said."""
    ahead = list[int]()
    while node.plan is None and node.free is None:
        if len(node.children) == 1:
            (token,) = node.children
        else:
            pairs = zip(reversed(said[:-1]), reversed(said[1:]), strict=True)
            follows = next((after for before, after in pairs if before == last and after in node.children), None)
            if follows is None:
                break
            token = follows
        ahead.append(token)
        last, node = token, node.children[token]
    return ahead


_Word = tuple[int, int, int]
"""The sentence, the place before it, and its number."""


def _learned(name: str, hidden: Hidden, words: Sequence[_Word], among: Sequence[int]) -> dict[str, Tensor]:
    """Cross-entropy of words among others, and how many of them are the likeliest."""
    row, position, target = torch.tensor(words, device=hidden.states.device).unbind(dim=1)
    logits = hidden.states[row, position].float() @ hidden.words(among).T
    right = (logits.argmax(dim=-1) == target).float().mean()
    return {name: nn.functional.cross_entropy(logits, target), f"{name}_accuracy": right.detach()}


def _quoted(hidden: Hidden, words: Sequence[tuple[_Word, list[int]]]) -> dict[str, Tensor]:
    """Cross-entropy of words, each among those that may be next there."""
    every = sorted({token for _, among in words for token in among})
    number = {token: i for i, token in enumerate(every)}
    may_be = torch.full((len(words), len(every)), -torch.inf, device=hidden.states.device)
    for i, (_, among) in enumerate(words):
        may_be[i, [number[each] for each in among]] = 0.0
    numbered = [(row, position, number[token]) for (row, position, token), _ in words]
    row, position, target = torch.tensor(numbered, device=hidden.states.device).unbind(dim=1)
    logits = hidden.states[row, position].float() @ hidden.words(every).T + may_be
    right = (logits.argmax(dim=-1) == target).float().mean()
    return {"quoted": nn.functional.cross_entropy(logits, target), "quoted_accuracy": right.detach()}


HEADS.register("plan", PlanHead)
