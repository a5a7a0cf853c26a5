# SPDX-License-Identifier: Apache-2.0
"""Law: a stranger's package plugs in by entry points: its policy, task, thing and arm are found by name."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# --8<-- what a package is
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "strange-robots"
version = "1.0"

[project.entry-points."embodied.policies"]
strange = "strange_robots:Strange"

[project.entry-points."embodied.tasks"]
roll_away = "strange_robots:RollAway"

[project.entry-points."embodied.things"]
marble = "strange_robots:MARBLE"

[project.entry-points."embodied.verbs"]
roll = "strange_robots:Roll"

[project.entry-points."embodied.arms"]
short_panda = "strange_robots:short_panda"

[tool.setuptools]
py-modules = ["strange_robots"]
"""
# --8<-- end

MODULE = '''
import numpy as np

from embodied import Decision, Noun, Plan, SkillCall, Verb, load_arm
from embodied.arm import ROBOTS
from embodied.things import Grasp, Part, Sphere, Thing
from sim.tasks import Task

SHAPE = Sphere(radius_m=0.022)
MARBLE = Thing(
    name="marble", shape=SHAPE, collision=(Part(shape=SHAPE),), mass_kg=0.05, origin_m=0.022, radius_m=0.03,
    touch_height_m=0.04, grasp=Grasp(height_m=0.022),
)


def short_panda():
    """The Panda, but it may not reach as far."""
    return load_arm(ROBOTS / "panda.yaml", name="short_panda", reach_upper_m=[0.7, 0.35, 0.5])


class Roll(Verb):
    name = "roll"
    sentence = "roll {target}"
    ability = "roll"

    def ground(self, plan, points_m, others_m):
        x, y = points_m[0]
        return SkillCall(skill="push", points_m=np.array([[x, y, 0.022], [x - 0.08, y, 0.022]]))


class RollAway(Task):
    name = "roll_away"
    verb = "roll"
    target_kinds = ("marble",)
    scene = {"marble": (1, 1), "bowl": (1, 1)}
    templates = ("roll {a} away",)

    def success(self, episode, state):
        start = next(each for each in episode.objects if each.name == episode.name_of("target"))
        now = state.of(episode, "target").position_m
        return float(np.linalg.norm(now - start.position_m)) > 0.03


class Strange:
    """Sees the simulator's truth, and rolls the marble."""

    needs = ("privileged",)

    def reset(self, instruction, seed=None):
        self.words = instruction.text

    def decide(self, observation):
        assert "roll" in self.words.lower(), self.words
        marble = next(each for each in observation.privileged.objects().values() if each.kind == "marble")
        plan = Plan(verb="roll", target=Noun(marble.colour, "marble"))
        motion = plan.ground(marble.position_m[None, :2])
        return Decision(text=plan.text(), motion=motion, observation_stamp_s=observation.stamp_s)
'''


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "strange_robots.py").write_text(MODULE)
    target = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--no-index", "--target", str(target), str(source)], check=True, timeout=120)
    return target


def embodied(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embodied.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(installed), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_its_parts_are_listed(installed: Path, tmp_path: Path) -> None:
    done = embodied(installed, tmp_path, "tasks")
    assert done.returncode == 0, done.stderr
    words = set(re.findall(r"\w+", done.stdout))
    assert {"roll_away", "strange", "short_panda", "marble", "roll"} <= words


def test_its_policy_does_its_task_with_its_arm_in_physics(installed: Path, tmp_path: Path) -> None:
    done = embodied(
        installed, tmp_path, "eval", "policy=strange", "task=roll_away", "arm=short_panda", "split=seen",
        "episodes=6", "workers=2", "out=eval.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [row] = json.loads((tmp_path / "eval.json").read_text())["results"]
    assert (row["task"], row["episodes"]) == ("roll_away", 6)
    assert row["successes"] >= 5


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    done = embodied(tmp_path, tmp_path, "eval", "policy=strange", "task=roll_away", "out=eval.json")
    assert done.returncode == 2
    assert "unknown" in done.stderr and len(done.stderr.strip().splitlines()) == 1
