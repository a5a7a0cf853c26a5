# SPDX-License-Identifier: Apache-2.0
"""Message and service types by name, and their values as YAML."""

import array
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

from embodied.errors import EmbodiedError, UnknownNameError
from nodes.ros2.packages import prefixes

TRUNCATE_AT = 128
"""Longer arrays and texts are cut, as the real `ros2 topic echo` does."""


def get_interface(name: str, kind: str) -> type[Any]:
    """The class of "std_msgs/msg/String", or of its short form "std_msgs/String".

    Raises UnknownNameError that lists the packages, or the types of the package.
    """
    parts = name.split("/")
    if len(parts) == 2:
        parts.insert(1, kind)
    if len(parts) != 3 or parts[1] != kind or not all(part.isidentifier() for part in parts):
        example = {"msg": "std_msgs/msg/String", "srv": "std_srvs/srv/Trigger"}[kind]
        raise EmbodiedError(f"{name!r} is not a type; a type reads like {example!r}")
    package = parts[0]
    try:
        module = importlib.import_module(f"{package}.{kind}")
    except ModuleNotFoundError:
        index = "share/ament_index/resource_index/rosidl_interfaces"
        files = [path for prefix in prefixes() for path in (prefix / index).glob("*")]
        valid = {path.name for path in files if f"{kind}/" in path.read_text(encoding="utf-8")}
        raise UnknownNameError(f"package of {kind} types", package, valid) from None
    cls = getattr(module, parts[2], None)
    if cls is None:
        valid = {key for key, value in vars(module).items() if isinstance(value, type) and "_" not in key}
        raise UnknownNameError(f"{kind} type of {package}", parts[2], valid)
    return cls


def fill(message: Any, text: str) -> Any:
    """Fill a message with values in YAML; returns it. Raises EmbodiedError that names the field at fault."""
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EmbodiedError(f"the values are not YAML: {error}") from error
    if not isinstance(values, dict):
        raise EmbodiedError("The passed value needs to be a dictionary in YAML format")
    _fill(message, values)
    return message


def _fill(message: Any, values: Mapping[str, Any]) -> None:
    types = message.get_fields_and_field_types()
    message._check_fields = True  # off by default in rclpy, and then a wrong type is found while publishing
    for name, value in values.items():
        if name not in types:
            raise UnknownNameError(f"field of {type(message).__name__}", str(name), types)
        try:
            setattr(message, name, _convert(getattr(message, name), types[name], value))
        except (AssertionError, TypeError, ValueError, OverflowError) as error:
            raise EmbodiedError(
                f"Failed to populate field: {name!r} is of type {types[name]}, got {value!r}: {error}"
            ) from error


def _convert(present: Any, type_name: str, value: Any) -> Any:
    if hasattr(present, "get_fields_and_field_types"):
        _fill(present, value or {})
        return present
    if isinstance(present, list) and "/" in type_name:
        package, _, name = type_name.removeprefix("sequence<").split(",")[0].split("[")[0].rstrip(">").partition("/")
        cls = get_interface(f"{package}/msg/{name}", "msg")
        items = [cls() for _ in value]
        for item, values in zip(items, value, strict=True):
            _fill(item, values)
        return items
    if isinstance(present, float):
        return float(value)
    if isinstance(present, bytes):
        return bytes([value]) if isinstance(value, int) else bytes(value)
    # The message's own setters make arrays of lists, and check them.
    return [float(each) for each in value] if "double" in type_name or "float" in type_name else value


def to_yaml(message: Any, *, full: bool = False) -> str:
    """A message as `ros2 topic echo` prints it."""
    plain = to_plain(message, limit=None if full else TRUNCATE_AT)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=float("inf"))


def to_plain(value: Any, *, limit: int | None = None) -> Any:
    """A message as dictionaries, lists, numbers and texts; longer ones are cut at `limit`."""
    if hasattr(value, "get_fields_and_field_types"):
        return {name: to_plain(getattr(value, name), limit=limit) for name in value.get_fields_and_field_types()}
    if isinstance(value, str):
        return value if limit is None or len(value) <= limit else value[:limit] + "..."
    if isinstance(value, (bytes, bytearray)):
        value = list(value)
    if isinstance(value, (array.array, np.ndarray, list, tuple)):
        shown = value if limit is None else value[:limit]
        items = [to_plain(item, limit=limit) for item in shown]
        return items if len(shown) == len(value) else [*items, "..."]
    return value.item() if isinstance(value, np.generic) else value
