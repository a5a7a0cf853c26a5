# SPDX-License-Identifier: Apache-2.0
"""Captions and pictures are matched by what both say; what is masked is told only where something gives it away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from embodied.data.sample import Command, Lesson, Sample, Seen
from embodied.errors import EmbodiedError
from embodied.language.nouns import Noun
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from embodied.train.captions import around
from embodied.train.lessons import holed
from embodied.train.palme import losses
from embodied.types import Observation, Picture

LEFT, RIGHT = 0.25, 0.75
PAINT = {"red": (255, 0, 0), "blue": (0, 0, 255)}
RED, BLUE = Noun("red", "block"), Noun("blue", "block")
HEADS = {"plan": PartConfig("plan"), "matching": PartConfig("matching")}
FRONT = {"front": SenseConfig(PartConfig("conv", {"size_px": 32, "width": 8}))}


@pytest.fixture
def model(make_tiny: Callable[..., Palme]) -> Palme:
    return make_tiny(heads=HEADS, senses=FRONT)


def seen(left: str, right: str, hole: float | None = None) -> Observation:
    """Two blocks, one of which a hole may hide."""
    rgb = np.full((32, 32, 3), 90, dtype=np.uint8)
    for colour, u in ((left, LEFT), (right, RIGHT)):
        rgb[13:19, int(32 * u) - 3 : int(32 * u) + 3] = PAINT[colour]
    picture = Picture(rgb=rgb, intrinsics_px=np.eye(3), world_from_camera=np.eye(4), stamp_s=0.0)
    observation = Observation(readings={"front": picture})
    if hole is None:
        return observation
    return holed(observation, "front", around(Seen(colour="red", kind="block", u=hole, v=0.5)))


def told(observation: Observation, *said: tuple[str, Lesson]) -> Sample:
    return Sample(observations=(observation,), commands=tuple(Command(text=text, lesson=each) for text, each in said))


@torch.no_grad()
def right(model: Palme, samples: Sequence[Sample], task: str, *, zeroed: Sequence[str] = ()) -> float:
    """How much of a task is told right."""
    said = [[(each.text, each.plan) for each in sample.commands] for sample in samples]
    sentences = [
        model.sentence(model.senses(sample.observations), each) for sample, each in zip(samples, said, strict=True)
    ]
    hidden = model.read(model.embed(sentences, zeroed=zeroed))
    return float(model.heads["matching"].loss(hidden, samples)[f"{task}_accuracy"])


def test_true_captions_are_told_from_wrong_ones_by_the_picture_alone(
    model: Palme, learn: Callable[..., list[float]]
) -> None:
    ways = (("red", "blue"), ("blue", "red"))
    samples = [told(seen(*here), *((f"{left} left", (left, right) == here) for left, right in ways)) for here in ways]
    falls = learn(model, samples, "matching/itm", to=0.3, steps=300)
    assert falls[-1] <= 0.3 * falls[0]
    assert right(model, samples, "itm") == 1.0
    assert right(model, samples, "itm", zeroed=["front"]) == 0.5, "each is said of both pictures, and true of one"


def test_a_word_that_is_left_out_is_told_by_the_picture(model: Palme, learn: Callable[..., list[float]]) -> None:
    """It stands before the place that tells which block is meant, and is told behind both."""
    samples = [told(seen(here, "blue"), ("something left, blue right", here)) for here in ("red", "blue")]
    falls = learn(model, samples, "matching/mlm", to=0.1, steps=300)
    assert falls[-1] <= 0.1 * falls[0]
    assert right(model, samples, "mlm") == 1.0
    assert right(model, samples, "mlm", zeroed=["front"]) <= 0.5, "the words are the same"


def test_what_a_hole_hides_is_told_by_words_and_where_it_is(model: Palme, learn: Callable[..., list[float]]) -> None:
    ways, names = (("red", "blue"), ("blue", "red")), {"red": RED, "blue": BLUE}
    samples = [
        told(seen(*here, hole=hole), (f"{here[0]} left, {here[1]} right", names[colour]))
        for here in ways
        for colour, hole in zip(here, (LEFT, RIGHT), strict=True)
    ]
    falls = learn(model, samples, "matching/mrc", to=0.1, steps=400)
    assert falls[-1] <= 0.1 * falls[0]
    assert right(model, samples, "mrc") == 1.0


def test_what_a_hole_hides_is_told_by_its_neighbour_where_that_gives_it_away(
    model: Palme, learn: Callable[..., list[float]]
) -> None:
    """Blocks of one colour, and words that say nothing."""
    samples = [
        told(seen(colour, colour, hole=LEFT), ("two blocks", noun)) for colour, noun in (("red", RED), ("blue", BLUE))
    ]
    learn(model, samples, "matching/mrc", to=0.1, steps=300)
    assert right(model, samples, "mrc") == 1.0
    assert right(model, samples, "mrc", zeroed=["front"]) == 0.5


def test_what_a_hole_hides_enters_nowhere(model: Palme) -> None:
    """Where neither words nor neighbours tell of it, two pictures are read as one."""

    def embedded(left: str, hole: float | None) -> torch.Tensor:
        senses = model.senses([seen(left, "blue", hole=hole)])
        return model.embed([model.sentence(senses, [("two blocks", None)])]).embeddings

    with torch.no_grad():
        assert torch.equal(embedded("red", LEFT), embedded("blue", LEFT))
        assert not torch.equal(embedded("red", None), embedded("blue", None))
        assert not torch.equal(embedded("red", RIGHT), embedded("blue", RIGHT)), "a hole hides nothing else"


def test_commands_teach_it_nothing_and_captions_nobody_else(model: Palme) -> None:
    here = seen("red", "blue")
    command = Sample(observations=(here,), commands=(Command(text="lift it", plan=parse_plan("lift red block")),))
    caption = told(here, ("a red block at the left", True))
    assert not [name for name in losses(model, [command], [{}]) if name.startswith("matching")]
    both = Sample(observations=(here,), commands=command.commands, told=caption)
    parts = losses(model, [both, command], [{}, {}])
    assert {"plan/plan", "matching/itm"} <= parts.keys()
    torch.testing.assert_close(parts["plan/plan"], losses(model, [command], [{}])["plan/plan"])


def test_it_says_nothing_when_the_model_acts(model: Palme) -> None:
    answer = Engine(model).answer({"front": torch.zeros(32, 32, 3, dtype=torch.uint8)}, "lift it")
    assert "matching" not in answer.others and answer.plan is not None


def test_a_sense_that_is_no_picture_is_refused(make_tiny: Callable[..., Palme]) -> None:
    with pytest.raises(EmbodiedError, match="'state' is none"):
        make_tiny(heads={"plan": PartConfig("plan"), "matching": PartConfig("matching", {"sense": "state"})})
