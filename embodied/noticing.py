# SPDX-License-Identifier: Apache-2.0
"""Whether a policy notices what came of its own steps, and ends when it should: counted beside its success.

A step that came to nothing is noticed where the next decision makes it again, or gives up; a step that was made, where
the next decision goes on. What came of it only a simulator can say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from embodied.types import Decision, StreamedMotion

Step = tuple[bool, bool]
"""Whether it came about, and whether the policy went on as if it had."""


class Noticing:
    """Hears the decisions of one episode of `env`, which may say of a step whether it `came_about`.

    A step is a whole motion: of a stream of small ones nobody says after each what it should have led to.
    """

    def __init__(self, env: Any) -> None:
        self._came_about = getattr(env.unwrapped, "came_about", None)
        self._last: Decision | None = None
        self.steps: list[Step] = []
        self.late = False
        """Whether something was moved where nothing was left to do."""

    def begin(self) -> None:
        """A new attempt: what is decided now does not follow on the last step; the loop began anew, not the policy."""
        self._last = None

    def hear(self, decision: Decision, *, succeeded: bool) -> None:
        """One more decision; whether the task was a success before it."""
        if isinstance(decision.motion, StreamedMotion):
            return
        last, self._last = self._last, decision
        self.late |= succeeded and decision.motion is not None
        if last is None or last.motion is None or self._came_about is None:
            return
        came = self._came_about(last.text)
        if came is not None:
            goes_on = decision.text != last.text and not decision.refused
            self.steps.append((bool(came), goes_on))


def noticed(steps: Iterable[Sequence[bool]]) -> dict[str, Any] | None:
    """How well failures were told from successes: F1 of the failures, and balanced accuracy; None of no steps.

    Either is None where nothing failed, the latter also where everything did.
    """
    counts = {(came, went_on): 0 for came in (True, False) for went_on in (True, False)}
    for came, went_on in steps:
        counts[bool(came), bool(went_on)] += 1
    right, alarms = counts[True, True], counts[True, False]
    missed, found = counts[False, True], counts[False, False]
    made, failed = right + alarms, missed + found
    if not made + failed:
        return None
    return {
        "steps": made + failed,
        "failed": failed,
        "failed_and_noticed": found,
        "false_alarms": alarms,
        "balanced_accuracy": (right / made + found / failed) / 2 if made and failed else None,
        "f1": 2 * found / (2 * found + alarms + missed) if failed else None,
    }
