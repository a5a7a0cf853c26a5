# SPDX-License-Identifier: Apache-2.0
"""Words at the door: what is settled before any model reads them.

Words that stop act at once and without a model. What cannot be a command is answered. A plain question is
answered too, and never moves the arm: the model has not learned to tell it from a command.
"""

from __future__ import annotations

import re

MAX_CHARACTERS = 500
EXAMPLE = "put the red block in the green bowl"

_STOPS = re.compile(
    r"(?:stop|halt|freeze|whoa|abort|cancel|pause|quit|enough|e-?stop|emergency(?: stop)?|stand still|hold still"
    r"|stay still|hold it|hold on|wait|(?:do not|don't|dont) move|(?:stop|cancel|abort) (?:it|that|this|moving"
    r"|the (?:arm|robot|motion)|everything|all)|no more|drop everything)"
)
_POLITE = re.compile(
    r"\b(?:please|now|immediately|right|at once|robot|hey|oh|ok|okay|no|the arm|for god's sake|just|there)\b"
)
_QUESTION = re.compile(
    r"(?:what|where|which|who|whose|why|when|how|is|are|am|was|were|did|does)\b"
    r"|(?:do|have|has|had)\s+(?:you|we|i|they|he|she|it)\b"
)


def stops(text: str) -> bool:
    """Whether the words tell the arm to stop, in whatever letters and punctuation."""
    words = re.sub(r"[^\w'\- ]+", " ", text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    bare = " ".join(_POLITE.sub(" ", words).split())
    plain = " ".join(words.split())
    # "stop stop stop" stops as well.
    once = " ".join(dict.fromkeys(bare.split()))
    return any(_STOPS.fullmatch(each) for each in (bare, plain, once))


def answer_without_a_model(text: str) -> str | None:
    """The plain answer to words that cannot be a command, or None for words that may be one."""
    if not text.strip():
        return f"You said nothing. Tell me what to do, for example: {EXAMPLE}."
    if len(text) > MAX_CHARACTERS:
        return f"That is {len(text)} characters; I read at most {MAX_CHARACTERS}. Say it shorter."
    if not any(character.isalpha() for character in text):
        return f"I find no words in that. Say what to do, for example: {EXAMPLE}."
    if _is_question(text):
        return f"That is a question, and I cannot answer questions yet. Say what to do, for example: {EXAMPLE}."
    return None


def _is_question(text: str) -> bool:
    """Whether the words ask and do not tell: "where is it? touch it" tells."""
    asked, _, after = text.strip().casefold().partition("?")
    return not after.strip(" ?!.") and bool(_QUESTION.match(asked.strip()))
