# SPDX-License-Identifier: Apache-2.0
"""Law: a fusion is one class, with `prefill` and `extend` of its own or inherited. Here: gated cross-attention.

And the law that holds for every fusion: a sentence means the same packed with others in training as it does alone on
the robot, word for word while an answer is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodied.data.sample import Command, Sample, Seen
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from embodied.types import Joints, Observation, Picture

# --8<-- what a fusion is
from torch import Tensor, nn

from embodied.model.backbone import Backbone
from embodied.model.fusion import FUSIONS
from embodied.model.fusion.beside import Beside


class Gated(Beside):
    """Before each layer of the language model words look at the senses (Alayrac et al. 2022). The gates are closed at
    first, so that the language model begins as it was."""

    def __init__(self, backbone: Backbone, *, heads: int = 2) -> None:
        super().__init__(backbone)
        count = len(backbone.layers)
        attention = (nn.MultiheadAttention(backbone.dim, heads, batch_first=True) for _ in range(count))
        self.looks = nn.ModuleList(attention)
        self.gates = nn.Parameter(torch.zeros(count))

    def look(self, number: int, words: Tensor, senses: Tensor) -> Tensor:
        found = self.looks[number](words, senses, senses)[0]
        return words + self.gates[number].tanh() * found


FUSIONS.register("gated", Gated)
# --8<-- end

STATE = torch.linspace(-1, 1, 8)
SAID = ["touch the red block", "put it in the bowl", "lift the blue one"]
PLANS = [parse_plan(text) for text in ("touch red block", "put red block in green bowl", "lift blue block")]
PARITY = {"rtol": 1e-4, "atol": 2e-5}


def pictures(count: int) -> Tensor:
    return torch.randint(0, 255, (count, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def opened(model: Palme) -> Palme:
    """With gates that let something through, and parts that are no copies: else what is wrong there is hidden."""
    torch.manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.fusion.named_parameters():
            if "gate" in name:
                parameter.fill_(0.8)
            else:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
@torch.no_grad()
def test_a_sentence_is_the_same_in_training_and_on_the_robot(fusion: str, make_tiny: Callable[..., Palme]) -> None:
    model = opened(make_tiny(fusion=PartConfig(fusion)))
    senses = [{"front": picture, "state": STATE * n} for n, picture in enumerate(pictures(2))]
    packed = [
        model.sentence(senses[0], list(zip(SAID, PLANS, strict=True))),
        model.sentence(senses[1], [(None, PLANS[1]), (SAID[0], PLANS[0])]),
    ]
    training = model.read(model.embed(packed))
    commands = [[*zip(SAID, PLANS, strict=True)], [(None, PLANS[1]), (SAID[0], PLANS[0])]]
    language = model.heads["plan"]
    for row, said in enumerate(commands):
        for number, (text, plan) in enumerate(said):
            place = training.sentence.places[row][number]
            learnt = training.states[row, place.start : place.end]
            tokens = language.tokens(plan)
            # The robot hears the words, and writes the plan token by token and in pieces.
            for pieces in ([tokens], [tokens[:1], tokens[1:3], tokens[3:]], [(token,) for token in tokens]):
                if text is None:
                    acting = model.read(model.embed([model.sentence(senses[row], [(None, plan)])]))
                else:
                    acting = model.read(model.embed([model.sentence(senses[row], [(text, None)])]), remember=True)
                    for piece in pieces:
                        acting = acting.written(piece) if piece else acting
                        acting = acting.written(tokens[:3]).without(2).without(1)  # as if it had never been read
                prefix = acting.states.shape[1] - len(learnt)
                torch.testing.assert_close(acting.states[0, prefix:], learnt, **PARITY)
                for sense in senses[row]:
                    torch.testing.assert_close(acting.of(sense)[0], training.of(sense)[row], **PARITY)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
@torch.no_grad()
def test_a_thinned_sentence_is_the_same_too(fusion: str, make_tiny: Callable[..., Palme]) -> None:
    model, kept = opened(make_tiny(fusion=PartConfig(fusion))), torch.tensor([0, 1, 3])
    senses = {"front": pictures(1)[0], "state": STATE}
    commands = list(zip(SAID, PLANS, strict=True))
    training = model.read(model.embed([model.sentence(senses, commands)]).thinned("front", kept))
    for number, (text, plan) in enumerate(commands):
        place = training.sentence.places[0][number]
        embedded = model.embed([model.sentence(senses, [(text, None)])]).thinned("front", kept)
        acting = model.read(embedded, remember=True).written(model.heads["plan"].tokens(plan))
        prefix = acting.states.shape[1] - (place.end - place.start)
        torch.testing.assert_close(acting.states[0, prefix:], training.states[0, place.start : place.end], **PARITY)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
@torch.no_grad()
def test_words_look_at_the_picture_and_commands_not_at_each_other(fusion: str, make_tiny: Callable[..., Palme]) -> None:
    model = opened(make_tiny(fusion=PartConfig(fusion)))
    one, other = ({"front": picture, "state": STATE} for picture in pictures(2))

    def last(senses: dict[str, Tensor], *said: str) -> Tensor:
        hidden = model.read(model.embed([model.sentence(senses, [(text, None) for text in said])]))
        return hidden.states[0, hidden.sentence.places[0][0].end - 1]

    assert (last(one, "go") - last(other, "go")).abs().max() > 1e-3
    torch.testing.assert_close(last(one, "go", "stay"), last(one, "go", "leave it"), **PARITY)


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_the_loss_falls_and_what_was_learnt_is_saved(
    fusion: str, make_tiny: Callable[..., Palme], learn: Callable[..., list[float]], tmp_path: Path
) -> None:
    """Two pictures, the same words: which plan is right is in the picture alone."""
    model = make_tiny(fusion=PartConfig(fusion))
    samples = [sample(np.full((32, 32, 3), shade, np.uint8), plan) for shade, plan in ((0, PLANS[0]), (255, PLANS[2]))]
    falls = learn(model, samples, "plan/plan", to=0.0003)  # so that what a checkpoint rounds off turns nothing
    assert falls[-1] < 0.01 * falls[0]
    model.save_pretrained(tmp_path / "model")
    engine = Engine(Palme.from_pretrained(tmp_path / "model"))
    assert engine.model.config.fusion.name == fusion
    for each, plan in zip(samples, (PLANS[0], PLANS[2]), strict=True):
        senses = engine.model.senses(each.observations)
        assert (
            engine.model.heads["plan"].answer(
                engine.model.read(engine.model.embed([engine.model.sentence(senses, [("do it", None)])]), remember=True)
            )
            == plan
        )


def sample(rgb: np.ndarray, plan: Any) -> Sample:
    """One picture with a red and a blue block in it, and "do it"."""
    geometry = {"intrinsics_px": np.eye(3), "world_from_camera": np.eye(4)}
    joints = Joints(position_rad=np.zeros(7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)
    readings = {"front": Picture(rgb=rgb, stamp_s=0.0, **geometry), "joints": joints}
    things = (Seen(colour="red", kind="block", u=0.3, v=0.3), Seen(colour="blue", kind="block", u=0.8, v=0.8))
    command = Command(text="do it", plan=plan)
    return Sample(observations=(Observation(readings=readings),), commands=(command,), things=things)
