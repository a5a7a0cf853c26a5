# SPDX-License-Identifier: Apache-2.0
"""A model speaks only the words that it was trained with, and only those that are installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from embodied.arm import arm_model
from embodied.errors import CheckpointError
from embodied.language.verbs import CANNOT, VERBS, parse_plan
from embodied.model.checkpoint import write_sums
from embodied.model.engine import Engine
from embodied.model.palme import Palme
from embodied.things import THINGS
from embodied.types import Instruction, Joints, Observation, Picture
from policies.palme import PalmePolicy
from tests.plans import below

PICTURE = torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
FEWER = {
    "verbs": ("touch", "push_to"),
    "kinds": ("block", "zone"),
    "colours": ("red", "blue"),
    "other_colours": ("pink",),
}
COMMANDS = (
    "lift the red block",
    "put the red block in the blue bowl",
    "stack the green block on the red block",
    "touch the pink zone",
    "red and blue",
    "do it",
    "",
)


def observation(arm: str = "panda") -> Observation:
    frame = Picture(rgb=PICTURE.numpy(), intrinsics_px=np.eye(3), world_from_camera=np.eye(4), stamp_s=0.0)
    home = arm_model(arm).home_rad
    return Observation(
        readings={
            "front": frame,
            "joints": Joints(position_rad=home, velocity_rad_s=np.zeros(len(home)), gripper_width_m=0.08, stamp_s=0.0),
        }
    )


def test_a_model_with_fewer_words_writes_only_these(make_tiny: Callable[..., Palme], tmp_path: Path) -> None:
    make_tiny(**FEWER).save_pretrained(tmp_path / "model")
    model = Palme.from_pretrained(tmp_path / "model")
    assert {name: getattr(model.config, name) for name in FEWER} == FEWER
    engine = Engine(model)
    plans = list(below(engine.planner.language.tree))
    assert {plan.verb for plan in plans} == {"touch", "push_to", CANNOT}
    nouns = {noun for plan in plans for noun in plan.nouns}
    assert {noun.kind for noun in nouns} == {"block", "zone"}
    assert {noun.colour for noun in nouns} == {"red", "blue", "pink"}
    for text in COMMANDS:
        answer = engine.answer({"front": PICTURE, "state": torch.zeros(8)}, text)
        assert answer.plan in engine.planner.language
        assert {sight.noun.kind for sight in answer.visible} <= {"block", "zone"}


def test_it_says_that_it_can_do_only_these(make_tiny: Callable[..., Palme], tmp_path: Path) -> None:
    make_tiny(**FEWER).save_pretrained(tmp_path / "model")
    policy = PalmePolicy(str(tmp_path / "model"), device="cpu")
    policy.reset(Instruction(text=""))
    decision = policy.decide(observation())
    assert decision.refused
    assert decision.text == "I was told nothing. I can touch and push onto a zone."


def test_an_arm_with_other_joints_is_answered_without_their_sense(
    make_tiny: Callable[..., Palme], tmp_path: Path
) -> None:
    make_tiny(**FEWER).save_pretrained(tmp_path / "model")
    policy = PalmePolicy(str(tmp_path / "model"), device="cpu")
    for arm in ("panda", "ur5e"):
        policy.reset(Instruction(text="touch the red block"))
        assert policy.decide(observation(arm)).text


def test_a_verb_that_was_never_trained_is_no_plan_of_it_although_it_is_installed(
    make_tiny: Callable[..., Palme],
) -> None:
    engine = Engine(make_tiny(**FEWER))
    assert parse_plan("lift red block") not in engine.planner.language
    assert parse_plan("touch red block") in engine.planner.language


@pytest.mark.parametrize(
    ("key", "name", "registry"),
    [("verbs", "juggle", VERBS), ("kinds", "banana", THINGS)],
    ids=["verb", "thing"],
)
def test_a_word_that_is_not_installed_here_is_refused_in_a_line(
    key: str, name: str, registry: object, tiny: Palme, tmp_path: Path
) -> None:
    tiny.save_pretrained(tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    data = json.loads(config.read_text())
    for words in ([*data[key][:-1], name], [*data[key], name]):
        config.write_text(json.dumps(data | {key: words}))
        write_sums(config.parent)
        with pytest.raises(CheckpointError, match=rf"speaks of the \w.* {name}, which is not installed") as caught:
            Palme.from_pretrained(tmp_path / "model")
        message = str(caught.value)
        assert "\n" not in message and str(tmp_path / "model") in message
        assert all(known in message for known in registry)  # type: ignore[attr-defined]
