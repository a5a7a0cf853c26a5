# SPDX-License-Identifier: Apache-2.0
"""Everything that changes a picture and not the problem, told in words: `table:wood,light:dim,camera:20deg,noise`.

    table:NAME      one of COLOURS or TEXTURES (`sim.textures`)
    light:NAME      dim, bright, or from the side
    camera:20deg    turned about the vertical through the table's middle, to a side; up to 45
    camera:10cm     moved, in a direction, and aimed at what it looked at before; up to 20
    clutter:6       small things that no task names, up to 12; without a number 3 to 8
    noise, blur     of the sensor and of the lens
    tint            warm or cold
    random          all of it at random, as in training; what is said beside it holds

What the words leave open is drawn from the seed; later ones win. Cameras on the hand stay where they are.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from embodied.errors import EmbodiedError, check_name
from embodied.geometry import rotation_matrix, turn_about, upright
from embodied.things import Triple
from embodied.types import Float
from sim import scene
from sim.clutter import MOST, Oddment, scattered
from sim.scene import Light
from sim.textures import COLOURS, TEXTURES, Texture, any_texture, plain

MIDDLE_M: Float = np.array([0.5, 0.0, 0.0])
"""Of the part of the table where things stand."""
FLOOR_RGB = (0.36, 0.35, 0.37)
LIGHTS: Mapping[str, Light] = {
    "dim": Light(ambient=0.28, diffuse=0.24),
    "bright": Light(ambient=0.82, diffuse=0.60),
    "side": Light(direction=(0.3, 1.6, 0.5), ambient=0.34, diffuse=0.75),
}
LARGEST = {"deg": 45.0, "cm": 20.0}
"""Of what a camera is turned and moved by: with more, things are out of the picture."""
NOISE, BLUR_PX = 12.0, 1.6
WARM, COLD = (1.18, 1.00, 0.76), (0.80, 0.97, 1.20)

VARIED_SHARE = 0.75
"""Of the scenes of `random` vary each of table, light, camera and so on; the others keep it as it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Appearance:
    """How a scene looks. As it stands here, it is how it looks where nothing is said."""

    table: Texture = field(default_factory=lambda: plain(scene.TABLE_RGB))  # (H, W, 3) over all of it, or (1, 1, 3)
    floor_rgb: Triple | None = None  # beside the table; None: the table has no end
    light: Light = scene.LIGHT
    turn_rad: float = 0.0  # of cameras that stand, about the vertical through MIDDLE_M
    move_m: Triple = (0.0, 0.0, 0.0)
    roll_rad: float = 0.0  # about their own axis
    clutter: tuple[Oddment, ...] = ()
    gain: Triple = (1.0, 1.0, 1.0)  # of red, green and blue: white balance and exposure
    blur_px: float = 0.0  # standard deviation, in a picture of 224 pixels
    noise: float = 0.0  # standard deviation, of 255
    seed: int = 0  # of the noise

    def pose_of(self, mount: Float) -> Float:
        """Where a camera that was mounted at the pose (4, 4) in the world stands; it looks at the same place."""
        if not any((self.turn_rad, self.roll_rad, *self.move_m)):
            return mount
        turn = rotation_matrix(upright(self.turn_rad))
        eye, axes = MIDDLE_M + turn @ (mount[:3, 3] - MIDDLE_M), turn @ mount[:3, :3]
        aim = eye + np.linalg.norm(eye - MIDDLE_M) * axes[:, 2]
        pose = np.eye(4)
        pose[:3, 3] = eye + self.move_m
        roll = rotation_matrix(turn_about(np.array([0.0, 0.0, 1.0]), self.roll_rad))
        pose[:3, :3] = _turned_to(axes[:, 2], aim - pose[:3, 3]) @ axes @ roll
        return pose


USUAL = Appearance()


def parse_appearance(text: str, seed: int) -> Appearance:
    """The appearance that `text` asks for in the scene of `seed`; equal ones give equal appearances.

    Raises EmbodiedError that says what is valid.
    """
    made = replace(USUAL, seed=seed)
    parts = [part.strip().partition(":") for part in text.split(",") if part.strip()]
    for name, _, value in parts:
        check_name("appearance", name, _SETTINGS)
        if value and name in _ALONE:
            raise EmbodiedError(f"appearance {name}:{value}: write {name} alone")
    # In one order however they are written: clutter lies where the camera sees it. Each draws from a stream of
    # its own, so that a table is the same in any light.
    for name, _, value in sorted(parts, key=lambda part: [*_SETTINGS].index(part[0])):
        made = _SETTINGS[name](made, value, np.random.default_rng([seed, *name.encode()]))
    return made


