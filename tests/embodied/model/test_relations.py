# SPDX-License-Identifier: Apache-2.0
"""What is known of how things stand to each other, and that a model learns to tell it half way up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from embodied.data.sample import Command, Sample, Seen
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig
from embodied.model.engine import Engine
from embodied.model.heads.relations import RELATIONS, facts_of
from embodied.model.palme import Palme
from embodied.types import Observation, Picture


def block(colour: str | None, u: float, v: float) -> Seen:
    return Seen(colour=colour, kind="block", u=u, v=v)


def told(things: list[Seen]) -> list[dict[str, float]]:
    return [dict(zip(RELATIONS, facts, strict=True)) for facts in facts_of(things)]


def test_facts_are_those_of_the_picture():
    bowl = Seen(colour="blue", kind="bowl", u=0.8, v=0.8)
    left, right = told([block("red", 0.2, 0.5), block("green", 0.8, 0.8), bowl])[:2]
    assert (left["leftmost"], left["rightmost"], left["nearest"], left["farthest"]) == (1.0, 0.0, 0.0, 1.0)
    assert (right["leftmost"], right["nearest"], right["where another one is"]) == (0.0, 1.0, 1.0)
    assert left["where another one is"] == 0.0
    assert (left["alone of its name"], left["alone of its kind"]) == (1.0, 0.0)
    alone = told([block("red", 0.2, 0.5), bowl])[1]
    assert alone["alone of its kind"] == 1.0 and alone["leftmost"] == -1.0
    twins = told([block("red", 0.2, 0.5), block("red", 0.21, 0.9), block(None, 0.9, 0.1), block(None, 0.6, 0.1)])
    assert [each["alone of its name"] for each in twins] == [0.0, 0.0, -1.0, -1.0]
    assert twins[0]["leftmost"] == -1.0, "nobody sees who of two leads by a hair"


def sample(rng: np.random.Generator) -> Sample:
    """A picture with a light spot for each thing, one of them the leftmost."""
    places = rng.permutation(4)[:2]
    rgb = np.zeros((32, 32, 3), dtype=np.uint8)
    things = []
    for place in places:
        u = (int(place) + 0.5) / 4
        rgb[12:20, int(32 * u) - 4 : int(32 * u) + 4] = 255
        things.append(block("red" if place == min(places) else "blue", u, 0.5))
    picture = Picture(rgb=rgb, intrinsics_px=np.eye(3), world_from_camera=np.eye(4), stamp_s=0.0)
    command = Command(text="touch it", plan=parse_plan("touch red block"))
    return Sample(observations=(Observation(readings={"front": picture}),), commands=(command,), things=tuple(things))


def test_it_is_learned_and_says_nothing_when_the_model_acts(
    make_tiny: Callable[..., Palme], learn: Callable[..., list[float]]
):
    heads = {
        "plan": PartConfig("plan"),
        "grounding": PartConfig("grounding", {"sense": "front"}),
        "relations": PartConfig("relations"),
    }
    model = make_tiny(heads=heads)
    rng = np.random.default_rng(0)
    falls = learn(model, [sample(rng) for _ in range(8)], "relations/facts", to=0.3, steps=400)
    assert falls[-1] <= 0.3 * falls[0]
    engine = Engine(model)
    answer = engine.answer({"front": torch.zeros(32, 32, 3, dtype=torch.uint8)}, "touch it")
    assert "relations" not in answer.others and answer.plan is not None
