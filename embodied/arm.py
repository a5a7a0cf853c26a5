# SPDX-License-Identifier: Apache-2.0
"""What an arm is (its model, from a URDF and a YAML file), and the contract of everything that moves one."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from embodied.errors import EmbodiedError, check_name, shown
from embodied.files import read_yaml
from embodied.motion.clearance import Box, Clearance
from embodied.motion.kinematics import Chain
from embodied.motion.path import TimedPath
from embodied.motion.shapes import read_solids
from embodied.motion.urdf import read_urdf
from embodied.registry import Registry
from embodied.types import DEPTH, JOINTS, Float, Joints, Motion, Observation, StreamedMotion

ROBOTS = Path(__file__).parent / "robots"
DEFAULT_ARM = "panda"


@dataclass(frozen=True, kw_only=True, eq=False)
class ArmModel:
    """One arm with its two-finger gripper; N joints. Its base frame is the world's.

    The frame of the tool centre point has z along the fingers, which open along y; at the yaw 0 of a hand
    that points down its x is the world's.
    """

    name: str
    urdf: Path
    chain: Chain  # from the base to the tool centre point
    tip: str  # link of the tool centre point
    hand: str  # link that a wrist camera is mounted on
    home_rad: Float  # (N,) where skills end, out of the cameras' way
    max_acceleration_rad_s2: Float  # (N,)
    max_jerk_rad_s3: Float  # (N,)
    gripper_joints: tuple[str, str]  # prismatic; each moves by half of the width
    gripper_width_m: float  # widest distance between the fingers
    held_width_m: tuple[float, float]  # fingers that far apart hold something
    reach_lower_m: Float  # (3,) where actions and skills may bring the tool centre point
    reach_upper_m: Float
    workspace_lower_m: Float  # (3,) where the gate lets it pass
    workspace_upper_m: Float
    cameras: tuple[str, ...]
    senses: tuple[str, ...] = ()  # other than joints, cameras and their depths, such as touch
    keep_out: Mapping[str, Box] = field(default_factory=dict)  # boxes by name that no link may enter
    table_m: float | None = 0.0  # height of the table, which nothing that moves may touch; None: there is none

    @property
    def readings(self) -> tuple[str, ...]:
        """Names of everything that the arm can sense."""
        seen = [camera + end for camera in self.cameras for end in ("", DEPTH)]
        return (JOINTS, *seen, *self.senses)

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the N joints of the arm, from the base on."""
        return self.chain.joint_names

    @property
    def joints(self) -> int:
        """N, the number of joints without the gripper's."""
        return len(self.chain.joint_names)

    @property
    def lower_rad(self) -> Float:
        """(N,) lowest joint positions."""
        return self.chain.lower_rad

    @property
    def upper_rad(self) -> Float:
        """(N,) highest joint positions."""
        return self.chain.upper_rad

    @property
    def max_velocity_rad_s(self) -> Float:
        """(N,) fastest joint velocities."""
        return self.chain.max_velocity_rad_s

    @property
    def at_home(self) -> Joints:
        """What the joints say at home, with open fingers."""
        still = np.zeros(self.joints)
        return Joints(
            position_rad=self.home_rad, velocity_rad_s=still, gripper_width_m=self.gripper_width_m, stamp_s=0.0
        )

    @property
    def workspace(self) -> Box:
        """Where the gate lets the tool centre point pass."""
        return Box(self.workspace_lower_m, self.workspace_upper_m)

    @cached_property
    def clearance(self) -> Clearance:
        """Keeps the links clear of each other and of what stands about. Raises EmbodiedError, see `Clearance`."""
        solids = read_solids(self.urdf, self.joint_names)
        return Clearance(self.chain, solids, self.home_rad, keep_out=self.keep_out, table_m=self.table_m)

    def shares(self, path: TimedPath) -> tuple[Float, Float, Float]:
        """How much (N,) of the limits of velocity, acceleration and jerk a path takes; 1 is at the limit."""
        return (
            path.peak_velocity_rad_s() / self.max_velocity_rad_s,
            path.peak_acceleration_rad_s2() / self.max_acceleration_rad_s2,
            path.peak_jerk_rad_s3() / self.max_jerk_rad_s3,
        )

    @cached_property
    def home_pose(self) -> Float:
        """(4, 4) pose of the tool centre point at home."""
        return self.chain.forward(self.home_rad)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a motion ended: done, refused, aborted, stopped (an emergency stop) or silent (nobody answers)."""

    state: str
    reason: str = ""
    narrowest_m: float = np.inf
    """Least distance between the fingers on the way; infinite where the arm does not feel it."""
    width_m: float | None = None
    """The width that the fingers were told last; None where that is not known."""
    over: bool = False
    """Whether the world ended the episode: nothing more can be done in it."""

    @property
    def done(self) -> bool:
        """Whether the arm arrived."""
        return self.state == "done"


NextMotion = Callable[[Observation], "StreamedMotion | None"]
"""What comes after a motion that is still under way, by what is seen meanwhile; None: nothing does."""


class Arm(Protocol):
    """One arm with its cameras: simulated in this process, behind ROS topics, or in any environment."""

    @property
    def model(self) -> ArmModel | None:
        """What arm it is; None where nobody knows. Then it has no home to come back to, and no joints to feel."""

    def now_s(self) -> float:
        """Seconds on the clock that stamps observations."""

    def observe(self) -> Observation:
        """Pictures and joint states taken at rest, after this call. Raises ObservationError."""

    def execute(self, motion: Motion, observation: Observation, on_tick: Callable[[], None] = lambda: None) -> Outcome:
        """Move, and wait until that has ended; `motion` was decided on `observation`.

        `on_tick` is called in between; where it raises, the arm is stopped and the error goes on. Raises
        UnreachableError for a motion that the arm cannot make.
        """

    def stop(self) -> None:
        """Stop whatever moves. Does not wait."""


@runtime_checkable
class StreamingArm(Arm, Protocol):
    """An arm that may be told what comes next before it has ended what it does."""

    def stream(
        self,
        motion: Motion,
        observation: Observation,
        following: NextMotion | None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """As `execute`, and ask `following` again and again, until it gives None; the newest replaces what is left."""


def load_arm(path: Path | str, **changes: Any) -> ArmModel:
    """The arm that a YAML file describes; `changes` replace its values.

    `urdf` is relative to the file, or "package:name/path/in/it" for a file of an installed package.
    Raises EmbodiedError or UnknownNameError that says what is wrong in the file.
    """
    path = Path(path)
    content = read_yaml(path, "description of an arm")
    if not isinstance(content, dict):
        raise EmbodiedError(f"{path} must hold `key: value` lines that describe an arm")
    return _build(path, content | changes)


def arm_model(name: str, cell: str = "") -> ArmModel:
    """The arm called `name`, or of the YAML file at the path `name`, or that "module:name" leads to.

    `cell` is the path of a YAML file with what belongs to the place and not to the arm, in the keys of an arm's own
    file: `workspace_*`, `reach_*`, `keep_out` and `table_m`. They go before those of the arm. Raises UnknownNameError
    that lists the arms there are, EmbodiedError for a faulty description.
    """
    if cell:
        return _in_cell(arm_model(name), Path(cell))
    if name.endswith((".yaml", ".yml")):
        if name not in _FILES:
            _FILES[name] = load_arm(name)
        return _FILES[name]
    return ARMS.get(name)


def _as_model(name: str, found: Any) -> ArmModel:
    """An entry point may be the model, a path to its YAML file, or a function that gives one of them."""
    if callable(found):
        found = found()
    if isinstance(found, str | Path):
        found = load_arm(found)
    if not isinstance(found, ArmModel):
        kind = type(found).__name__
        raise EmbodiedError(f"arm {name!r} is a {kind}; it must be an ArmModel or the path of its YAML file")
    return found


class _Arms(Registry[ArmModel]):
    """Those of the folder `robots`, which need no registration, and those of installed packages."""

    def names(self) -> tuple[str, ...]:
        ours = sorted(path.stem for path in ROBOTS.glob("*.yaml"))
        return tuple(dict.fromkeys((*ours, *super().names())))

    def _find(self, name: str) -> Any:
        path = ROBOTS / f"{name}.yaml"
        return path if path.is_file() else super()._find(name)


ARMS: Registry[ArmModel] = _Arms("arm", group="embodied.arms", build=_as_model)
"""Arms by name."""

_FILES: dict[str, ArmModel] = {}

_CORNERS = ("reach_lower_m", "reach_upper_m", "workspace_lower_m", "workspace_upper_m")
_NUMBERS: Mapping[str, int | None] = {  # key: how many; None: one for each joint
    "home_rad": None, "max_acceleration_rad_s2": None, "held_width_m": 2, **dict.fromkeys(_CORNERS, 3),
}  # fmt: skip
_LARGEST = 1e6
"""Of the numbers that describe an arm; none comes near."""
_NAMES: Mapping[str, int | None] = {"gripper_joints": 2, "cameras": None}
_USUAL_JERK_HZ = 500.0
"""Limit of jerk to limit of acceleration, where a description gives no `max_jerk_rad_s3`: that of the Panda's data
sheet, for each of its joints."""
_AROUND = ("keep_out", "table_m")
_KEYS = ("urdf", "tip", "hand", *_NUMBERS, *_NAMES, "gripper_width_m")


def _build(path: Path, content: Mapping[str, Any]) -> ArmModel:
    for key in content:
        check_name(f"key of {path}", str(key), (*_KEYS, "name", "senses", "max_jerk_rad_s3", *_AROUND))
    missing = [key for key in _KEYS if key not in content]
    if missing:
        raise EmbodiedError(f"{path} lacks {', '.join(missing)}")
    words = {key: content.get(key, path.stem) for key in ("urdf", "tip", "hand", "name")}
    for key, word in words.items():
        if not _are_words([word]):
            raise EmbodiedError(f"{path}: {key} must be a word, not {shown(word)}")
    urdf = _urdf_path(path, words.pop("urdf"))
    try:
        chain, root = Chain.from_urdf(urdf, words["tip"]), read_urdf(urdf)
    except EmbodiedError as error:
        raise EmbodiedError(f"{path}: urdf and tip lead to no arm: {error}") from None
    links = [str(link.get("name")) for link in root.findall("link")]
    sliders = [str(joint.get("name")) for joint in root.findall("joint") if joint.get("type") == "prismatic"]
    values: dict[str, Any] = {
        key: _numbers(path, key, content[key], size or len(chain.joint_names)) for key, size in _NUMBERS.items()
    }
    usual = _USUAL_JERK_HZ * values["max_acceleration_rad_s2"]
    values["max_jerk_rad_s3"] = _numbers(
        path, "max_jerk_rad_s3", content.get("max_jerk_rad_s3", usual.tolist()), len(usual)
    )
    values |= {key: _names(path, key, content[key], size) for key, size in _NAMES.items()}
    values["senses"] = _names(path, "senses", content.get("senses", []), None)
    values |= words
    check_name(f"hand in {path}", values["hand"], links)
    for name in values["gripper_joints"]:
        check_name(f"gripper_joints in {path}", name, sliders)
    [width_m] = _numbers(path, "gripper_width_m", [content["gripper_width_m"]], 1)
    values["held_width_m"] = tuple(values["held_width_m"].tolist())
    values |= _around(path, content)
    model = ArmModel(urdf=urdf, chain=chain, gripper_width_m=float(width_m), **values)
    _check(path, model)
    return model


def _in_cell(model: ArmModel, path: Path) -> ArmModel:
    content = read_yaml(path, "description of a cell")
    if not isinstance(content, dict):
        raise EmbodiedError(f"{path} must hold `key: value` lines that describe a cell")
    for key in content:
        check_name(f"key of {path}", str(key), (*_CORNERS, *_AROUND))
    values = _around(path, content)
    values |= {key: _numbers(path, key, content[key], 3) for key in _CORNERS if key in content}
    model = replace(model, **values)
    _check(path, model)
    return model


def _around(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `_AROUND` that are there."""
    values = {key: content[key] for key in _AROUND if key in content}
    if values.get("table_m") is not None:
        [values["table_m"]] = _numbers(path, "table_m", [values["table_m"]], 1).tolist()
    if "keep_out" in values:
        boxes, form = values["keep_out"], "name: [x0, y0, z0, x1, y1, z1], the lower corner first"
        if not isinstance(boxes, dict):
            raise EmbodiedError(f"{path}: keep_out must hold lines of {form}, not {shown(boxes)}")
        values["keep_out"] = {}
        for name, box in boxes.items():
            numbers = _numbers(path, f"keep_out {shown(name)}", box, 6)
            if not (numbers[:3] < numbers[3:]).all():
                raise EmbodiedError(f"{path}: keep_out must hold lines of {form}, not {shown(name)}: {shown(box)}")
            values["keep_out"][str(name)] = Box(numbers[:3], numbers[3:])
    return values


