# SPDX-License-Identifier: Apache-2.0
"""The classical baseline: what it reads, what it sees, and that it does without torch."""

import subprocess
import sys

import numpy as np
import pytest

from embodied.arm import arm_model
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan
from embodied.language.vocabulary import COLOURS
from embodied.types import Instruction, Joints, Observation
from policies.colour_blob import ColourBlobPolicy, find_things, parse_words
from sim.tasks import make_task
from sim.world import World
from tests.plans import all_plans

RED, GREEN = Noun("red", "block"), Noun("green", "bowl")


@pytest.fixture(scope="module")
def world() -> World:
    with World(arm_model("panda")) as world:
        yield world


@pytest.mark.parametrize(
    ("words", "plan"),
    [
        ("Put the red block in the green bowl.", Plan(verb="put_in_bowl", target=RED, reference=GREEN)),
        (
            "please drop the red cube into the cup that is green",
            Plan(verb="put_in_bowl", target=RED, reference=GREEN),
        ),
        ("pick up the red block", Plan(verb="pick_up", target=RED)),
        ("touch the green bowl", Plan(verb="touch", target=GREEN)),
        (
            "stack the red block on the blue block",
            Plan(verb="stack", target=RED, reference=Noun("blue", "block")),
        ),
        (
            "push the red block to the blue square",
            Plan(verb="push_to", target=RED, reference=Noun("blue", "zone")),
        ),
        (
            "place the red block to the left of the green bowl",
            Plan(verb="place_relative", target=RED, relation="left of", reference=GREEN),
        ),
        ("lift the green bowl", None),
        ("put the red block in the blue block", None),
        ("paint the red block", None),
        ("touch everything", None),
        ("don't touch the red block", None),
        ("never pick up the red block", None),
        ("put the red block in anything but the green bowl", None),
        ("is the red block left of the green bowl?", None),
    ],
)
def test_reads_words(words: str, plan: Plan | None) -> None:
    assert parse_words(words) == plan


def test_reads_every_plan_in_its_canonical_words() -> None:
    verbs = ("touch", "pick_up", "put_in_bowl", "stack", "push_to", "place_relative")
    plans = list(all_plans(verbs, ("block", "bowl", "zone"), COLOURS))
    assert [plan.text() for plan in plans if parse_words(plan.text()) != plan] == []


def test_sees_what_stands_on_the_table(world: World) -> None:
    near, seen = 0, 0
    for seed in range(12):
        episode = make_task("put_in_bowl").sample(np.random.default_rng(seed))
        world.set_objects(episode.objects)
        found = find_things(world.render("front"))
        for item in episode.objects:
            seen += 1
            place = found.get(Noun(item.colour, item.kind))
            near += place is not None and np.linalg.norm(place - item.position_m[:2]) < 0.012
        names = {item.name for item in episode.objects}
        assert {str(thing) for thing in found} <= names, "it sees nothing that is not there"
    assert near / seen > 0.95


def test_answers_with_what_it_sees(world: World) -> None:
    policy = ColourBlobPolicy()
    world.set_objects(make_task("playground").sample(np.random.default_rng(0)).objects)
    position, velocity, width = world.joint_state()
    observation = Observation(
        readings={
            "front": world.render("front"),
            "joints": Joints(position_rad=position, velocity_rad_s=velocity, gripper_width_m=width, stamp_s=3.0),
        }
    )
    policy.reset(Instruction(text="put the purple block in the green bowl"))
    refusal = policy.decide(observation)
    assert refusal.refused
    assert refusal.motion is None
    assert refusal.text.startswith("I see no purple block; I see: blue block, green bowl, ")

    policy.reset(Instruction(text="put the red block in the green bowl"))
    decision = policy.decide(observation)
    objects = world.objects()
    assert decision.motion is not None
    assert decision.motion.skill == "pick_place"
    for point, name in zip(decision.motion.points_m, ("red block", "green bowl"), strict=True):
        assert np.linalg.norm(point[:2] - objects[name].position_m[:2]) < 0.012
    assert decision.observation_stamp_s == 3.0


def test_does_without_torch() -> None:
    code = "import sys, policies.colour_blob; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
