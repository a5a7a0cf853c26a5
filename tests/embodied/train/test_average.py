# SPDX-License-Identifier: Apache-2.0
"""What lies between two checkpoints, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from embodied import cli
from embodied.model.composition import PartConfig
from embodied.model.palme import Palme


@pytest.fixture
def two(make_tiny: Callable[..., Palme], tmp_path: Path) -> tuple[Path, Path]:
    model = make_tiny()
    model.save_pretrained(tmp_path / "before")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "after")
    return tmp_path / "before", tmp_path / "after"


def run(*arguments: str) -> int:
    return cli.main(["train", "recipe=average", *arguments])


def test_every_weight_lies_between(two: tuple[Path, Path], tmp_path: Path) -> None:
    assert run(f"checkpoints={two[0]},{two[1]}", "share=0.25", f"out={tmp_path / 'made'}") == cli.OK
    before, after, made = (Palme.from_pretrained(path).state_dict() for path in (*two, tmp_path / "made"))
    for name, value in made.items():
        if value.is_floating_point():
            wanted = 0.75 * before[name] + 0.25 * after[name]
            torch.testing.assert_close(value, wanted, rtol=0.02, atol=0.02, msg=name)  # weights are kept in 16 bits
    moved = [name for name in made if not torch.allclose(made[name].float(), before[name].float(), atol=0.05)]
    assert len(moved) > len(made) / 2


def test_two_that_are_not_alike_are_refused(
    two: tuple[Path, Path], make_tiny: Callable[..., Palme], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tiny(heads={"plan": PartConfig("plan")}).save_pretrained(tmp_path / "other")
    assert run(f"checkpoints={two[0]},{tmp_path / 'other'}", f"out={tmp_path / 'made'}") == cli.FAILED
    assert run(f"checkpoints={two[0]}", f"out={tmp_path / 'made'}") == cli.FAILED
    assert run(f"checkpoints={two[0]},{two[1]}", "share=1", f"out={tmp_path / 'made'}") == cli.FAILED
    told = capsys.readouterr().err
    assert "are of two compositions" in told and "needs two folders, not 1" in told and "below 1" in told
    assert not (tmp_path / "made").exists()
