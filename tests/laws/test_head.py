# SPDX-License-Identifier: Apache-2.0
"""Law: a head is one class with `loss` and `answer`. This one counts; it learns, and its answer comes with the plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from embodied.data.sample import Command, Sample, Seen
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from embodied.types import Joints, ObjectState, Observation
from sim.world import World

# --8<-- what a head is
from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden


class Count(Head):
    """How many things there are, from the state at the last word of the question."""

    weights = {"count": 1.0}

    def __init__(self, host: Host, *, most: int = 5) -> None:
        super().__init__(host)
        self.layers = nn.Linear(host.dim, most + 1)

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        if any(sample.things is None for sample in samples):
            return {}
        rows, columns = hidden.asked()
        there = torch.tensor([len(samples[row].things or ()) for row in rows.tolist()])
        return {"count": nn.functional.cross_entropy(self.layers(hidden.states[rows, columns]), there)}

    def answer(self, hidden: Hidden) -> int:
        rows, columns = hidden.asked()
        return int(self.layers(hidden.states[rows, columns])[0].argmax())


HEADS.register("count", Count)
# --8<-- end

QUESTION = "how many bowls are there?"


def scenes() -> list[Sample]:
    """Rendered tables with none to three bowls."""
    from embodied.arm import arm_model

    found, places = [], ((0.45, -0.2), (0.55, 0.2), (0.45, 0.0))
    with World(arm_model("panda")) as world:
        for count in (0, 1, 2, 3):
            bowls = [
                ObjectState(name=f"bowl {i}", kind="bowl", colour="red", position_m=np.array([x, y, 0.0]))
                for i, (x, y) in enumerate(places[:count])
            ]
            world.set_objects(bowls)
            joints = Joints(position_rad=np.zeros(7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)
            observation = Observation(readings={"front": world.render("front", 64), "joints": joints})
            things = tuple(Seen(colour="red", kind="bowl", u=0.5, v=0.5) for _ in bowls)
            found.append(Sample(observations=(observation,), commands=(Command(text=QUESTION),), things=things))
    return found


def test_a_new_head_learns_and_answers(
    make_tiny: Callable[..., Palme], learn: Callable[..., list[float]], tmp_path: Path
) -> None:
    parts = {"plan": PartConfig("plan"), "how_many": PartConfig("count", {"most": 3})}
    senses = {"front": SenseConfig(PartConfig("conv", {"size_px": 64, "width": 8}))}
    model, samples = make_tiny(heads=parts, senses=senses), scenes()
    falls = learn(model, samples, "how_many/count", to=0.05)
    assert falls[-1] < 0.1 * falls[0]

    model.save_pretrained(tmp_path / "model")
    engine = Engine(Palme.from_pretrained(tmp_path / "model"))
    for sample in samples:
        answer = engine.answer(engine.model.senses(sample.observations), QUESTION)
        assert answer.others == {"how_many": len(sample.things or ())}
        assert answer.plan in engine.planner.language, "beside the plan"
    blind = [
        engine.answer(engine.model.senses(s.observations), QUESTION, no_vision=True).others["how_many"] for s in samples
    ]
    assert len(set(blind)) == 1, "without the picture it cannot know"
