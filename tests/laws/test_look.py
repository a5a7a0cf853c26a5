# SPDX-License-Identifier: Apache-2.0
"""Law: a look is one class. This one measures; a model learns when to look, and answers what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from embodied.data.sample import Command, Sample, Seen
from embodied.geometry import project
from embodied.language.dialogue import joined
from embodied.language.looks import result_of
from embodied.language.verbs import SAY, Plan, parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.entities import WEIGHTS
from embodied.model.palme import Palme
from embodied.types import Instruction, ObjectState, Observation, Step
from policies.palme import PalmePolicy
from sim.world import World

# --8<-- what a look is
import math
from collections.abc import Sequence

from embodied.language.looks import NONE, Look, Slots, like, register
from embodied.language.seen import Entity


@register
class LookHowFar(Look):
    """Whether two things are within reach of each other."""

    name = "look_how_far"
    sentence = "look how far {target} is from {reference}"

    def found(self, plan: Slots, entities: Sequence[Entity]) -> str:
        one, other = like(plan.target, entities), like(plan.reference, entities)
        if not one or not other:
            return NONE
        return "near" if math.dist(one[0].place_m, other[0].place_m) < 0.2 else "far"


# --8<-- end

QUESTION = "are the two blocks close?"
LOOK = parse_plan("look how far red block is from blue block")
SCENES = {"near": ((0.45, -0.05), (0.45, 0.05)), "far": ((0.45, -0.2), (0.5, 0.2))}


def seen() -> list[tuple[Observation, tuple[Seen, ...]]]:
    """Two rendered tables."""
    from embodied.arm import arm_model

    found = []
    with World(arm_model("panda")) as world:
        for places in SCENES.values():
            objects = [
                ObjectState(name=f"{colour} block", kind="block", colour=colour, position_m=np.array([*place, 0.02]))
                for colour, place in zip(("red", "blue"), places, strict=True)
            ]
            world.set_objects(objects)
            frame = world.render("front", 64)
            pixels = (project(frame, np.stack([each.position_m for each in objects])) + 0.5) / 64
            things = [
                Seen(colour=each.colour, kind="block", u=float(u), v=float(v), place_m=place)
                for each, (u, v), place in zip(objects, pixels, places, strict=True)
            ]
            found.append((Observation(readings={"front": frame}), tuple(things)))
    return found


def see(model: Palme, scenes: Sequence[tuple[Observation, tuple[Seen, ...]]]) -> None:
    """Teach what names things to name those of the scenes."""
    assert model.entities is not None
    with torch.no_grad():
        pictures = torch.stack([model.senses([observation])["front"] for observation, _ in scenes])
        features = model.encoders["front"](pictures)
    model.entities.fit(thing for _, things in scenes for thing in things)
    wanted = [model.entities.wanted(things) for _, things in scenes]
    optimizer = torch.optim.AdamW(model.entities.parameters(), lr=5e-3)
    for _ in range(150):
        parts = model.entities.losses(features, wanted)
        optimizer.zero_grad()
        torch.stack([weight * parts[name] for name, weight in WEIGHTS.items()]).sum().backward()
        optimizer.step()


def test_a_new_look_is_learned_and_what_it_finds_is_answered(
    make_tiny: Callable[..., Palme], learn: Callable[..., list[float]], tmp_path: Path
) -> None:
    model = make_tiny(
        heads={"plan": PartConfig("plan")},
        senses={"front": SenseConfig(PartConfig("conv", {"size_px": 64, "width": 8}))},
        answers=(SAY,),
        entities="front",
        looks=("look_how_far",),
        frozen=("front",),
    )
    scenes = seen()
    see(model, scenes)
    model.encoders.requires_grad_(False)
    model.entities.requires_grad_(False)
    samples = []
    for answer, (observation, things) in zip(SCENES, scenes, strict=True):
        places = [each.place_m for each in things]
        assert None not in places
        entities = [Entity(colour=each.colour or "", kind=each.kind, place_m=each.place_m or (0, 0)) for each in things]
        result = result_of(LOOK, entities)
        assert result == f"look how far red block is from blue block: {answer}"
        looked = joined("", QUESTION, [Step(text=result)])
        commands = (Command(text=QUESTION, plan=LOOK), Command(text=looked, plan=Plan(verb=SAY, said=answer)))
        samples.append(Sample(observations=(observation,), commands=commands, things=things))
    falls = learn(model, samples, "plan/plan", "plan/said", to=0.01)
    assert falls[-1] < 0.1 * falls[0]

    model.save_pretrained(tmp_path / "model")
    policy = PalmePolicy(str(tmp_path / "model"), certain=0.0, knows=0.0)
    for answer, (observation, _) in zip(SCENES, scenes, strict=True):
        policy.reset(Instruction(text=QUESTION))
        decision = policy.decide(observation)
        assert decision.text == f"{answer.capitalize()}." and decision.motion is None and not decision.refused
