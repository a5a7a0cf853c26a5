# SPDX-License-Identifier: Apache-2.0
"""Options of a command: a dataclass is the schema, `key=value` and YAML files fill it.

OmegaConf does the typed merging and is imported only when there is something to merge, so that `--help` stays quick.
"""

import dataclasses
import math
import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from embodied.errors import EmbodiedError, check_name, shown
from embodied.files import parse_yaml, read_yaml

REQUIRED: Any = "???"
"""Default of an option that the user must give; OmegaConf's own mark for a missing value."""

C = TypeVar("C")

_CODE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w./-]*")
"""module:name. Importing it runs the module, and files come from anywhere."""
_TYPE_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


class ConfigError(EmbodiedError):
    """An option that was written wrongly or is missing; the message says what is valid."""


def option(default: Any, meaning: str) -> Any:
    """A dataclass field with a default and the sentence that `--help` prints. Lists are copied."""
    metadata = {"help": meaning}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=lambda: type(default)(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def parse(schema: type[C], arguments: Sequence[str], *, command: str, example: str = "") -> C:
    """Fill `schema` from `--config file.yaml` and `key=value` arguments; later ones win.

    `--help` prints the keys and raises SystemExit(0). Raises ConfigError or UnknownNameError.
    """
    if any(argument in ("-h", "--help") for argument in arguments):
        print(describe(schema, command=command, example=example))
        raise SystemExit(0)
    from omegaconf import OmegaConf
    from omegaconf.errors import MissingMandatoryValue

    config = OmegaConf.structured(schema)
    for source, key, value in _assignments(arguments):
        config = _assign(config, schema, source, key, value)
    try:
        return typing.cast(C, OmegaConf.to_object(config))
    except MissingMandatoryValue:
        missing = [f"{name}=..." for name in sorted(OmegaConf.missing_keys(config))]
        hint = f" For example: {example}" if example else ""
        raise ConfigError(f"{command} needs {' and '.join(missing)}.{hint}") from None


def describe(schema: type, *, command: str, example: str = "") -> str:
    """The help text: every key with its default and its meaning."""
    rows = [(f"{field.name}={_shown_default(field)}", field.metadata["help"]) for field in dataclasses.fields(schema)]
    width = min(max(len(assignment) for assignment, _ in rows), 34)
    lines = [f"{command}: {(schema.__doc__ or '').strip().splitlines()[0]}", ""]
    lines += [f"usage: {command} [--config FILE.yaml] [key=value ...]", "", "keys, with their defaults:"]
    lines += [f"  {assignment:<{width}}  {meaning}" for assignment, meaning in rows]
    return "\n".join([*lines, "", f"example: {example}"] if example else lines)


def _assignments(arguments: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """(where it was written, key, value) for everything that the arguments set, in their order."""
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument == "--config" or argument.startswith("--config="):
            path = argument.partition("=")[2] or (queue.pop(0) if queue else "")
            yield from ((path, key, value) for key, value in _read_yaml(path).items())
        elif re.match(r"^[A-Za-z_][\w.]*=", argument):
            key, _, value = argument.partition("=")
            yield "", key, value
        else:
            raise ConfigError(f"cannot read {argument!r}: write options as key=value (see --help)")


def _read_yaml(path: str) -> dict[str, Any]:
    if not path or not Path(path).is_file():
        raise ConfigError(f"no such config file: {path!r}")
    try:
        content = read_yaml(Path(path), "options")
    except EmbodiedError as error:
        raise ConfigError(f"{error}; it is not a YAML file of options") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold `key: value` lines")
    for key, value in content.items():
        for text in filter(_CODE.fullmatch, _texts(value)):
            what = f"{key} in {path} names code, {text!r}; a file names none"
            raise ConfigError(f"{what}: write it on the command line, as {key}={text}, where you trust it")
    return {str(key): value for key, value in content.items()}


def _assign(config: Any, schema: type, source: str, key: str, value: Any) -> Any:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    name, *rest = key.split(".")
    hints = typing.get_type_hints(schema)
    check_name("key", name, hints)
    wanted = hints[name]
    where = f"{key}={_as_typed(value)}" + (f" in {source}" if source else "")
    try:
        if isinstance(value, str) and (rest or wanted is not str):
            value = _read_value(wanted, value)
        if any("${" in text for text in _texts(value)):
            raise ConfigError(f"{where}: ${{...}} is not filled in here; write what it stands for")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(value)
        for part in reversed(rest):
            value = {part: value}
        return OmegaConf.merge(config, OmegaConf.create({name: value}))
    except (OmegaConfBaseException, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError):
        raise ConfigError(f"{where}: {name} takes {_type_words(wanted)}") from None


def _read_value(wanted: Any, value: str) -> Any:
    """Text that is no option of text: lists are split at commas, the rest is read as YAML."""
    if typing.get_origin(wanted) is list:
        return [part.strip() for part in value.split(",") if part.strip()]
    return parse_yaml(value)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for each in pair for text in _texts(each))
    elif isinstance(value, list):
        yield from (text for each in value for text in _texts(each))


def _as_typed(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 120 else shown(value)


def _type_words(wanted: Any) -> str:
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is list:
        return "words with commas between them" if inner == (str,) else "numbers with commas between them"
    if origin is dict:
        return "key.name=value pairs"
    words = [_TYPE_WORDS.get(kind, str(kind)) for kind in inner if kind is not type(None)] if inner else []
    return " or ".join(words) or _TYPE_WORDS.get(wanted, str(wanted))


def check_json_name(out: str) -> None:
    """Raises ConfigError unless `out=` names a JSON file; what else a command writes goes beside it."""
    if Path(out).suffix != ".json":
        raise ConfigError(f"out={out}: the name must end in .json")


def _shown_default(field: dataclasses.Field[Any]) -> str:
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if default is None or default == {} or default == []:
        return ""
    if isinstance(default, list):
        return ",".join(str(item) for item in default)
    if isinstance(default, bool):
        return str(default).lower()
    return "(required)" if default == REQUIRED else str(default)
