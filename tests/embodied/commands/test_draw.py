# SPDX-License-Identifier: Apache-2.0
"""The drawing of the house: it is SVG, and names what is there."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from embodied.commands import draw
from embodied.config import ConfigError
from embodied.errors import UnknownNameError
from embodied.language.verbs import VERBS
from embodied.motion.skills import SKILLS
from embodied.policy import POLICIES
from embodied.things import THINGS

ROOT = Path(__file__).resolve().parents[3]


def test_every_part_that_is_installed_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "house.svg"
    assert draw.main([f"out={out}"]) == 0
    assert f"drew {out}" in capsys.readouterr().out
    texts = [element.text or "" for element in ElementTree.fromstring(out.read_text()).iter()]
    words = {word for text in texts for word in text.replace(",", " ").split()}
    for name in (*VERBS, *SKILLS, *THINGS, *POLICIES, "put_in_bowl"):
        assert name in words


@pytest.mark.parametrize("file", [file for _, _, file, _ in draw.WAY])
def test_every_file_on_the_way_is_there(file: str) -> None:
    assert (ROOT / "embodied" / file).exists()


def test_another_kind_of_picture_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"end in \.svg"):
        draw.main(["out=house.png"])
    with pytest.raises(UnknownNameError, match="out"):
        draw.main(["oot=house.svg"])
