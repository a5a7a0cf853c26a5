# SPDX-License-Identifier: Apache-2.0
"""A policy in one's own folder, by module:Class, as a stranger would try it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

MINE = """
from embodied.types import Decision


class Mine:
    needs = ()

    def __init__(self, tries=1):
        self.tries = tries

    def reset(self, instruction, seed=None):
        self.words = instruction.text

    def decide(self, observation):
        motion = observation.privileged.oracle()
        return Decision(text=self.words, motion=motion, observation_stamp_s=observation.stamp_s)


class Empty:
    pass


class Camera(Mine):
    needs = ("frnt",)


class Wordless(Mine):
    def decide(self, observation):
        return "touch it"


class Strict(Mine):
    def __init__(self, checkpoint):
        pass


def build():
    return Mine()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "lacks.py").write_text("import a_library_that_nobody_has\n")
    return tmp_path


def embodied(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-m", "embodied.cli", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("workers", "episodes"), [(1, 1), (2, 20)])
def test_it_runs_in_one_process_and_in_several(workers: int, episodes: int, folder: Path) -> None:
    done = embodied(
        folder,
        "eval",
        "policy=mine:Mine",
        "task=touch",
        "split=seen",
        f"episodes={episodes}",
        f"workers={workers}",
    )
    assert done.returncode == 0, done.stderr
    [row] = json.loads((folder / "runs" / "eval.json").read_text())["results"]
    assert (row["episodes"], row["success"]) == (episodes, 1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("policy=mine:Empty",), "policy 'mine:Empty': Empty lacks reset() and decide(); a policy has needs"),
        (("policy=mine:Min",), "unknown policy in mine 'Min'. Did you mean 'Mine'?"),
        (("policy=none:Mine",), "there is no module 'none', in "),
        (("policy=./mine.py:Mine",), "write module:name, as in my_module:MyClass"),
        (("policy=mine:build",), "policy 'mine:build' is a function and no class"),
        (
            ("policy=mine:Mine", "options.trys=3"),
            "unknown option of policy mine:Mine 'trys'. Did you mean 'tries'?",
        ),
        (("policy=mine:Strict",), "missing a required argument: 'checkpoint'; give it as options.NAME=VALUE"),
        (("policy=mine:Camera",), "unknown sense 'frnt'. Did you mean 'front'?"),
        (("policy=mine:Wordless",), "answered with a str; decide(observation) returns a Decision"),
        (("policy=lacks:Mine",), "needs the module 'a_library_that_nobody_has', which is not installed"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_none_is_told_in_one_line(arguments: tuple[str, ...], words: str, folder: Path) -> None:
    done = embodied(folder, "eval", *arguments, "task=touch", "split=seen", "episodes=1", "workers=1")
    assert done.returncode in (1, 2)
    # PyBullet greets whoever imports it.
    lines = [line for line in done.stderr.splitlines() if line.strip() and "pybullet build" not in line]
    assert len(lines) == 1 and lines[0].startswith("embodied: ") and words in lines[0], done.stderr