def _turned_to(axis: Float, way: Float) -> Float:
    """The least rotation (3, 3) that turns the unit vector `axis` into the direction `way`."""
    normal = np.cross(axis, way)
    size = float(np.linalg.norm(normal))
    return rotation_matrix(turn_about(normal / size, float(np.arctan2(size, axis @ way)))) if size > 1e-9 else np.eye(3)


def _table(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    check_name("table", value, (*COLOURS, *TEXTURES))
    table = TEXTURES[value](rng) if value in TEXTURES else plain(COLOURS[value])
    return replace(made, table=table, floor_rgb=FLOOR_RGB)


def _light(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    check_name("light", value, LIGHTS)
    light = LIGHTS[value]
    x, y, z = light.direction
    return replace(made, light=replace(light, direction=(x, float(rng.choice((-y, y))), z)))


def _camera(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    read = re.fullmatch(r"(\d+(?:\.\d*)?)(deg|cm)", value)
    if read is None or not 0.0 < float(read[1]) <= LARGEST[read[2]]:
        raise EmbodiedError(
            f"appearance camera:{value}: write camera:20deg for a turn, of at most {LARGEST['deg']:g}deg, and "
            f"camera:10cm for a move, of at most {LARGEST['cm']:g}cm"
        )
    if read[2] == "deg":
        return replace(made, turn_rad=float(rng.choice((-1.0, 1.0)) * np.radians(float(read[1]))))
    return replace(made, move_m=_way(0.01 * float(read[1]), rng))


def _clutter(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    if value and not (value.isdecimal() and 1 <= int(value) <= MOST):
        raise EmbodiedError(f"appearance clutter:{value}: write clutter, or clutter:6 for 1 to {MOST} of them")
    count = int(value) if value else int(rng.integers(3, 9))
    return replace(made, clutter=scattered(count, rng, made.pose_of(scene.CAMERAS["front"].mount)))


def _noise(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    return replace(made, noise=NOISE)


def _blur(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    return replace(made, blur_px=BLUR_PX)


def _tint(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    return replace(made, gain=(WARM, COLD)[rng.integers(2)])


def _way(length_m: float, rng: np.random.Generator) -> Triple:
    """So far, in any direction."""
    x, y, z = rng.normal(size=3)
    share = length_m / float(np.linalg.norm((x, y, z)))
    return share * x, share * y, share * z


def _random(made: Appearance, value: str, rng: np.random.Generator) -> Appearance:
    """As in training. The camera comes before the clutter that it sees."""
    grey = rng.random()
    drawn: list[Callable[[], Appearance]] = [
        lambda: replace(made, table=any_texture(rng), floor_rgb=(grey, grey, grey)),
        lambda: replace(made, light=_any_light(rng)),
        lambda: replace(made, turn_rad=float(np.radians(rng.uniform(-20.0, 20.0)))),
        lambda: replace(made, move_m=_way(rng.uniform(0.0, 0.1), rng)),
        lambda: replace(made, roll_rad=float(np.radians(rng.uniform(-3.0, 3.0)))),
        lambda: _clutter(made, "", rng),
        lambda: replace(made, gain=_any_gain(rng)),
        lambda: replace(made, blur_px=rng.uniform(0.0, BLUR_PX)),
        lambda: replace(made, noise=rng.uniform(0.0, NOISE)),
    ]
    for draw in drawn:
        if rng.random() < VARIED_SHARE:
            made = draw()
    return made


def _any_light(rng: np.random.Generator) -> Light:
    """From anywhere above, from dim to bright."""
    turn, height = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 1.0)
    away = float(np.sqrt(1.0 - height**2))
    total, share = rng.uniform(0.45, 1.35), rng.uniform(0.35, 0.75)
    direction = (away * float(np.cos(turn)), away * float(np.sin(turn)), height)
    return Light(direction=direction, ambient=total * share, diffuse=total * (1.0 - share))


def _any_gain(rng: np.random.Generator) -> Triple:
    red, green, blue = rng.uniform(0.85, 1.15) * rng.uniform(0.85, 1.15, 3)
    return red, green, blue


_SETTINGS: Mapping[str, Callable[[Appearance, str, np.random.Generator], Appearance]] = {
    "random": _random,
    "table": _table,
    "light": _light,
    "camera": _camera,
    "clutter": _clutter,
    "noise": _noise,
    "blur": _blur,
    "tint": _tint,
}
"""In the order in which they are applied."""
_ALONE = ("random", "noise", "blur", "tint")
