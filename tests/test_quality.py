# SPDX-License-Identifier: Apache-2.0
"""The static checks, run as tests so that one command runs everything."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LINT_IMPORTS = str(Path(sysconfig.get_path("scripts")) / "lint-imports")


@pytest.mark.timeout(900)  # the first type check reads the types of torch
@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-m", "ruff", "check", "."], id="lint"),
        pytest.param([sys.executable, "-m", "ruff", "format", "--check", "."], id="format"),
        pytest.param([sys.executable, "-m", "mypy"], id="types"),
        pytest.param([LINT_IMPORTS, "--no-cache"], id="import-contracts"),
    ],
)
def test_static_check_passes(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
