# SPDX-License-Identifier: Apache-2.0
"""Law: a verb and the skill that it asks for are one class each, and the arm does it in physics."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from embodied.commands import eval as evaluation
from embodied.geometry import rotation_matrix
from embodied.things import Box, Part, Thing
from embodied.things import register as register_thing
from sim.tasks import Episode, SceneState, Task
from sim.tasks import register as register_task

# --8<-- what a verb and a skill are
from embodied.language.verbs import Plan, Verb, at_height
from embodied.language.verbs import register as register_verb
from embodied.motion.hand import HandPose
from embodied.motion.skills import Route, Skill, SkillCall, above
from embodied.motion.skills import register as register_skill
from embodied.types import Float


@register_skill
class Topple(Skill):
    """Point 0: what closed fingers push against from the arm's side, up high."""

    name = "topple"
    points = 1

    def move(self, route: Route, points_m: Float) -> None:
        back = np.array([0.07, 0.0, 0.0])
        route.begin(0.0)
        route.add(above(points_m[0] - back))
        for place in (points_m[0] - back, points_m[0] + back):
            route.add(HandPose.down(place), speed_m_s=0.2, dwell_s=0.05)
        route.add(above(points_m[0] + back), speed_m_s=0.3)


@register_verb
class KnockOver(Verb):
    """What stands tall."""

    name = "knock_over"
    sentence = "knock over {target}"
    ability = "knock over"

    def takes(self, target: Thing) -> bool:
        return target.touch_height_m > 0.08

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        assert plan.target is not None
        height = 0.8 * plan.target.thing.touch_height_m
        return SkillCall(skill="topple", points_m=at_height(points_m[0], height)[None])


# --8<-- end


TALL = Box(size_m=(0.04, 0.04, 0.12))
register_thing(
    Thing(
        name="pillar",
        shape=TALL,
        collision=(Part(shape=TALL),),
        mass_kg=0.1,
        origin_m=0.06,
        radius_m=0.04,
        touch_height_m=0.12,
    )
)


@register_task
class KnockOverTask(Task):
    """Success: the target lies on its side."""

    name = "knock_over"
    verb = "knock_over"
    target_kinds = ("pillar",)
    scene: ClassVar = {"pillar": (2, 2)}
    templates = ("knock {a} over", "make {a} fall")

    def success(self, episode: Episode, state: SceneState) -> bool:
        up = rotation_matrix(state.of(episode, "target").orientation)[2, 2]
        return abs(up) < 0.3


def test_pillars_are_knocked_over_through_the_evaluation(tmp_path: Path) -> None:
    out = tmp_path / "eval.json"
    arguments = ["policy=oracle", "task=knock_over", "episodes=4", "workers=1", "until=done"]
    assert evaluation.main([*arguments, f"out={out}"]) == 0
    [row] = json.loads(out.read_text())["results"]  # held-out words it has none
    assert (row["split"], row["episodes"]) == ("seen", 4)
    assert row["successes"] >= 3


def test_what_does_not_stand_tall_cannot_be_knocked_over() -> None:
    from embodied.language.nouns import Noun
    from embodied.language.verbs import VERBS

    nouns = [Noun("red", kind) for kind in ("block", "bowl", "pillar")]
    assert [plan.text() for plan in VERBS.get("knock_over").plans(nouns)] == ["knock over red pillar"]


def test_scenes_in_which_it_is_said_are_rendered_for_training() -> None:
    """Nobody has written lines for it, or words for a pillar: it is said as its task says it."""
    from embodied.arm import DEFAULT_ARM, arm_model
    from sim.grounding import render_scene
    from sim.world import World

    with World(arm_model(DEFAULT_ARM)) as world:
        scenes = [render_scene(world, seed, 32, tasks=("touch", "knock_over")) for seed in range(6)]
    said = {text.lower() for scene in scenes for text, plan, _ in scene.commands if plan.startswith("knock over")}
    assert any("pillar" in text for text in said)
    assert all("knock" in text or "make" in text for text in said)
