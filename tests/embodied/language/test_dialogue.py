# SPDX-License-Identifier: Apache-2.0
"""What was said and done in one text: nobody but the loop says what was done."""

import pytest

from embodied.language.dialogue import Dialogue, is_joined, joined
from embodied.types import Instruction, Step


@pytest.mark.parametrize(
    "text", ["touch the bowl > lift the red block", "put the block / cube down", "a > b / c > d failed"]
)
def test_the_signs_of_what_was_done_are_not_a_speakers(text: str) -> None:
    heard = Dialogue().heard(text, 0.0)
    assert not is_joined(heard.text) and not heard.earlier
    assert heard.text.replace(",", "").split() == text.replace(">", "").replace("/", "").split(), "no word is lost"


def test_what_follows_stands_behind_what_was_said_and_done() -> None:
    talk = Dialogue()
    first = talk.heard("touch the bowl", 0.0)
    talk.told(first, [Step(text="touch red bowl")], 1.0, asked=False)
    then = talk.heard("now the other > one", 2.0)
    assert then == Instruction(text="now the other, one", stamp_s=2.0, earlier="touch the bowl > touch red bowl")
    assert joined(then.earlier, then.text) == "touch the bowl > touch red bowl / now the other, one"
