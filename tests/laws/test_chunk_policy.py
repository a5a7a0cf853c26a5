# SPDX-License-Identifier: Apache-2.0
"""Law: a policy may answer with chunks of small steps, and look again after each. This one feels its way down."""

import json
import subprocess
import sys
from pathlib import Path

MINE = '''
# --8<-- what a chunk policy is
import numpy as np

from embodied import ActionChunk, Decision, Instruction, Observation, arm_model, unproject

PANDA = arm_model("panda")
COLOURS = {"red": (219, 20, 20), "green": (20, 158, 46), "blue": (20, 71, 230), "yellow": (255, 230, 20)}


class Feeler:
    """Goes above what has the colour that was said, then down in small steps until the fingers feel something."""

    needs = ("front", "touch")

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.said = [rgb for name, rgb in COLOURS.items() if name in instruction.text]
        self.place = None

    def decide(self, observation: Observation) -> Decision:
        stamp_s = observation.stamp_s
        if not self.said:
            return Decision(text="say a colour", motion=None, observation_stamp_s=stamp_s, refused=True)
        hand = PANDA.chain.forward(observation.joints.position_rad)[:3, 3]
        if self.place is None:  # later on the arm stands in the picture
            frame = observation.picture("front")
            away = np.abs(frame.rgb - np.array(self.said[0])).sum(axis=2)
            rows, columns = np.nonzero(away < away.min() + 90)
            self.place = unproject(frame, np.array([[np.median(columns), np.median(rows)]]), height_m=0.02)[0]
        aside, height = self.place[:2] - hand[:2], hand[2]
        felt = observation.readings["touch"].values.max() > 0.5
        if felt or height < 0.02:
            return Decision(text="felt it", motion=None, observation_stamp_s=stamp_s)
        steps = np.zeros((6, 7), dtype=np.float32)
        steps[:, 6] = -1.0  # closed fingers
        if np.abs(aside).max() > 0.005:
            steps[:, :2] = np.clip(aside / 6, -0.05, 0.05)
            steps[:, 2] = np.clip((0.12 - height) / 6, -0.05, 0.05)
        else:
            steps[:2, 2] = -min(0.025, 0.5 * (height - 0.01))
        return Decision(text="go on", motion=ActionChunk(ee_delta=steps), done=False, observation_stamp_s=stamp_s)
# --8<-- end
'''


def test_a_policy_that_answers_with_chunks_touches_what_was_said(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    command = [
        *(sys.executable, "-m", "embodied.cli", "eval", "policy=mine:Feeler", "task=touch", "split=seen"),
        *("episodes=8", "workers=2", "action_mode=ee_delta", "seed=20", "out=eval.json"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    [row] = json.loads((tmp_path / "eval.json").read_text())["results"]
    results = [json.loads(line) for line in (tmp_path / "eval.jsonl").read_text().splitlines()[1:]]
    spoke = [each for each in results if each["answer"] != "say a colour"]
    assert row["episodes"] == 8 and len(spoke) >= 3
    assert sum(each["success"] for each in spoke) >= 2, "where one thing has the colour that was said"
    assert max(len(each["decision_ms"]) for each in spoke) > 4, "it looks again after each chunk"
