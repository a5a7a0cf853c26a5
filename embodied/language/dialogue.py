# SPDX-License-Identifier: Apache-2.0
"""What was said and done so far in one text, as a policy reads it: what came before, what was said next, and the steps
that were made for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from embodied.language.door import MAX_CHARACTERS
from embodied.types import Instruction, Step

FOLLOWS_WITHIN_S = 60.0
"""How long after a command, on the arm's clock, what is said may follow on it: an answer, a correction, "again"."""
THEN, DID, _FAILED = " / ", " > ", " failed"
"""Between two that were said, before a step, and after one that failed: the signs are such as nobody says."""


def joined(earlier: str, text: str, steps: Sequence[Step] = ()) -> str:
    """All in one text; `text` alone where nothing was said `earlier` and nothing was done.

    Whether the second part answers a question, follows on the first or is a new command, and which step comes next, is
    for the reader to tell. Training and acting join them here.
    """
    said = f"{earlier}{THEN}{text}" if earlier else text
    return said + "".join(f"{DID}{step.text}{_FAILED if step.failed else ''}" for step in steps)


def is_joined(text: str) -> bool:
    """Whether a text is more than what was said at once."""
    return THEN in text or DID in text


@dataclass(frozen=True)
class _Exchange:
    """What was said last, and what came of it."""

    about: str  # the words and the steps
    ended_s: float
    asked: bool  # whether a question back is open


class Dialogue:
    """Remembers what was said last: what comes next may follow on it. `forget` may come from another thread, in the
    middle of a command: that is then not told either."""

    def __init__(self) -> None:
        self._last: _Exchange | None = None
        self._forgotten, self._heard_after = 0, 0  # how often it was, by now and when the last words were heard

    def heard(self, text: str, now_s: float) -> Instruction:
        """The words, and what was said and done before them; what is long ago, or too long to be read with them, is
        left out. A clock that went back is that of another run."""
        text = text.replace(THEN, ", ").replace(DID, ", ")  # it is not for a speaker to tell what was done
        last, self._last, self._heard_after = self._last, None, self._forgotten
        if last is None or not 0.0 <= now_s - last.ended_s <= FOLLOWS_WITHIN_S:
            return Instruction(text=text, stamp_s=now_s)
        if len(joined(last.about, text)) > MAX_CHARACTERS:
            return Instruction(text=text, stamp_s=now_s)
        return Instruction(text=text, stamp_s=now_s, earlier=last.about, asked=last.asked)

    def told(self, instruction: Instruction, steps: Sequence[Step], now_s: float, *, asked: bool) -> None:
        """It ended with these steps. Where it was asked back, what led to the question belongs to it."""
        if self._heard_after != self._forgotten:
            return
        about = joined(instruction.earlier if asked else "", instruction.text, steps)
        self._last = _Exchange(about, now_s, asked)

    def forget(self) -> None:
        """What is said next is a command of its own."""
        self._forgotten += 1
        self._last = None
