# SPDX-License-Identifier: Apache-2.0
"""Finding a policy by name, and what a wrong name is answered with."""

from __future__ import annotations

import pytest

from embodied.errors import UnknownNameError
from embodied.policy import Policy, make_policy


class Anything:
    """Takes every option."""

    cameras: tuple[str, ...] = ()

    def __init__(self, **options: object) -> None:
        self.options = options


def test_a_registered_name_and_a_path_build_the_same() -> None:
    named, pathed = make_policy("random", {"seed": 3}), make_policy("policies.random:RandomPolicy")
    assert type(named) is type(pathed)
    assert isinstance(named, Policy)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("orakle", {}, r"unknown policy 'orakle'.*'oracle'"),
        ("random", {"sead": 3}, r"unknown option of policy random 'sead'.*'seed'"),
        ("oracle", {"seed": 3}, r"unknown option of policy oracle 'seed'"),
        ("policies.random:RandomPolice", {}, r"unknown class in policies.random.*'RandomPolicy'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_right_ones(
    name: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(UnknownNameError, match=words):
        make_policy(name, options)


def test_a_policy_that_takes_everything_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policies.random.Anything", Anything, raising=False)
    built = make_policy("policies.random:Anything", {"colour": "red"})
    assert isinstance(built, Anything)
    assert built.options == {"colour": "red"}
