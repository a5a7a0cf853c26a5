# SPDX-License-Identifier: Apache-2.0
"""Controls of an evaluation: policies that wrap a policy and spoil one of its inputs.

Each shows what the policy relies on, in an ordinary `seen` episode:

- `no_language`: the words are replaced by words without content;
- `swapped`: the environment gives another command for the same scene; success is doing what it says;
- `no_vision`: the picture's tokens are zeroed inside of the model (an option of policies that have one);
- `other_image`: the picture is that of another scene;
- `first_image`: the picture stays that of the beginning, so that all steps are planned from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from embodied.config import ConfigError
from embodied.environments import SPLITS
from embodied.errors import UnknownNameError, check_name
from embodied.policy import Policy, check_options, make_policy
from embodied.types import Decision, Instruction, Joints, Observation

CONTROLS = ("no_language", "swapped", "no_vision", "other_image", "first_image")
WORDS_WITHOUT_CONTENT = "do it"
OTHER_SCENE_OFFSET = 500_000
"""The other scene of `other_image` is that of the episode's seed plus this."""


class NoLanguage:
    """A policy that is told words without content, whatever was said."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self.needs = policy, policy.needs

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Start a new command."""
        self._policy.reset(replace(instruction, text=WORDS_WITHOUT_CONTENT, earlier=""), seed)

    def decide(self, observation: Observation) -> Decision:
        """What the policy decides without the words."""
        return self._policy.decide(observation)


class OtherImage:
    """A policy that sees and touches another scene, that of the observation `other`; it feels its own joints."""

    def __init__(self, policy: Policy, other: Observation) -> None:
        self._policy, self.needs, self._other = policy, policy.needs, other

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Start a new command."""
        self._policy.reset(instruction, seed)

    def decide(self, observation: Observation) -> Decision:
        """What the policy decides on the other scene."""
        return self._policy.decide(_with_senses_of(self._other, observation))


class FirstImage:
    """A policy that sees and touches what was there when the words came, whatever it has done since; it feels its own
    joints."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self.needs = policy, policy.needs
        self._first: Observation | None = None

    def reset(self, instruction: Instruction, seed: int | None = None) -> None:
        """Start a new command."""
        self._first = None
        self._policy.reset(instruction, seed)

    def decide(self, observation: Observation) -> Decision:
        """What the policy decides on the scene as it was."""
        self._first = self._first or observation
        return self._policy.decide(_with_senses_of(self._first, observation))


def _with_senses_of(other: Observation, observation: Observation) -> Observation:
    """An observation that shows what `other` does, and has its own joints and times."""
    readings = dict(observation.readings)
    for name, reading in other.readings.items():
        if name in readings and not isinstance(reading, Joints):
            readings[name] = replace(reading, stamp_s=readings[name].stamp_s)
    return replace(observation, readings=readings)


def check_splits(policy: str, splits: Sequence[str]) -> None:
    """Raises UnknownNameError for a split that does not exist, ConfigError where `policy` cannot run it."""
    valid = (*SPLITS, *CONTROLS)
    for split in splits:
        check_name("split", split, valid)
    if "no_vision" in splits:
        try:
            check_options(policy, {"no_vision": True})
        except UnknownNameError:
            others = ", ".join(split for split in valid if split != "no_vision")
            what = f"split=no_vision acts inside of a model, and policy {policy!r} has no option no_vision"
            raise ConfigError(f"{what}; valid for it: {others}") from None


class Policies:
    """The policy of each split: built once, wrapped as the split asks."""

    def __init__(self, name: str, options: Mapping[str, object]) -> None:
        self._name, self._options = name, dict(options)

    @cached_property
    def plain(self) -> Policy:
        """The policy as it is."""
        return make_policy(self._name, self._options)

    @cached_property
    def blind(self) -> Policy:
        """The policy without its picture's tokens."""
        return make_policy(self._name, self._options | {"no_vision": True})

    def of(self, split: str, other: Observation | None = None) -> Policy:
        """The policy of `split`; `other` is an observation of another scene, which `other_image` needs."""
        if split == "no_vision":
            return self.blind
        if split == "no_language":
            return NoLanguage(self.plain)
        if split == "other_image":
            assert other is not None, "the pictures of another scene are shown"
            return OtherImage(self.plain, other)
        if split == "first_image":
            return FirstImage(self.plain)
        return self.plain
