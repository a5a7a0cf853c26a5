# SPDX-License-Identifier: Apache-2.0
"""Law: whatever is registered, an old seed gives the scene, the words and the plan that it always gave."""

import hashlib
import json

import numpy as np
import pytest

from embodied.language.verbs import Plan, Verb, at_height
from embodied.language.verbs import register as register_verb
from embodied.motion.skills import SkillCall
from embodied.things import THINGS, Box, Grasp, Part, Thing
from embodied.things import register as register_thing
from embodied.types import Float
from sim.phrases import register_nouns
from sim.tasks import TASKS, Episode, SceneState, Task, make_task
from sim.tasks import register as register_task

CUBE = Box(size_m=(0.03, 0.03, 0.03))

register_thing(
    Thing(
        name="pebble",
        shape=CUBE,
        collision=(Part(shape=CUBE),),
        mass_kg=0.05,
        origin_m=0.015,
        radius_m=0.02,
        touch_height_m=0.035,
        grasp=Grasp(height_m=0.015),
        holds={"on": 0.03, "in": 0.03},
        goal=True,
    )
)
register_nouns("pebble", ("pebble", "stone"), held_out=("rock",))


@register_verb
class Weigh(Verb):
    """Whatever can be grasped, beside anything: a verb that every scene has things for."""

    name = "weigh"
    sentence = "weigh {target} against {reference}"
    ability = "weigh"

    def ground(self, plan: Plan, points_m: Float, others_m: Float) -> SkillCall:
        return SkillCall(skill="touch", points_m=at_height(points_m[0], 0.05)[None])


@register_task
class WeighPebbles(Task):
    """Old things and the new one."""

    name = "weigh_pebbles"
    verb = "weigh"
    target_kinds = ("pebble",)
    reference_kinds = ("block", "pebble")
    templates = ("weigh {a} against {b}",)

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.of(episode, "target").name in state.touched


DIGESTS = {
    "touch": {
        "seen": "e2110f422cd7cc5e",
        "paraphrase": "d3af0b6065e14f82",
        "pair": "f821a4743a8ab4a4",
        "swapped": "658a7dc881db29f5",
    },
    "pick_up": {
        "seen": "6308fc45b5e9f526",
        "paraphrase": "2f3324ad56b3eebe",
        "pair": "66f5bc81ec4ef006",
        "swapped": "41bf1c24a5d3bef0",
    },
    "put_in_bowl": {
        "seen": "1211dcf0d058a2b2",
        "paraphrase": "4e626203feb4ef15",
        "pair": "fad12aaa023d075f",
        "swapped": "febd3db276fc6494",
    },
    "stack": {
        "seen": "28481221decb201f",
        "paraphrase": "3a670127912b33d8",
        "pair": "db712af4bb06a23d",
        "swapped": "6959af5f0e25078f",
    },
    "place_relative": {
        "seen": "0700c52853b2aa54",
        "paraphrase": "c3e39c0caf3f2bd1",
        "pair": "e0a4d2728cc55901",
        "swapped": "e1336d53cca12eb6",
    },
    "push_to": {
        "seen": "df4ce99afba46708",
        "paraphrase": "c0a8e78660e2f851",
        "pair": "4ef08e1a1472604c",
        "swapped": "5889f27deba6ee7e",
    },
    "playground": {
        "seen": "9a0c42d1768b0823",
        "paraphrase": "9a0c42d1768b0823",
        "pair": "9a0c42d1768b0823",
    },
    "refuse": {
        "seen": "9afcb1cb7007fe52",
        "paraphrase": "6bd79c91399c5981",
        "pair": "c963be475225af1c",
    },
}
"""Of 100 episodes a task and split; `swapped` are the words of a scene and of its other command."""


@pytest.mark.parametrize("task", DIGESTS)
def test_new_things_verbs_and_tasks_change_no_scene_of_an_old_seed(task: str):
    assert "pebble" in THINGS and "weigh_pebbles" in TASKS
    assert {split: digest(task, split) for split in DIGESTS[task]} == DIGESTS[task]


def test_the_new_ones_are_shown_and_named_where_a_task_asks_for_them():
    episodes = [make_task("weigh_pebbles").sample(np.random.default_rng(seed)) for seed in range(10)]
    assert all(e.plan.target.kind == "pebble" for e in episodes)
    assert all({e.plan.target.kind, e.plan.reference.kind} <= {o.kind for o in e.objects} for e in episodes)
    words = {noun for e in episodes for noun in ("pebble", "stone", "rock") if noun in e.instruction.lower()}
    assert words == {"pebble", "stone"}


def digest(name: str, split: str) -> str:
    task = make_task(name)
    found = hashlib.sha256()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        if split == "swapped":
            found.update("".join(episode.instruction for episode in task.sample_swapped(rng)).encode())
        else:
            found.update(json.dumps(facts(task.sample(rng, split))).encode())
    return found.hexdigest()[:16]


def facts(episode: Episode) -> list[object]:
    # Between a yaw and its quaternion lies rounding.
    objects = [[o.name, o.kind, o.colour, o.position_m.tolist(), round(o.yaw_rad, 9)] for o in episode.objects]
    return [episode.instruction, episode.plan.text(), objects]
