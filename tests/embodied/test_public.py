# SPDX-License-Identifier: Apache-2.0
"""The public names: few, all there, and loaded only when they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import embodied

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", embodied.__all__)
def test_a_public_name_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(embodied, name)
    assert (found.__doc__ or "").strip()
    assert name in dir(embodied)


def test_there_are_few_of_them() -> None:
    assert len(embodied.__all__) == len(set(embodied.__all__)) <= 30


def test_what_is_not_public_is_answered_with_what_is() -> None:
    with pytest.raises(AttributeError, match=r"module 'embodied' has no 'Robot'; public are: .*Agent, .*make_policy"):
        _ = embodied.Robot
    with pytest.raises(ImportError, match="Robot"):
        from embodied import Robot  # noqa: F401


def test_importing_it_loads_nothing() -> None:
    code = "import embodied, sys; print([m for m in ('numpy', 'torch', 'yaml') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_loop_and_its_contracts_load_no_torch_and_no_simulator() -> None:
    code = (
        "import embodied, sys\nfor name in embodied.__all__: getattr(embodied, name)\n"
        "print([m for m in ('torch', 'transformers', 'pybullet', 'rclpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
