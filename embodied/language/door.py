# SPDX-License-Identifier: Apache-2.0
"""Words at the door: what is settled before any model reads them.

Words that stop act at once and without a model. What holds no words is answered. A plain question and what says what
not to do are answered for readers that have not learned to tell them from a command (`no_command`), and would do what
they were told not to. Letter case says nothing to anybody, so no reader hears of it.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import yaml

MAX_CHARACTERS = 500
EXAMPLE = "put the red block in the green bowl"

# Of this loader every word is text, "no" as well.
_WORDS = yaml.load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
_POLITE = frozenset(_WORDS["polite"])
_AROUND = _POLITE.union(_WORDS["around"])

_QUESTION = re.compile(
    # "where is it", and no "when you are ready, touch it".
    r"(?:what|where|which|who|whose|why|when|how)(?:'?s\b|\b(?! (?:you|i|we|the)\b))"
    r"|(?:is|are|am|was|were|did|does|isn't|aren't|doesn't)\b"
    r"|do (?:you(?! mind| think)|we|i|they|any|these|those)\b"
    r"|have (?:you|we|i|they)\b"
    r"|(?:has|had|should) (?:you|we|i|they|he|she|it|the|any|there|this|that|these|those)\b"
    r"|(?:can|could|would|will) you (?:see(?! to| that)|hear|know|say|remember|count|describe)\b[^,]*$"
    r"|(?:(?:can|could|would|will) you )?tell me,? (?:what|where|which|who|whose|why|when|how|if|whether)\b"
)
_NEGATION = re.compile(
    # "do not lift it, push it" tells what to do as well.
    r"^(?:you (?:must|should) not|don't|dont|do not|never|avoid) [^,;.]*$"
    r"|\bnot (?:the|that|this|a|an|any|on|in)\b|\b(?:is|are) not\b|\b(?:isn't|aren't|isnt|arent)\b"
    r"|\b(?:rather than|instead of|other than|except|but the|but not|none of|neither)\b"
)
_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
"""What a terminal obeys: its letters are no words."""
_BEFORE = re.compile(
    r"(?:(?:please|hey|hi|hello|robot|ok|okay|so|and|but|well|now|then|excuse me|sorry|oh|say)\b[,!.]? ?)+"
)


def stops(text: str) -> bool:
    """Whether the words tell the arm to stop, in whatever letters and punctuation.

    "stop the block from falling" may be a command, and so may "touch it and then stop": only words that say
    nothing else stop, or a firm one that stands alone between signs of punctuation.
    """
    clauses = [re.findall(r"[\w']+", each) for each in re.split(r"[^\w'\s-]+|\s-+\s", plain(text))]
    words = [word for clause in clauses for word in clause]
    if any(_bare(each, _AROUND) in _FIRM for each in (words, *clauses)):
        return True
    alone = _bare(words, _POLITE)
    if alone in _LONE or _bare(words, _POLITE - {"no"}) in _LONE:
        return True
    # Who types in fright mistypes; no command is a single word like this one.
    return len(alone) < 8 and bool(difflib.get_close_matches(alone, ("stop",), cutoff=0.75))


def answer_without_a_model(text: str) -> str | None:
    """The plain answer to words that cannot be a command, or None for words that may be one."""
    if len(text) > MAX_CHARACTERS:
        return f"That is {len(text)} characters; I read at most {MAX_CHARACTERS}. Say it shorter."
    if not text.strip():
        return f"You said nothing. Tell me what to do, for example: {EXAMPLE}."
    if not any(character.isalpha() for character in text):
        return f"I find no words in that. Say what to do, for example: {EXAMPLE}."
    return None


def no_command(text: str) -> str | None:
    """The plain answer to a question and to what says what not to do, for a reader that takes all for commands."""
    if _is_question(text):
        return f"That is a question, and I cannot answer any yet. Say what to do, for example: {EXAMPLE}."
    if _NEGATION.search(_begun(plain(text))):
        return f"I cannot read yet what not to do. Say what to do, for example: {EXAMPLE}."
    return None


def _is_question(text: str) -> bool:
    """Whether the words ask and do not tell: "where is it? touch it" tells."""
    asked, _, after = plain(text).partition("?")
    return not after.strip(" ?!.") and bool(_QUESTION.match(_begun(asked)))


def plain(text: str) -> str:
    """The words as a policy hears them: lower case, ordinary letters and apostrophes, single spaces, and
    nothing that cannot be seen."""
    text = _TERMINAL.sub("", text[: 2 * MAX_CHARACTERS])
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(text.split())


def _begun(text: str) -> str:
    """Plain words without what is said before them out of politeness, and without signs around them."""
    text = text.strip(" .!?,-")
    before = _BEFORE.match(text)
    return text[before.end() :] if before else text


def _bare(words: Iterable[str], around: frozenset[str]) -> str:
    """The words without those that are said `around` others, each once and with no letter twice."""
    left = [word.strip("'") for word in words]
    if left and all(len(word) == 1 for word in left):
        left = ["".join(left)]  # s t o p
    return _squeezed(" ".join(dict.fromkeys(word for word in left if word not in around)))


def _squeezed(text: str) -> str:
    """Letters that are written several times in a row stand once: "stooopp" is "stop"."""
    return re.sub(r"(\w)\1+", r"\1", text)


_FIRM, _LONE = ({_squeezed(each) for each in _WORDS[key]} for key in ("firm_stops", "lone_stops"))
