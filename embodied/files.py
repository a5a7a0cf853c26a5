# SPDX-License-Identifier: Apache-2.0
"""Files that are written whole or not at all; and text and YAML that are read, or refused in a line."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from embodied.errors import EmbodiedError, shown

MOST_YAML_BYTES = 2**20
"""Of a file that people write."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever a disk refuses, being full or not ours, is an EmbodiedError in one line that names `path`."""
    try:
        yield
    except OSError as error:
        raise EmbodiedError(f"cannot write {path}: {error.strerror or shown(str(error))}") from None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path to write to, beside `path`, that takes its place when all went well. Raises EmbodiedError."""
    part = path.with_name(path.name + ".part")
    with writing(path):
        _make(path.parent)
        try:
            yield part
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Raises EmbodiedError in a line where no file can be written to `path`; makes its folder.

    To be asked before the work whose fruit goes there.
    """
    if path.is_dir():
        raise EmbodiedError(f"cannot write {path}: a folder has that name")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Make a folder. Raises EmbodiedError in a line where that cannot be, or nothing can be written in it."""
    with writing(folder):
        _make(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(None, f"{folder} is a file and no folder") from None


def read_text(path: Path, what: str, *, most_bytes: int) -> str:
    """The text of a file. Raises EmbodiedError in a line where there is no `what` in it, in UTF-8."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise ValueError("it is no file")
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
        if len(data) > most_bytes:
            raise ValueError(f"it is larger than {most_bytes} bytes")
        return data.decode("utf-8")
    except (OSError, ValueError) as error:
        raise EmbodiedError(f"no {what} in {path}: {error}") from None


def read_yaml(path: Path, what: str) -> Any:
    """What a YAML file holds. Raises EmbodiedError in a line where there is no `what` in it."""
    text = read_text(path, what, most_bytes=MOST_YAML_BYTES)
    try:
        return parse_yaml(text)
    except ValueError as error:
        raise EmbodiedError(f"no {what} in {path}: {error}") from None


def parse_json(text: str) -> Any:
    """Plain data from JSON. Raises ValueError in a line for what is none, for keys named twice and numbers like NaN."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("too many lists within lists") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"the key {_twice(key for key, _ in pairs)} is there twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _twice(keys: Iterable[str]) -> str:
    """The first of the keys that is there twice, in quotes; empty where none is."""
    return next((shown(key) for key, count in Counter(keys).items() if count > 1), "")


def parse_yaml(text: str) -> Any:
    """Plain data from YAML. Raises ValueError in a line for what is none, and for aliases and keys named twice."""
    try:
        return yaml.load(text, SafeLoader)
    except RecursionError:
        raise ValueError("too many lists within lists") from None
    except (ValueError, OverflowError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ValueError(str(error).splitlines()[0]) from None


class SafeLoader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML without what makes a small file large (aliases), and without what readers take in different ways."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"*{self.peek_event().anchor} is an alias; write out what it stands for")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        if twice := _twice(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            raise yaml.YAMLError(f"the key {twice} is there twice")
        return super().construct_mapping(node, deep)


# YAML 1.2 and everybody who writes 1e-3 mean a number. Dates stay the words that they were written in.
SafeLoader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
SafeLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def write_text(path: Path, text: str) -> None:
    """Write `text` in UTF-8, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object, whole or not at all. Raises ValueError for numbers that JSON does not have."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")
