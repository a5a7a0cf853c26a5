# SPDX-License-Identifier: Apache-2.0
"""Law: a sense is an encoder and a line of the composition. A second camera, and depth through an encoder of one's own.

Each is the only thing that shows where a bowl is: a model that reads it learns to move there, one without it cannot,
and the policy that was trained on it moves the simulated hand to its side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from embodied.arm import arm_model
from embodied.data.sample import Actions, Command, Sample
from embodied.model.composition import config_from
from embodied.model.palme import Palme
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.run import Agent
from embodied.types import ObjectState
from policies.palme import PalmePolicy
from sim.arm import SimArm
from sim.scene import CAMERAS, Camera, look_at
from sim.world import World

# --8<-- what a sense is
from collections.abc import Sequence

from torch import Tensor, nn

from embodied.model.encoders import ENCODERS, Encoder, expect
from embodied.types import Depth, Reading


class Edges(Encoder):
    """Where something stands: the largest step between neighbouring pixels, in each of five columns of a depth."""

    feature_dim = 16
    sees = True

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Linear(5, self.feature_dim)

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        depth = readings[-1]
        expect(depth, Depth)
        steps = np.abs(np.diff(np.minimum(depth.depth_m, 3.0), axis=0))
        return torch.tensor([float(column.max()) for column in np.array_split(steps, 5, axis=1)])

    def forward(self, value: Tensor) -> Tensor:
        features: Tensor = self.layers(20.0 * value)
        return features.unsqueeze(1)


ENCODERS.register("edges", Edges)
# --8<-- end

# --8<-- what another camera is
CAMERAS["high"] = Camera(field_of_view_rad=0.6, mount=look_at((1.1, 0.0, 0.9), (0.5, 0.0, 0.0)))
# --8<-- end

SENSES = {
    "a second camera": "high: {encoder: conv, options: {size_px: 64, width: 8}}",
    "depth, by an encoder of one's own": "near: {reading: high_depth, encoder: edges}",
    "depth": "high_depth: {encoder: depth, options: {size_px: 64, width: 8}}",
}
PLACES_M = (-0.24, -0.2, 0.2, 0.24)
"""Where the bowl may stand, left and right of the arm."""
STATE = "state: {reading: joints, encoder: mlp, options: {size: 8, hidden: 16}}"


def composed(*senses: str) -> dict[str, Any]:
    """The parts of a model whose only head says the next two displacements of the hand."""
    text = "senses: {" + ", ".join(senses) + "}\nheads: {chunk: {name: chunk, options: {steps: 2, hidden: 64}}}"
    config = config_from(yaml.safe_load(text), "the composition")
    return {"senses": config.senses, "heads": config.heads}


@pytest.fixture(scope="module")
def scenes() -> Iterator[tuple[World, SimArm]]:
    with World(arm_model("panda")) as world:
        yield world, SimArm(world, ("high", "high_depth"), 64)


def show(world: World, y_m: float) -> None:
    bowl = ObjectState(name="red bowl", kind="bowl", colour="red", position_m=np.array([0.5, y_m, 0.0]))
    world.set_objects([bowl])


def samples_of(world: World, arm: SimArm) -> list[Sample]:
    """Every scene, and the two steps that bring the hand a twentieth of a metre at a time towards the bowl."""
    found = []
    for y_m in PLACES_M:
        show(world, y_m)
        arm.forget()
        step = np.zeros((2, 7), dtype=np.float32)
        step[:, 1], step[:, 6] = np.clip(y_m / 2, -0.05, 0.05), 1.0
        command = Command(text="touch the red bowl", actions=step, ends=True)
        found.append(Sample(observations=(arm.observe(),), commands=(command,)))
    return found


@pytest.mark.parametrize("sense", list(SENSES))
def test_a_model_learns_from_a_new_sense_and_moves_by_it(
    sense: str,
    scenes: tuple[World, SimArm],
    make_tiny: Callable[..., Palme],
    learn: Callable[..., list[float]],
    tmp_path: Path,
) -> None:
    world, arm = scenes
    samples = samples_of(world, arm)
    with_it, without = make_tiny(**composed(SENSES[sense], STATE)), make_tiny(**composed(STATE))
    for model in (with_it, without):
        model.heads["chunk"].fit(actions_of(samples))
    parts = ("chunk/chunk", "chunk/ends")
    errors, blind = learn(with_it, samples, *parts, to=0.1), learn(without, samples, *parts, to=0.1, steps=100)
    assert errors[-1] < 0.2 * errors[0], "it learns"
    assert errors[-1] < 0.3 * blind[-1], "from this sense: nothing else tells where the bowl is"

    with_it.save_pretrained(tmp_path / "model")
    policy = PalmePolicy(str(tmp_path / "model"), device="cpu")
    assert policy.needs == (with_it.config.reading_of(next(iter(with_it.config.senses))),)
    moved = []
    for y_m in (PLACES_M[0], PLACES_M[-1]):
        show(world, y_m)
        arm.forget()
        assert Agent(policy, arm).do("touch the red bowl").state == "done"
        moved.append(world.model.chain.forward(arm.observe().joints.position_rad)[1, 3])
    assert moved[0] < -0.04 and moved[1] > 0.04, "the hand goes to the side where the bowl is"


def test_a_reading_of_another_sort_is_named(make_tiny: Callable[..., Palme], scenes: tuple[World, SimArm]) -> None:
    from embodied.errors import EmbodiedError

    model = make_tiny(**composed("near: {reading: high, encoder: edges}"))
    with pytest.raises(EmbodiedError, match=r"sense 'near' of the model: .* reads a Depth, and .* gives a Picture"):
        model.senses([scenes[1].observe()])


def actions_of(samples: list[Sample]) -> Actions:
    rows = np.concatenate([sample.commands[0].actions for sample in samples]).astype(np.float64)
    return Actions(names=EE_DELTA_NAMES, rate_hz=10.0, mean=rows.mean(axis=0), std=rows.std(axis=0), count=len(rows))
