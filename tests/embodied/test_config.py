# SPDX-License-Identifier: Apache-2.0
"""Options: what may be written, and what a mistake is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embodied.config import REQUIRED, ConfigError, option, parse
from embodied.errors import UnknownNameError


@dataclass
class Options:
    """Bake a cake."""

    flavour: str = option(REQUIRED, "what it tastes of")
    layers: int = option(3, "how many layers")
    height_m: float = option(0.2, "how tall")
    iced: bool = option(False, "whether it is iced")
    guests: list[str] = option(["ada", "bo"], "who eats it")
    oven: str | None = option(None, "which oven")
    extra: dict[str, Any] = option({}, "more, as extra.name=value")


def read(*arguments: str) -> Options:
    return parse(Options, arguments, command="embodied bake", example="embodied bake flavour=plum")


def test_values_are_read_with_their_types() -> None:
    options = read("flavour=rose: 5", "layers=1_000", "height_m=1", "iced=true", "guests=cy, di", "extra.nuts=2")
    assert options.flavour == "rose: 5"
    assert options.layers == 1000
    assert options.height_m == 1.0 and isinstance(options.height_m, float)
    assert options.iced is True
    assert options.guests == ["cy", "di"]
    assert options.extra == {"nuts": 2}


def test_defaults_are_not_shared_between_two_readings() -> None:
    read("flavour=a").guests.append("eve")
    assert read("flavour=a").guests == ["ada", "bo"]


def test_a_mistyped_key_is_answered_with_the_nearest_and_with_all() -> None:
    with pytest.raises(UnknownNameError) as caught:
        read("flavor=plum")
    message = str(caught.value)
    assert "Did you mean 'flavour'?" in message
    assert "layers" in message and "guests" in message


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("layers=three", "a whole number"),
        ("layers=1.5", "a whole number"),
        ("layers=", "a whole number"),
        ("height_m=tall", "a number"),
        ("iced=perhaps", "true or false"),
        ("extra=5", "key.name=value"),
        ("layers.deep=1", "a whole number"),
    ],
)
def test_a_wrong_type_says_what_the_key_takes(argument: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read("flavour=plum", argument)
    assert words in str(caught.value)
    assert argument.partition("=")[0].partition(".")[0] in str(caught.value)


def test_a_missing_key_is_named_with_an_example() -> None:
    with pytest.raises(ConfigError, match=r"flavour=.*For example: embodied bake flavour=plum"):
        read("layers=2")


def test_words_that_are_no_assignment_are_refused() -> None:
    with pytest.raises(ConfigError, match="key=value"):
        read("--layers", "3")


def test_a_file_fills_in_and_later_arguments_win(tmp_path: Path) -> None:
    file = tmp_path / "cake.yaml"
    file.write_text("flavour: lime\nlayers: 5\nguests: [x, y]\nextra:\n  nuts: 3\n")
    options = read("layers=4", "--config", str(file), "guests=z")
    assert (options.flavour, options.layers, options.guests) == ("lime", 5, ["z"])
    assert options.extra == {"nuts": 3}
    assert read(f"--config={file}").layers == 5


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    typo = tmp_path / "typo.yaml"
    typo.write_text("flavour: lime\nlayer: 5\n")
    with pytest.raises(UnknownNameError, match="'layers'"):
        read("--config", str(typo))
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("flavour: lime\nlayers: many\n")
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        read("--config", str(wrong))
    listed = tmp_path / "listed.yaml"
    listed.write_text("- 1\n- 2\n")
    with pytest.raises(ConfigError, match="key: value"):
        read("--config", str(listed))
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [1,\n")
    with pytest.raises(ConfigError, match="not a YAML file"):
        read("--config", str(broken))
    with pytest.raises(ConfigError, match="no such config file"):
        read("--config", str(tmp_path / "absent.yaml"))


def test_help_lists_every_key_with_its_default_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for words in (
        "Bake a cake.",
        "flavour=(required)",
        "layers=3",
        "guests=ada,bo",
        "iced=false",
        "which oven",
    ):
        assert words in text
