# SPDX-License-Identifier: Apache-2.0
"""Law: a kind of thing is one declaration, and every verb that can be done to it is then done, in physics."""

import gymnasium
import numpy as np
import pytest

import sim
from embodied.controls import Policies
from embodied.episode import EnvironmentArm
from embodied.language.nouns import Noun
from embodied.language.verbs import Plan, parse_plan
from embodied.run import Agent
from embodied.types import ObjectState
from sim.tasks import Episode

# --8<-- what a thing is
from embodied.things import Cylinder, Grasp, Part, Thing, register

BODY = Cylinder(radius_m=0.03, height_m=0.09)

MUG = register(
    Thing(
        name="mug",
        shape=BODY,
        collision=(Part(shape=BODY),),
        mass_kg=0.12,
        origin_m=0.045,  # its frame is in its middle
        radius_m=0.035,
        touch_height_m=0.095,
        grasp=Grasp(height_m=0.06),
        beside_m=0.12,
    )
)
# --8<-- end


def mug(x: float, y: float) -> ObjectState:
    return ObjectState(name="red mug", kind="mug", colour="red", position_m=np.array([x, y, MUG.origin_m]))


def standing(kind: str, x: float, y: float, z: float = 0.0) -> ObjectState:
    return ObjectState(name=f"blue {kind}", kind=kind, colour="blue", position_m=np.array([x, y, z]))


@pytest.mark.parametrize(
    ("task", "plan", "others"),
    [
        ("touch", "touch red mug", ()),
        ("pick_up", "lift red mug", (standing("block", 0.6, 0.1, 0.02),)),
        ("place_relative", "place blue block left of red mug", (standing("block", 0.6, 0.1, 0.02),)),
        ("place_relative", "place red mug in front of blue block", (standing("block", 0.45, -0.15, 0.02),)),
        ("push_to", "push red mug to blue zone", (standing("zone", 0.55, -0.1),)),
        ("put_in_bowl", "put red mug in blue bowl", (standing("bowl", 0.55, -0.1),)),
    ],
)
def test_every_verb_is_done_to_a_mug_or_beside_it(task: str, plan: str, others: tuple[ObjectState, ...]) -> None:
    parsed = parse_plan(plan)
    assert parsed.text() == plan
    assert Noun("red", "mug") in parsed.nouns
    scene = Episode(task=task, split="seen", objects=(mug(0.45, 0.05), *others), instruction=plan, plan=parsed)
    env = gymnasium.make(sim.environment_id(task), action_mode="skill", senses=())
    arm = EnvironmentArm(env)
    arm.reset(0, {"episode": scene})
    result = Agent(Policies("oracle", {}).plain, arm).do(plan)
    assert (result.state, arm.info["is_success"]) == ("done", True), result
    env.close()


def test_a_verb_refuses_what_its_thing_cannot_do() -> None:
    with pytest.raises(ValueError, match="not a plan"):
        parse_plan("stack blue block on red mug")  # it has no flat top
    assert Plan(verb="pick_up", target=Noun("red", "mug")).text() == "lift red mug"
