# SPDX-License-Identifier: Apache-2.0
"""What the simulated arm can sense, by name: pictures, depths, contacts, and whatever else is registered.

A policy's `needs` are such names. The arm's joints are always felt and need no name.
"""

from collections.abc import Callable
from dataclasses import dataclass

from embodied.errors import UnknownNameError
from embodied.registry import Registry
from embodied.types import DEPTH, Float, Reading, Vector
from sim import scene
from sim.world import World


@dataclass(frozen=True, kw_only=True)
class Sensor:
    """A sense that gives a few numbers: what they are called, what bounds them, and how they are read."""

    names: tuple[str, ...]  # N, each with its unit at the end
    bound: float  # no number is further than this from zero
    read: Callable[[World], Float]  # gives (N,)


SENSORS: Registry[Sensor] = Registry("sense")
"""Senses that are no cameras. One that is registered is there for environments and for the graph's simulator."""
SENSORS.register(
    "touch",
    Sensor(names=("left_finger_N", "right_finger_N"), bound=200.0, read=lambda world: world.finger_forces_n()),
)
SENSORS.register(
    "force",
    Sensor(names=("force_x_N", "force_y_N", "force_z_N"), bound=200.0, read=lambda world: world.contact_force_n()),
)


def check_sense(name: str) -> None:
    """Raises UnknownNameError that lists what can be sensed unless `name` can."""
    if name not in SENSORS and name.removesuffix(DEPTH) not in scene.CAMERAS:
        cameras = [each + end for each in scene.CAMERAS for end in ("", DEPTH)]
        raise UnknownNameError("sense", name, [*cameras, *SENSORS])


def sense(world: World, name: str, size_px: int) -> Reading:
    """What the sense `name` says now; pictures are squares of `size_px`. Raises UnknownNameError."""
    check_sense(name)
    if name in scene.CAMERAS:
        return world.render(name, size_px)
    if name not in SENSORS:
        return world.depth(name.removesuffix(DEPTH), size_px)
    sensor = SENSORS.get(name)
    return Vector(values=sensor.read(world).clip(-sensor.bound, sensor.bound), names=sensor.names, stamp_s=world.time_s)
