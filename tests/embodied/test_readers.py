# SPDX-License-Identifier: Apache-2.0
"""Every reader of YAML answers what is none, what is too much and what is of another type in one line, at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from embodied.arm import ROBOTS, load_arm
from embodied.config import ConfigError, option, parse
from embodied.errors import EmbodiedError
from embodied.files import MOST_YAML_BYTES, parse_yaml
from embodied.foreign import read_words
from embodied.model.composition import COMPOSITION, read_composition


@dataclass
class Options:
    """Options of the test."""

    policy: str = option("palme", "a policy")
    layers: int = option(3, "a number")
    rate: float = option(1.0, "a number")
    task: list[str] = option([], "words")
    options: dict[str, Any] = option({}, "more")


def read_options(path: Path) -> Options:
    return parse(Options, ["--config", str(path)], command="embodied test")


def read_arm(path: Path) -> object:
    return load_arm(path, urdf="package:embodied/robots/panda.urdf")


READERS: dict[str, tuple[Callable[[Path], object], dict[str, Any]]] = {
    "options": (read_options, {"policy": "oracle", "layers": 2, "rate": 0.5, "task": ["a"], "options": {"a": 1e-3}}),
    "arm": (read_arm, yaml.safe_load((ROBOTS / "panda.yaml").read_text())),
    "words": (read_words, {"words": ["push it"], "camera": "front", "success": "won", "state": ["observation"]}),
    "composition": (read_composition, yaml.safe_load(COMPOSITION.read_text())),
}
BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(24)
)
TEXTS = {
    "bomb": BOMB,
    "circle": "a: &a [*a]",
    "twice": "words: [a]\nwords: [b]\nlayers: 1\nlayers: 2\ntip: a\ntip: b\nsenses: {}\nsenses: {}",
    "deep": "a: " + "[" * 5_000,
    "deep and whole": "a: " + "[" * 5_000 + "]" * 5_000,
    "large": "a: " + "x" * MOST_YAML_BYTES,
    "object": "a: !!python/object/apply:os.system ['true']",
    "binary": "\x00\x01",
    "nothing": "",
    "list": "- a",
    "digits": "layers: " + "9" * 5000,
    "key": "? [a, b]\n: c",
    "control": "\x1b[31m: c",
    "long key": "k" * 5000 + ": c",
}
WRONG: list[Any] = [
    *(
        "${oc.env:HOME}",
        "${a}",
        "${policy}",
        None,
        3,
        -(10**400),
        1e308,
        float("nan"),
        True,
        [],
        {},
        [[]],
        [{}],
        [None],
    ),
    *({"a": "${oc.env:HOME}"}, ["${a}"], "\x1b[31m", "x" * 5000, "os:system", ["os:system"], {"a": "os:system"}),
]


def line_of(read: Callable[[Path], object], path: Path) -> str:
    """The line in which a file is refused; empty where it is read."""
    began, line = time.perf_counter(), ""
    try:
        read(path)
    except EmbodiedError as error:
        line = str(error)
    assert line.isprintable() and len(line) < 1500, line
    assert time.perf_counter() - began < 10.0
    return line


@pytest.mark.parametrize("name", READERS)
def test_what_is_sound_is_read(name: str, tmp_path: Path) -> None:
    read, content = READERS[name]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content))
    assert not line_of(read, tmp_path / "a.yaml")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_none_is_refused_in_a_line_that_names_the_file(name: str, text: str, tmp_path: Path) -> None:
    read, _ = READERS[name]
    path = tmp_path / "a.yaml"
    path.write_text(TEXTS[text])
    line = line_of(read, path)
    assert str(path) in line or (name == "options" and text in ("nothing", "control", "long key")), line


@pytest.mark.parametrize("name", READERS)
def test_a_value_of_another_type_is_refused_in_a_line_or_read(name: str, tmp_path: Path) -> None:
    read, content = READERS[name]
    path, refused = tmp_path / "a.yaml", 0
    for at, key in enumerate(content):
        for value in WRONG[at % 3 :: 3]:  # all of them with the keys together
            path.write_text(yaml.safe_dump(content | {key: value}))
            refused += bool(line_of(read, path))
    assert refused > 0.15 * len(content) * len(WRONG)


@pytest.mark.parametrize("name", READERS)
def test_what_never_ends_is_not_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert line_of(READERS[name][0], tmp_path / "pipe.yaml")
    assert line_of(READERS[name][0], Path("/dev/zero"))


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        *(
            (f"{key}=${{oc.env:HOME}}", "is not filled in here")
            for key in ("policy", "task", "options.a", "options.a.b")
        ),
        ("policy=${policy}", "is not filled in here"),
        ("options.a={b: ['${c}']}", "is not filled in here"),
        ("layers=${layers}", "is not filled in here"),
        ("layers=[1,", "layers takes a whole number"),
        ("layers=" + "9" * 5000, "layers takes a whole number"),
        ("layers=" + "[" * 5000, "layers takes a whole number"),
        ("options.a={b: &b [1], c: *b}", "options takes key.name=value"),
        ("options.a=!!python/name:os.system", "options takes key.name=value"),
        ("rate=\x1b[31m", "rate takes a number"),
    ],
    ids=lambda value: value[:30],
)
def test_a_word_on_the_command_line_is_itself_or_refused_in_a_line(argument: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(Options, [argument], command="embodied test")
    assert words in str(caught.value) and str(caught.value).isprintable() and len(str(caught.value)) < 500


def test_a_file_names_no_code_and_a_command_line_may(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for content in ({"policy": "os:system"}, {"options": {"a": ["my_module:Class"]}}):
        path.write_text(yaml.safe_dump(content))
        with pytest.raises(ConfigError, match=r"names code, '[\w:]+'; a file names none: write it on the command line"):
            read_options(path)
    assert parse(Options, ["policy=os:system"], command="embodied test").policy == "os:system"
    path.write_text("policy: two words\noptions: {device: 'cuda:0', at: '12:30'}")
    assert read_options(path).options == {"device": "cuda:0", "at": "12:30"}


def test_numbers_and_days_are_what_they_look_like() -> None:
    assert parse_yaml("[1e-3, 2E5, .5, 1_000, 2020-01-31, yes]") == [1e-3, 2e5, 0.5, 1000, "2020-01-31", True]
