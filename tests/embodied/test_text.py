# SPDX-License-Identifier: Apache-2.0
"""Foreign text is cut and made visible, and ordinary text stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied.config import ConfigError
from embodied.text import check_text, shown


@given(st.text(max_size=600), st.integers(1, 500))
def test_what_is_shown_is_one_short_line_that_a_terminal_does_not_obey(text: str, most: int) -> None:
    found = shown(text, most)
    assert found.isprintable()
    assert len(found) <= 10 * most + 30
    if text.isprintable() and len(text) <= most:
        assert found == text


def test_what_cannot_be_seen_is_written_out() -> None:
    assert shown("a\x1b[31mb\x07\u202ec\nd\udc80") == r"a\x1b[31mb\x07\u202ec\nd\udc80"
    assert shown("x" * 10**7, 3) == "xxx... (10000000 characters)"
    assert shown("  stell den Bären auf 赤い ") == "  stell den Bären auf 赤い "


def test_words_of_another_encoding_are_refused() -> None:
    check_text("赤い")
    with pytest.raises(ConfigError, match=r"'ab.udc80' is no UTF-8 at character 3"):
        check_text("ab\udc80")
