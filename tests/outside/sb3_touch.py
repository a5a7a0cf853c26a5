# SPDX-License-Identifier: Apache-2.0
"""Whether Stable-Baselines3 learns in an environment as it comes: SAC on Embodied/TouchRL-v0, without pictures.

Run by hand: python tests/outside/sb3_touch.py [--steps 20000] [--seeds 0 1 2] [--out runs/sb3_touch.json]

For each seed the policy is measured before and after training, on the same episodes, by the mean return with its 95 %
interval. Seeds run one after another; those that stand in `--out` for the same settings are not run again.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

import sim  # registers the environments
from embodied.environments import EVALUATION_SEED, learning_id
from embodied.files import write_json

try:
    from stable_baselines3 import SAC
    from stable_baselines3.common.callbacks import BaseCallback
except ModuleNotFoundError as error:
    sys.exit(f"this needs {error.name}: pip install stable-baselines3")

assert sim.TABLETOP


class Progress(BaseCallback):
    """A line every 1000 steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._steps, self._began_s = steps, time.monotonic()

    def _on_step(self) -> bool:
        if self.num_timesteps % 1000 == 0:
            done_s = time.monotonic() - self._began_s
            returns = [episode["r"] for episode in self.model.ep_info_buffer]
            mean = f"{np.mean(returns):.1f}" if returns else "none"
            print(f"  {self.num_timesteps}/{self._steps} steps, {done_s:.0f} s, mean return of late {mean}", flush=True)
        return True


def evaluate(model: Any, env_id: str, episodes: int) -> dict[str, Any]:
    """Mean return and success of the policy's mean actions, with 95 % intervals of the mean."""
    returns, successes = [], []
    with gymnasium.make(env_id) as env:
        for seed in range(EVALUATION_SEED, EVALUATION_SEED + episodes):
            seen, info = env.reset(seed=seed)
            total, over = 0.0, False
            while not over:
                action, _ = model.predict(seen, deterministic=True)
                seen, reward, terminated, truncated, info = env.step(action)
                total, over = total + float(reward), terminated or truncated
            returns.append(total)
            successes.append(bool(info["is_success"]))
    return {"returns": returns, "success": float(np.mean(successes)), **interval(returns)}


def interval(returns: list[float]) -> dict[str, float]:
    """The mean, and where it is with 95 % (normal approximation)."""
    mean, half = float(np.mean(returns)), float(1.96 * np.std(returns, ddof=1) / np.sqrt(len(returns)))
    return {"mean": mean, "low": mean - half, "high": mean + half}


def run(env_id: str, seed: int, steps: int, episodes: int) -> dict[str, Any]:
    """Measure, train, measure again."""
    model = SAC("MultiInputPolicy", env_id, seed=seed, buffer_size=steps, device="cpu")
    untrained = evaluate(model, env_id, episodes)
    began_s = time.monotonic()
    model.learn(steps, callback=Progress(steps))
    wall_s = time.monotonic() - began_s
    return {"seed": seed, "untrained": untrained, "trained": evaluate(model, env_id, episodes), "wall_s": wall_s}


def told(name: str, figures: dict[str, Any]) -> str:
    """One line of a measurement."""
    span = f"{figures['mean']:.2f} [{figures['low']:.2f}, {figures['high']:.2f}]"
    return f"{name}: mean return {span}, success {100 * figures['success']:.0f} %"


def main() -> int:
    """0 where every seed's trained policy is better than its untrained one, with separate intervals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="touch")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("runs/sb3_touch.json"))
    given = parser.parse_args()
    settings = {"env": learning_id(given.task), "steps": given.steps, "episodes": given.episodes}
    before = json.loads(given.out.read_text()) if given.out.is_file() else {}
    kept = before["seeds"] if before.get("settings") == settings else []
    for seed in given.seeds:
        if all(result["seed"] != seed for result in kept):
            print(f"seed {seed}", flush=True)
            kept.append(run(settings["env"], seed, given.steps, given.episodes))
            write_json(given.out, {"settings": settings, "seeds": kept})
    good = True
    for result in kept:
        untrained, trained = result["untrained"], result["trained"]
        print(f"seed {result['seed']} ({result['wall_s']:.0f} s)")
        print("  " + told("untrained", untrained))
        print("  " + told("trained", trained))
        good &= trained["low"] > untrained["high"]
    verdict = "in every seed better than untrained" if good else "NOT better than untrained in every seed"
    print(f"{verdict}; wrote {given.out}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
