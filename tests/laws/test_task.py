# SPDX-License-Identifier: Apache-2.0
"""Law: a task is one class; its environment, its words, the oracle and the evaluation follow."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np

from embodied.commands import eval as evaluation
from embodied.types import ObjectState

# --8<-- what a task is
from embodied.language.verbs import Plan
from sim.tasks import Episode, SceneState, Task, register


@register
class ClearZone(Task):
    """A block stands on a zone. Success: it lies in front of it, and not on it."""

    name = "clear_zone"
    verb = "place_relative"
    reference_kinds = ("zone",)
    scene: ClassVar[Mapping[str, tuple[int, int]]] = {"block": (1, 3), "zone": (1, 1)}
    templates = ("clear {b}: {a} goes {r} it", "take {a} off {b} and put it down {r} it")

    def sample_scene(self, plan: Plan, rng: np.random.Generator) -> tuple[ObjectState, ...] | None:
        if plan.relation != "in front of":
            return None  # another plan is drawn
        objects = super().sample_scene(plan, rng)
        if objects is None:
            return None
        by_name = {each.name: each for each in objects}
        target, zone = by_name[str(plan.target)], by_name[str(plan.reference)]
        if zone.position_m[0] > 0.52:
            return None  # in front of it there is no room
        on_zone = replace(target, position_m=np.append(zone.position_m[:2], target.position_m[2]))
        return tuple(on_zone if each is target else each for each in objects)

    def success(self, episode: Episode, state: SceneState) -> bool:
        target, zone = state.of(episode, "target"), state.of(episode, "reference")
        return state.held is None and target.position_m[0] - zone.position_m[0] > 0.06


# --8<-- end


def test_the_oracle_clears_the_zone_through_the_evaluation(tmp_path: Path) -> None:
    out = tmp_path / "eval.json"
    arguments = ["policy=oracle", "task=clear_zone", "split=seen,swapped", "episodes=4", "workers=1"]
    assert evaluation.main([*arguments, f"out={out}", "until=done"]) == 0
    seen, swapped = json.loads(out.read_text())["results"]
    assert (seen["successes"], swapped["episodes"]) == (4, 4)


def test_gymnasium_knows_it_by_its_id() -> None:
    env = gymnasium.make("Embodied/ClearZone-v0", senses=())
    _, info = env.reset(seed=3)
    assert not info["is_success"]
    assert "clear" in env.unwrapped.episode.instruction or "take" in env.unwrapped.episode.instruction
    env.close()


def test_it_can_be_learnt_by_reward() -> None:
    with gymnasium.make("Embodied/ClearZoneRL-v0") as env:
        seen, _ = env.reset(seed=3)
        assert env.observation_space.contains(seen)
        assert seen["goal_m"][0] > seen["target_m"][0]
        _, reward, *_ = env.step(env.action_space.sample())
        assert -1.0 <= reward < 0.0
