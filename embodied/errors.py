# SPDX-License-Identifier: Apache-2.0
"""What a user did wrong, said so that the next step is clear."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

_MOST_SHOWN = 120
"""Characters of what came, in a line that refuses it."""


class EmbodiedError(Exception):
    """Base of every error that this project raises for something a user did."""


class UnknownNameError(EmbodiedError, KeyError):
    """A name that is not registered; the message lists the valid ones and the nearest."""

    def __init__(self, what: str, name: str, valid: Iterable[str]) -> None:
        names = sorted(valid)
        name = name if len(name) <= _MOST_SHOWN else f"{name[: _MOST_SHOWN - 3]}..."
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        self.message = f"unknown {what} {name!r}.{hint} Valid: {', '.join(names)}."
        super().__init__(self.message)

    def __str__(self) -> str:
        # KeyError prints the repr of its argument, which would quote the sentence.
        return self.message


def shown(value: Any) -> str:
    """What came, in a line that refuses it: without control characters, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."


def check_name(what: str, name: str, valid: Collection[str]) -> None:
    """Raises UnknownNameError unless `name` is one of `valid`."""
    if name not in valid:
        raise UnknownNameError(what, name, valid)


class CheckpointError(EmbodiedError):
    """A checkpoint that is missing, damaged or foreign; the message says which and why."""


class UnreachableError(EmbodiedError):
    """A hand pose that the arm cannot reach within its joint limits."""


class UnsafeCommandError(EmbodiedError):
    """A command that the gate refused; the message says which limit and by how much."""


class ObservationError(EmbodiedError):
    """An observation that is stale, incomplete or not finite; the message says which."""