def _check(path: Path, model: ArmModel) -> None:
    """Raises EmbodiedError where the numbers of a description contradict each other."""
    limits = np.concatenate([model.max_acceleration_rad_s2, model.max_jerk_rad_s3])
    if not (model.gripper_width_m > 0 and (limits > 0).all()):
        raise EmbodiedError(f"{path}: gripper_width_m, max_acceleration_rad_s2 and max_jerk_rad_s3 must be above 0")
    low, high = model.held_width_m
    if not 0.0 <= low < high <= model.gripper_width_m:
        raise EmbodiedError(f"{path}: held_width_m must be two widths from 0 to gripper_width_m, not {low}, {high}")
    if ((model.home_rad < model.lower_rad) | (model.home_rad > model.upper_rad)).any():
        raise EmbodiedError(f"{path}: home_rad is beyond the joint limits of {model.urdf}")
    lower, upper = model.reach_lower_m, model.reach_upper_m
    within = (model.workspace_lower_m <= lower) & (upper <= model.workspace_upper_m)
    if not ((lower < upper) & within).all():
        raise EmbodiedError(f"{path}: reach_lower_m to reach_upper_m must be a box within the workspace")
    hand_m = model.home_pose[:3, 3]
    if ((hand_m < model.workspace_lower_m) | (hand_m > model.workspace_upper_m)).any():
        raise EmbodiedError(f"{path}: the workspace must hold the hand at home, at {hand_m.round(3).tolist()} m")
    try:
        _ = model.clearance
    except EmbodiedError as error:
        raise EmbodiedError(f"{path}: {error}") from None


def _urdf_path(path: Path, text: str) -> Path:
    if not text.startswith("package:"):
        return path.parent / text
    package, _, inside = text.removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise EmbodiedError(f"{path}: there is no installed package {package!r} with the URDF; install it")
    return Path(spec.submodule_search_locations[0]) / inside


def _numbers(path: Path, key: str, values: Any, size: int) -> Float:
    numbers = np.empty(0)
    if isinstance(values, list) and all(type(value) in (int, float) and abs(value) < _LARGEST for value in values):
        numbers = np.array(values, dtype=np.float64)
    if numbers.shape != (size,):
        raise EmbodiedError(f"{path}: {key} must be {size} numbers, not {shown(values)}")
    return numbers


def _names(path: Path, key: str, values: Any, size: int | None) -> tuple[str, ...]:
    if not _are_words(values) or (size is not None and len(values) != size):
        raise EmbodiedError(f"{path}: {key} must be a list of {size or 'any number of'} names, not {shown(values)}")
    return tuple(values)


def _are_words(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) and value.strip() for value in values)
