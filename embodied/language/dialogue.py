# SPDX-License-Identifier: Apache-2.0
"""Two things that were said one after the other, as a policy reads them: a command that led to a question back, and
what was said next."""

_THEN = " / "
"""Between the two: a sign that nobody says."""


def joined(earlier: str, text: str) -> str:
    """Both in one text; `text` alone where nothing was said `earlier`.

    Whether the second part answers the question or is a new command is for the reader to tell. Training and acting
    join them here.
    """
    return f"{earlier}{_THEN}{text}" if earlier else text
