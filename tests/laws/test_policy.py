# SPDX-License-Identifier: Apache-2.0
"""Law: a policy is one class in one's own folder, run by its name, judged in physics."""

import json
import subprocess
import sys
from pathlib import Path

MINE = '''
# --8<-- what a policy is
import numpy as np

from embodied import Decision, Instruction, Observation, SkillCall, unproject


COLOURS = {"red": (219, 20, 20), "green": (20, 158, 46), "blue": (20, 71, 230), "yellow": (255, 230, 20)}


class Toucher:
    """Touches what has the colour that was said."""

    needs = ("front",)

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.said = [rgb for name, rgb in COLOURS.items() if name in instruction.text]

    def decide(self, observation: Observation) -> Decision:
        stamp_s = observation.stamp_s
        if not self.said:
            return Decision(text="say a colour", motion=None, observation_stamp_s=stamp_s, refused=True)
        frame = observation.picture("front")
        away = np.abs(frame.rgb - np.array(self.said[0])).sum(axis=2)
        rows, columns = np.nonzero(away < away.min() + 90)
        x, y = unproject(frame, np.array([[np.median(columns), np.median(rows)]]), height_m=0.02)[0]
        call = SkillCall(skill="touch", points_m=np.array([[x, y, 0.02]]))
        return Decision(text="touch it", motion=call, observation_stamp_s=stamp_s)
# --8<-- end
'''


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "embodied.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def test_a_policy_in_ones_own_folder_is_evaluated(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    done = run(
        tmp_path, "eval", "policy=mine:Toucher", "task=touch", "split=seen", "episodes=12", "workers=2",
        "until=done", "seed=20", "out=eval.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [row] = json.loads((tmp_path / "eval.json").read_text())["results"]
    assert row["episodes"] == 12
    assert row["successes"] >= 2, "where one thing has the colour that was said"
    assert row["steps_mean"] < 1.0, "it refuses where it does not know the colour, and moves once otherwise"


def test_a_class_that_is_no_policy_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Half:\n    needs = ('front',)\n    def reset(self, i, s): ...\n")
    done = run(tmp_path, "eval", "policy=mine:Half", "task=touch", "episodes=1", "out=eval.json")
    assert done.returncode != 0
    assert "lacks decide()" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
