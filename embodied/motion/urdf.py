# SPDX-License-Identifier: Apache-2.0
"""URDF files: the tree of links and joints, read once and refused with the reason before anything is built of it."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np

from embodied.errors import EmbodiedError
from embodied.types import Float


def read_urdf(path: Path | str) -> ElementTree.Element:
    """The root of a URDF file. Raises EmbodiedError where there is none."""
    try:
        return ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise EmbodiedError(f"no URDF in {path}: {error}") from None


def pose_of(element: ElementTree.Element) -> Float:
    """(4, 4) what the <origin> of a joint, visual or collision says; the identity where there is none."""
    origin = element.find("origin")
    pose = np.eye(4)
    if origin is not None:
        (sx, sy, sz), (cx, cy, cz) = (turn(numbers(element, origin.get("rpy", "0 0 0"))) for turn in (np.sin, np.cos))
        about_x = np.array([[1.0, 0.0, 0.0], [0.0, cx, -sx], [0.0, sx, cx]])
        about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
        about_z = np.array([[cz, -sz, 0.0], [sz, cz, 0.0], [0.0, 0.0, 1.0]])
        pose[:3, :3] = about_z @ about_y @ about_x
        pose[:3, 3] = numbers(element, origin.get("xyz", "0 0 0"))
    return pose


def axis_of(joint: ElementTree.Element) -> Float:
    """(3,) the axis that a joint turns about or slides along, of length 1."""
    axis = numbers(joint, attribute(joint, "axis", "xyz"))
    if abs(float(np.linalg.norm(axis)) - 1.0) > 1e-3:
        raise EmbodiedError(f"the axis of the URDF joint {joint.get('name')!r} must have length 1, not {axis}")
    return axis


def limits_of(joint: ElementTree.Element) -> Float:
    """(3,) lowest and highest position, and the fastest velocity."""
    limits = numbers(joint, " ".join(attribute(joint, "limit", key) for key in ("lower", "upper", "velocity")))
    if not (limits[0] < limits[1] and limits[2] > 0.0):
        raise EmbodiedError(f"the URDF joint {joint.get('name')!r} has limits that leave it no way: {limits}")
    return limits


def numbers(element: ElementTree.Element, text: str) -> Float:
    """(3,) Raises EmbodiedError for any other text."""
    try:
        found = np.array([float(word) for word in text.split()])
    except ValueError:
        found = np.empty(0)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise EmbodiedError(f"the URDF {element.tag} {element.get('name')!r} holds {text!r} in place of three numbers")
    return found


def attribute(element: ElementTree.Element, tag: str, key: str) -> str:
    """An attribute of the first child called `tag`. Raises EmbodiedError where there is none."""
    child = element.find(tag)
    value = None if child is None else child.get(key)
    if value is None:
        raise EmbodiedError(f"the URDF {element.tag} {element.get('name')!r} lacks <{tag} {key}=...>")
    return value
