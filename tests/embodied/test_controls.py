# SPDX-License-Identifier: Apache-2.0
"""Controls spoil one input of a policy and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from embodied import controls
from embodied.config import ConfigError
from embodied.controls import (
    CONTROLS,
    WORDS_WITHOUT_CONTENT,
    FirstImage,
    NoLanguage,
    OtherImage,
    Policies,
    check_splits,
)
from embodied.environments import SPLITS
from embodied.errors import UnknownNameError
from embodied.types import Decision, Instruction, Observation
from tests.embodied.fake_env import FakeEnv


class Listener:
    needs: tuple[str, ...] = ("front",)

    def __init__(self) -> None:
        self.told: list[tuple[str, float, int | None]] = []
        self.shown: list[Observation] = []

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        self.told.append((instruction.text, instruction.stamp_s, seed))

    def decide(self, observation: Observation) -> Decision:
        self.shown.append(observation)
        return Decision(text="so be it", motion=None, observation_stamp_s=observation.stamp_s)


def look(seed: int) -> Observation:
    env = FakeEnv()
    env.reset(seed=seed, options={})
    return env.observe()


def test_without_language_only_the_words_are_gone() -> None:
    inner = Listener()
    policy = NoLanguage(inner)
    policy.reset(Instruction(text="touch it", stamp_s=3.0), 7)
    assert inner.told == [(WORDS_WITHOUT_CONTENT, 3.0, 7)]
    seen = look(5)
    assert policy.decide(seen).text == "so be it" and inner.shown == [seen]
    assert policy.needs == inner.needs


def test_the_other_image_changes_the_picture_and_not_the_arm_or_the_camera() -> None:
    inner = Listener()
    policy = OtherImage(inner, look(9))
    policy.reset(Instruction(text="touch it"), 7)
    assert inner.told == [("touch it", 0.0, 7)] and policy.needs == inner.needs
    for seed in (4, 5):
        seen = look(seed)
        policy.decide(seen)
        shown = inner.shown[-1]
        assert (shown.picture("front").rgb == 9).all()
        assert shown.picture("front").stamp_s == seen.picture("front").stamp_s
        assert shown.joints.position_rad is seen.joints.position_rad
        assert (seen.picture("front").rgb == seed).all(), "what was seen stays as it was"


def test_the_first_image_stays_until_the_next_words() -> None:
    inner = Listener()
    policy = FirstImage(inner)
    assert policy.needs == inner.needs
    for first, then in ((4, 5), (6, 7)):
        policy.reset(Instruction(text="touch it"), 7)
        for seed in (first, then):
            seen = look(seed)
            policy.decide(seen)
            shown = inner.shown[-1]
            assert (shown.picture("front").rgb == first).all()
            assert shown.picture("front").stamp_s == seen.picture("front").stamp_s
            assert shown.joints.position_rad is seen.joints.position_rad


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The options of every policy that was built."""
    options: list[dict[str, object]] = []

    def make_policy(name: str, given: Any) -> Listener:
        options.append(dict(given))
        return Listener()

    monkeypatch.setattr(controls, "make_policy", make_policy)
    return options


def test_each_policy_is_built_once_and_only_when_it_is_needed(built: list[dict[str, object]]) -> None:
    policies = Policies("fake", {"size": 3})
    assert built == []
    plain = policies.plain
    for split in (*SPLITS, "swapped"):
        assert policies.of(split, look(1)) is plain
    assert isinstance(policies.of("no_language", look(1)), NoLanguage)
    assert isinstance(policies.of("other_image", look(1)), OtherImage)
    assert isinstance(policies.of("first_image"), FirstImage)
    assert built == [{"size": 3}]
    blind = policies.of("no_vision", look(1))
    assert blind is policies.of("no_vision", look(1)) is not plain
    assert built == [{"size": 3}, {"size": 3, "no_vision": True}]


def test_splits_and_controls_are_checked_by_name() -> None:
    check_splits("palme", (*SPLITS, *CONTROLS))
    check_splits("random", (*SPLITS, "no_language", "swapped", "other_image"))
    with pytest.raises(UnknownNameError, match="Did you mean 'no_vision'"):
        check_splits("palme", ["seen", "no_visions"])
    with pytest.raises(ConfigError, match=r"no_vision.*'random'.*valid for it: .*other_image"):
        check_splits("random", ["seen", "no_vision"])
