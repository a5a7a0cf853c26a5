# SPDX-License-Identifier: Apache-2.0
"""What a picture shows is told to the language model in words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from embodied.data.sample import Seen
from embodied.errors import EmbodiedError
from embodied.language.seen import UNNAMED, Entity
from embodied.model.entities import WEIGHTS, Entities
from embodied.model.palme import Palme

GRID = (6, 6)
COLOURS, KINDS = ("red", "green", "blue"), ("block", "bowl")


def seen(colour: str | None, kind: str, u: float, v: float, on: int | None = None) -> Seen:
    return Seen(colour=colour, kind=kind, u=u, v=v, place_m=(0.3 + 0.4 * v, 0.6 * (u - 0.5)), on=on)


SCENES = (
    (),
    (seen("red", "block", 0.25, 0.25), seen("red", "block", 0.75, 0.75)),  # twins
    (seen("red", "block", 0.4, 0.3), seen("blue", "block", 0.4, 0.3, 0), seen("green", "block", 0.4, 0.3, 1)),
    (seen("green", "bowl", 0.6, 0.6), seen("red", "block", 0.58, 0.6, 0), seen("blue", "block", 0.63, 0.6, 0)),
    (seen(None, "block", 0.2, 0.8), seen("blue", "bowl", 0.75, 0.2)),
)


def test_what_was_learned_is_found_with_what_is_in_and_on_what() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    features = torch.randn(len(SCENES), GRID[0] * GRID[1], 16)
    entities = Entities(GRID, 16, COLOURS, KINDS, hidden=32)
    entities.fit(thing for scene in SCENES for thing in scene)
    wanted = [entities.wanted(scene) for scene in SCENES]
    optimizer = torch.optim.AdamW(entities.parameters(), lr=5e-3)
    for _ in range(400):
        parts = entities.losses(features, wanted)
        optimizer.zero_grad()
        torch.stack([weight * parts[name] for name, weight in WEIGHTS.items()]).sum().backward()
        optimizer.step()
    for scene, found in zip(SCENES, entities.found(features), strict=True):
        assert sorted(names(found)) == sorted(names(scene))
        for one in found:
            assert any(torch.tensor(one.place_m).sub(torch.tensor(thing.place_m)).norm() < 0.02 for thing in scene)


def names(scene: tuple[Seen, ...] | tuple[Entity, ...]) -> list[str]:
    """Each with all that is below it."""

    def name(number: int | None) -> str:
        if number is None:
            return "table"
        return f"{scene[number].colour or UNNAMED} {scene[number].kind} on {name(scene[number].on)}"

    return [name(number) for number in range(len(scene))]


def test_a_scene_without_things_has_a_loss() -> None:
    entities = Entities(GRID, 16, COLOURS, KINDS)
    parts = entities.losses(torch.randn(1, 36, 16), [entities.wanted(())])
    assert set(parts) == {"kind"} and torch.isfinite(parts["kind"])


@pytest.fixture
def naming(make_tiny: Callable[..., Palme], monkeypatch: pytest.MonkeyPatch) -> Palme:
    """A tiny model that sees a red block in dark pictures and nothing in others."""
    model = make_tiny(entities="front")

    def found(features: torch.Tensor) -> list[tuple[Entity, ...]]:
        block = Entity(colour="red", kind="block", place_m=(0.5, 0.0))
        return [(block,) if float(each.mean()) < mean else () for each in features]

    dark, bright = (float(model.encoders["front"](picture[None]).detach().mean()) for picture in (DARK, BRIGHT))
    mean = (dark + bright) / 2
    assert dark < bright
    monkeypatch.setattr(model.entities, "found", found)
    return model


STATE = torch.linspace(-1, 1, 8)
DARK = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
BRIGHT = 255 - DARK


def said(model: Palme, *pictures: torch.Tensor, zeroed: tuple[str, ...] = ()) -> list[str]:
    sentences = [model.sentence({"front": picture, "state": STATE}, [("go", None)]) for picture in pictures]
    return [model.tokenizer.decode(tokens) for (tokens,) in model.embed(sentences, zeroed=zeroed).said]


def test_the_words_of_a_picture_stand_before_the_command_and_a_zeroed_one_has_none(naming: Palme) -> None:
    block, nothing = "Seen: red block e4.\n", "Seen: nothing.\n"
    go = "Command: go\nPlan:"
    assert said(naming, DARK, BRIGHT) == [block + go, nothing + go]
    assert said(naming, DARK, zeroed=("front",)) == [nothing + go]
    assert naming.embed([naming.sentence({"state": STATE}, [])]).branch.tolist() == [[0] * (1 + len(nothing))]


@torch.no_grad()
def test_packed_sentences_equal_single_ones_whatever_is_seen_in_each(naming: Palme) -> None:
    texts, pictures = ["touch it", "lift the red block"], [DARK, BRIGHT]
    batch = [naming.sentence({"front": picture}, [(text, None) for text in texts]) for picture in pictures]
    hidden = naming.read(naming.embed(batch))
    for row, picture in enumerate(pictures):
        for text, place in zip(texts, hidden.sentence.places[row], strict=True):
            alone = naming.read(naming.embed([naming.sentence({"front": picture}, [(text, None)])]))
            ours, theirs = hidden.states[row, place.start : place.end], alone.states[0, -(place.end - place.start) :]
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_only_a_picture_has_things(make_tiny: Callable[..., Palme]) -> None:
    with pytest.raises(EmbodiedError, match="no grid"):
        make_tiny(entities="state")
    with pytest.raises(EmbodiedError, match="front, objects, state"):
        make_tiny(entities="radar")
