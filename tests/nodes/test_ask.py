# SPDX-License-Identifier: Apache-2.0
"""`embodied ask` without a graph: about a scene, and about a picture file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embodied.config import ConfigError
from embodied.errors import UnknownNameError
from nodes.ask import IS_COMMAND, main


class Seer:
    """Tells how red the picture is, and takes "touch" for a command."""

    needs = ("front",)

    def reset(self, instruction, seed=None) -> None:
        self.text = instruction.text

    def decide(self, observation):
        from embodied import Decision, SkillCall

        frame = observation.picture("front")
        call = (
            SkillCall(skill="touch", points_m=np.array([[0.5, 0.0, 0.02]])) if self.text.startswith("touch") else None
        )
        return Decision(text=f"{self.text} {frame.rgb[0, 0].tolist()}", motion=call, observation_stamp_s=0.0)


POLICY = f"policy={__name__}:Seer"


def test_a_picture_is_asked_about(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "red.png"
    Image.new("RGB", (20, 10), (250, 1, 2)).save(path)
    assert main(["What", "is it?", f"picture={path}", POLICY]) == 0
    assert capsys.readouterr().out.strip() == "what is it? [250, 1, 2]"


def test_a_scene_is_asked_about_and_a_command_is_told_where_it_belongs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["what is it?", "task=touch", "seed=3", POLICY]) == 0
    first = capsys.readouterr().out
    assert first.startswith("what is it? [")
    assert main(["touch it", "task=touch", "seed=3", POLICY]) == IS_COMMAND
    assert "embodied say" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ([], ConfigError, "needs words"),
        (["what?", "taks=touch"], UnknownNameError, "Did you mean 'task'"),
        (["what?", "task=touch", "picture=a.png"], ConfigError, "not about both"),
        (["what?", "picture=none.png"], ConfigError, "cannot be read as a picture"),
        (["?!", "task=touch"], ConfigError, "words"),
    ],
)
def test_mistakes_are_told(arguments: list[str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        main([*arguments, *([] if not arguments or "taks=touch" in arguments else [POLICY])])
