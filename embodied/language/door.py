# SPDX-License-Identifier: Apache-2.0
"""Words at the door: what is settled before any model reads them.

Words that stop act at once and without a model. What holds no words is answered. What the others mean, a command,
a question, or what not to do, is the reader's to tell, who never hears of letter case: it says nothing.
"""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import yaml

MAX_CHARACTERS = 500
MOST_READ = 2 * MAX_CHARACTERS
"""Characters of what was said and done together: what is longer is not read to its end."""
EXAMPLE = "put the red block in the green bowl"

# Of this loader every word is text, "no" as well.
_WORDS = yaml.load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
_POLITE = frozenset(_WORDS["polite"])
_AROUND = _POLITE.union(_WORDS["around"])

_TERMINAL = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[0-Z\\^-~])")
"""What a terminal obeys: its letters are no words."""


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


def plain(text: str) -> str:
    """The words as a policy hears them: lower case, ordinary letters and apostrophes, single spaces, and
    nothing that cannot be seen."""
    text = _TERMINAL.sub("", text[:MOST_READ])
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(text.split())


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
