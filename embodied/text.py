# SPDX-License-Identifier: Apache-2.0
"""Text that came from outside, made fit for a log, a status and a terminal."""

from embodied.config import ConfigError

MOST_SHOWN = 500
"""Characters of a foreign text that are repeated."""


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """The text on one line, cut, and with everything that cannot be seen written out.

    A terminal obeys escape sequences, a bell rings, a line break forges a line of a log, and marks of direction
    turn round what is read.
    """
    cut = text[:most]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return cut if len(text) <= most else f"{cut}... ({len(text)} characters)"


def check_text(text: str) -> None:
    """Raises ConfigError for what was typed in another encoding than UTF-8: no message can carry it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"'{shown(text, 80)}' is no UTF-8 at character {error.start + 1}: type it anew") from None
