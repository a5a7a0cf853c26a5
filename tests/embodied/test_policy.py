# SPDX-License-Identifier: Apache-2.0
"""Finding a policy by name, and what a wrong name or a class without the contract is answered with."""

from __future__ import annotations

import inspect
import sys
import types

import pytest

from embodied.errors import EmbodiedError, UnknownNameError
from embodied.policy import POLICIES, PRIVILEGED, check_options, make_policy, senses_of
from embodied.types import Decision, Instruction, Observation

BY_HAND: tuple[str, ...] = ("palme", "oracle", "random", "colour_blob")


class Whole:
    """Has all that a policy needs, and takes every option."""

    needs: tuple[str, ...] = ("front",)

    def __init__(self, **options: object) -> None:
        self.options = options

    def reset(self, instruction: Instruction, seed: int | None = None) -> None: ...

    def decide(self, observation: Observation) -> Decision:
        raise NotImplementedError


class NoDecide:
    needs = ()

    def reset(self, instruction: Instruction, seed: int | None = None) -> None: ...


class Nothing:
    pass


class NoNeeds(Whole):
    needs = None  # type: ignore[assignment]


class ListedNeeds(Whole):
    needs = ["front"]  # type: ignore[assignment]


class OldReset(Whole):
    def reset(self, instruction: Instruction) -> None: ...  # type: ignore[override]


class NeedsMore(Whole):
    def decide(self, observation: Observation, picture: object) -> Decision:  # type: ignore[override]
        raise NotImplementedError


class NeedsCheckpoint(Whole):
    def __init__(self, checkpoint: str, size: int = 3) -> None:
        super().__init__(checkpoint=checkpoint, size=size)


def builder() -> Whole:
    raise AssertionError("a function out of a file must not be called")


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> None:
    """This file as a module that names can lead to; what they led to is forgotten afterwards."""
    made = types.ModuleType("policies_of_the_test")
    vars(made).update((name, value) for name, value in globals().items() if not name.startswith("__"))
    monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(POLICIES, "_parts", dict(POLICIES._parts))


def mine(name: str) -> str:
    return f"policies_of_the_test:{name}"


def test_a_registered_name_and_a_path_build_the_same() -> None:
    named, pathed = make_policy("random", {"seed": 3}), make_policy("policies.random:RandomPolicy")
    assert type(named) is type(pathed)


@pytest.mark.parametrize("name", BY_HAND)
def test_our_own_policies_keep_the_contract(name: str) -> None:
    """Looked at, and not built: one of them loads a model."""
    found = POLICIES.get(name)
    assert isinstance(found, type)
    assert list(inspect.signature(found.reset).parameters) == ["self", "instruction", "seed"]
    assert list(inspect.signature(found.decide).parameters) == ["self", "observation"]
    assert set(BY_HAND) <= set(POLICIES.names())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("orakle", {}, r"unknown policy 'orakle'.*'oracle'"),
        ("random", {"sead": 3}, r"unknown option of policy random 'sead'.*'seed'"),
        ("oracle", {"seed": 3}, r"unknown option of policy oracle 'seed'"),
        ("policies.random:RandomPolice", {}, r"unknown policy in policies.random.*'RandomPolicy'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(UnknownNameError, match=words):
        make_policy(name, options)


def test_the_simulators_truth_is_a_need_and_no_camera() -> None:
    policy = make_policy(mine("Whole"))
    assert senses_of(policy) == ("front",)
    policy.needs = ("front", PRIVILEGED, "wrist")
    assert senses_of(policy) == ("front", "wrist")
    for name in ("oracle", "random"):
        assert PRIVILEGED in make_policy(name).needs and senses_of(make_policy(name)) == ()
    assert PRIVILEGED not in make_policy("colour_blob").needs


def test_a_policy_that_takes_everything_gets_it() -> None:
    built = make_policy(mine("Whole"), {"colour": "red"})
    assert isinstance(built, Whole)
    assert built.options == {"colour": "red"}
    check_options(mine("Whole"), {"anything": 1})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "Nothing",
            r"Nothing lacks reset\(\) and decide\(\); a policy has needs, reset\(instruction, seed\)",
        ),
        ("NoDecide", r"NoDecide lacks decide\(\)"),
        ("NoNeeds", r"lacks needs: a tuple .* needs = \(\"front\",\)"),
        ("ListedNeeds", "lacks needs: a tuple"),
        ("OldReset", r"reset\(\) must take reset\(instruction, seed\): too many positional arguments"),
        ("NeedsMore", r"decide\(\) must take decide\(observation\): missing .*'picture'"),
        ("NeedsCheckpoint", r"missing a required argument: 'checkpoint'; give it as options\.NAME=VALUE"),
        ("BY_HAND", r"is a tuple and no class; a policy has needs"),
        ("builder", r"is a function and no class; a policy has needs"),
    ],
)
def test_what_lacks_the_contract_is_refused_with_what_it_lacks(name: str, words: str) -> None:
    with pytest.raises(EmbodiedError, match=words) as caught:
        make_policy(mine(name))
    assert not isinstance(caught.value, UnknownNameError)
    assert "\n" not in str(caught.value) and mine(name) in str(caught.value)


class Half:
    needs: tuple[str, ...] = ()

    def reset(self, instruction: Instruction, seed: int | None = None) -> None: ...


def test_a_function_of_an_installed_package_builds_a_policy_or_is_told() -> None:
    POLICIES.register("built", Whole)
    POLICIES.register("half", Half)
    assert isinstance(make_policy("built", {"size": 2}), Whole)
    with pytest.raises(EmbodiedError, match=r"policy 'half' lacks decide\(\)"):
        make_policy("half")


@pytest.mark.parametrize("name", ["os:system", "subprocess:run", "builtins:exec", "os:path", "builtins:dict"])
def test_whatever_a_name_leads_to_nothing_but_a_policy_is_called(name: str) -> None:
    with pytest.raises(EmbodiedError, match="a policy has needs"):
        make_policy(name, {"command": "echo called"})
