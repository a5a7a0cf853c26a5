# SPDX-License-Identifier: Apache-2.0
"""What was said and done so far in one text, as a policy reads it: a command that led to a question back, what was said
next, and the steps that were made for it."""

from collections.abc import Sequence

from embodied.types import Step

_THEN, _DID, _FAILED = " / ", " > ", " failed"
"""Between two that were said, before a step, and after one that failed: the signs are such as nobody says."""


def joined(earlier: str, text: str, steps: Sequence[Step] = ()) -> str:
    """All in one text; `text` alone where nothing was said `earlier` and nothing was done.

    Whether the second part answers the question or is a new command, and which step comes next, is for the reader to
    tell. Training and acting join them here.
    """
    said = f"{earlier}{_THEN}{text}" if earlier else text
    return said + "".join(f"{_DID}{step.text}{_FAILED if step.failed else ''}" for step in steps)
