# SPDX-License-Identifier: Apache-2.0
"""From waypoints of the hand to a timed joint motion within the limits of the arm.

Straight lines with rounded corners are sampled, solved by inverse kinematics, joined by a cubic spline over the length
of the way, and then driven as fast as velocity and acceleration limits allow. Each motion is checked as the gate checks
it: by the exact extremes of its curve, and takes longer where it would be refused; by the clearance of the whole arm,
and takes another way.
"""

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from embodied.arm import ArmModel
from embodied.errors import UnreachableError
from embodied.motion.clearance import PLAN_SPARE_M
from embodied.motion.hand import TRAVEL_SPEED_M_S, HandPose, Waypoint
from embodied.motion.path import TimedPath
from embodied.motion.way import KNOT_M, way_through
from embodied.types import Float, JointTrajectory

STEP_S = 0.025
_VELOCITY_SHARE = 0.8
_ACCELERATION_SHARE = 0.5
_GRID_M = 0.005
_WITHIN = 0.999
"""Share of the arm's limits that a motion uses at most: what the gate computes may differ by rounding."""
_WITHIN_MOVING = 0.93
"""The same where it takes over from another motion: the change from one to the other needs the rest."""
_BEYOND_RAD = 0.01
"""Between knots at a joint's limit the curve may swing this far beyond it, and is cut off there."""
_SWING_RAD = 5e-4
"""What the cut curve may still swing beyond a limit; the gate allows twice as much."""
_METRES_PER_TURN = 0.5
"""Where the joints turn evenly, a turn by one radian counts as so much way."""
MAX_DURATION_S = 60.0
_AT_HOME_RAD = 1e-3
_RISE_M = 0.1
"""How far the hand rises, where it can, before the arm turns home."""
_SLOWER = 1.05
_TRIALS = 20


def plan_motion(
    model: ArmModel,
    q_start_rad: Float,
    gripper_width_m: float,
    waypoints: Sequence[Waypoint],
    velocity_rad_s: Float | None = None,
) -> JointTrajectory:
    """Plan the motion from `q_start_rad` (N,) through `waypoints` to rest: from rest, or with a velocity (N,) there.

    Of that velocity, what leads along the way is kept. Where the last waypoint is the hand pose of `model.home_rad`,
    the arm ends in exactly these joint angles. Where the way cannot be taken from rest, it is taken from home, and
    the arm turns home first. Raises UnreachableError.
    """
    if not (np.isfinite(q_start_rad).all() and np.isfinite(gripper_width_m)):
        raise UnreachableError("the joint angles that the motion starts from are not finite")
    # An arm that stands a little beyond a limit begins with the way back within it, which is the gate's to add.
    q, width = np.clip(q_start_rad, model.lower_rad, model.upper_rad), float(gripper_width_m)
    if velocity_rad_s is not None:
        return _checked(model, _through(model, q, width, waypoints, velocity_rad_s), (q, velocity_rad_s))
    try:
        return _checked(model, _through(model, q, width, waypoints))
    except UnreachableError:
        if np.abs(q - model.home_rad).max() < _AT_HOME_RAD:
            raise
        start = HandPose.from_matrix(model.chain.forward(q))
        rise = Waypoint(pose=start.at(start.position_m + np.array([0.0, 0.0, _RISE_M])), gripper_width_m=width)
        # Where the first place is only passed by, above where the hand began, there is no need to come back to it.
        passes = len(waypoints) > 1 and waypoints[0].dwell_s <= 0.0
        for before, rest in itertools.product(([rise], []), (waypoints, waypoints[1:]) if passes else (waypoints,)):
            with suppress(UnreachableError):
                way = _through(model, q, width, before)
                way.append(_turn(model, way[-1].position_rad[-1] if way else q, model.home_rad, width))
                return _checked(model, way + _through(model, model.home_rad, width, rest))
        raise


def _checked(model: ArmModel, pieces: Sequence["_Piece"], start: tuple[Float, Float] | None = None) -> JointTrajectory:
    """The motion, as the gate would pass it. Raises UnreachableError."""
    trajectory = _joined(model, pieces)
    if trajectory.time_s[-1] > MAX_DURATION_S:
        raise UnreachableError(f"this way would take {trajectory.time_s[-1]:.0f} s, {MAX_DURATION_S:.0f} s at most")
    if why := model.clearance.refusal(TimedPath(trajectory, start), model.workspace, PLAN_SPARE_M):
        raise UnreachableError(f"on this way {why}")
    return trajectory


def _through(
    model: ArmModel, q: Float, width: float, waypoints: Sequence[Waypoint], velocity_rad_s: Float | None = None
) -> list["_Piece"]:
    """From `q` (N,), at rest or with a velocity (N,), past or through each of the waypoints."""
    pieces: list[_Piece] = []
    pose, first = HandPose.from_matrix(model.chain.forward(q)), 0
    for last, stop in enumerate(waypoints):
        if stop.dwell_s <= 0.0 and last + 1 < len(waypoints):
            continue
        home = last + 1 == len(waypoints) and np.allclose(model.home_pose, stop.pose.matrix(), atol=5e-3)
        end_rad = model.home_rad if home else None
        piece = _move(model, q, pose, width, waypoints[first : last + 1], end_rad, velocity_rad_s)
        velocity_rad_s = None
        if piece is not None:
            pieces.append(piece)
            q = piece.position_rad[-1]
        pose, width, first = stop.pose, stop.gripper_width_m, last + 1
        # At least one point, so that the last width is said even where nothing dwells.
        count = max(1, round(stop.dwell_s / STEP_S))
        pieces.append(_Piece(np.tile(q, (count, 1)), np.zeros((count, len(q))), np.full(count, width)))
    return pieces


class _Piece(NamedTuple):
    """Points STEP_S apart between two stops, without the first."""

    position_rad: Float
    velocity_rad_s: Float
    width_m: Float


def _joined(model: ArmModel, pieces: Sequence[_Piece]) -> JointTrajectory:
    position, velocity, width = (np.concatenate(numbers) for numbers in zip(*pieces, strict=True))
    return JointTrajectory(
        joint_names=model.joint_names,
        time_s=STEP_S * np.arange(1, len(position) + 1, dtype=np.float64),
        position_rad=position,
        velocity_rad_s=velocity,
        # Fingers are measured a little beyond what they can do.
        gripper_width_m=np.clip(width, 0.0, model.gripper_width_m),
    )


def _move(
    model: ArmModel,
    q_start: Float,
    start: HandPose,
    width: float,
    run: Sequence[Waypoint],
    end_rad: Float | None,
    velocity_rad_s: Float | None,
) -> _Piece | None:
    """One motion, from rest or with a velocity, to rest past all of `run` but its last; None where it has no length."""
    way = way_through(start, run)
    if way is None:
        return None
    hands, speed, passed, length = way
    joints = [q_start]
    for hand in hands[1:]:
        target = HandPose(position_m=hand[:3], orientation=hand[3:]).matrix()
        joints.append(model.chain.inverse(target, joints[-1], rest_rad=model.home_rad))
    knots = np.array(joints)
    if end_rad is not None:
        # The redundant joint may come home a little off; spread the difference over the last stretch.
        free = length > (passed[-2] if len(passed) > 1 else 0.0)
        share = np.zeros(len(length))
        share[free] = np.linspace(0.0, 1.0, int(free.sum()) + 1)[1:]
        share = share * share * (3.0 - 2.0 * share)
        knots += share[:, None] * (end_rad - knots[-1])
    # Fingers take the width of a waypoint once the hand has passed it.
    widths = np.array([width, *(stop.gripper_width_m for stop in run[:-1])])

    def width_at(place: Float) -> Float:
        return np.asarray(widths[np.searchsorted(passed[:-1], place, side="left")])

    return _driven(model, length, knots, speed, width_at, velocity_rad_s)


def _turn(model: ArmModel, q_start: Float, q_end: Float, width: float) -> "_Piece":
    """Every joint evenly from one posture to another, wherever that brings the hand."""
    length = np.array([0.0, max(_METRES_PER_TURN * float(np.linalg.norm(q_end - q_start)), KNOT_M)])
    speed = np.full(2, TRAVEL_SPEED_M_S)
    return _driven(model, length, np.stack([q_start, q_end]), speed, lambda place: np.full(len(place), width))


def _driven(
    model: ArmModel,
    length: Float,
    knots: Float,
    speed: Float,
    width_at: Callable[[Float], Float],
    velocity_rad_s: Float | None = None,
) -> "_Piece":
    """To rest through `knots` (M, N) at the lengths (M,) of the way, as fast as the arm may.

    It begins at rest, or with as much of a velocity (N,) as leads along the way.
    """
    spline = _Spline(length, knots)
    [slope] = spline.at(np.zeros(1))[1]
    along = 0.0 if velocity_rad_s is None else max(float(velocity_rad_s @ slope) / float(slope @ slope + 1e-9), 0.0)
    profile = _fastest(spline, model, length, speed, along)
    slower = 1.0
    for _ in range(_TRIALS):
        if slower * profile.duration_s > MAX_DURATION_S:
            break
        place, rate = profile.sampled(slower)
        position, velocity = _cut(model, *spline.at(place))
        velocity *= rate[:, None]
        piece = _Piece(position, velocity, width_at(place))
        # An arm that moves faster than this along the way is slowed down by whoever lets one motion follow another.
        start = knots[0] if velocity_rad_s is None else (knots[0], profile.begin_rate / slower * slope)
        excess = _excess(model, start, piece)
        if excess <= 1.0:
            return piece
        slower *= _SLOWER * excess
    raise UnreachableError("the arm cannot make this motion within its limits, however slowly")


def _cut(model: ArmModel, position_rad: Float, slope: Float) -> tuple[Float, Float]:
    """The curve (N, J) and its slope, held at the limits that it swings beyond. Raises UnreachableError."""
    held = np.clip(position_rad, model.lower_rad, model.upper_rad)
    beyond = np.abs(position_rad - held).max(axis=0)
    if beyond.max() > _BEYOND_RAD:
        worst = int(beyond.argmax())
        name = model.joint_names[worst]
        raise UnreachableError(f"on this way {name} would pass its limit by {beyond[worst]:.3f} rad")
    return held, np.where(position_rad == held, slope, 0.0)


def _excess(model: ArmModel, start: Float | tuple[Float, Float], piece: _Piece) -> float:
    """How many times slower the piece must be to be within the limits; 1 or less where it is.

    `start` is where it begins at rest, or a place and the velocity there.
    """
    if isinstance(start, tuple):
        paths = [TimedPath(_joined(model, [piece]), start)]
    else:
        rest = _Piece(start[None], np.zeros((1, len(start))), piece.width_m[:1])
        # The first piece of a motion begins as the path itself begins, any other at the last stop.
        paths = [TimedPath(_joined(model, pieces)) for pieces in ([piece], [rest, piece])]
    velocity, acceleration, jerk = np.max([model.shares(path) for path in paths], axis=(0, 2))
    low, high = paths[-1].peak_position_rad()
    # Slower points lie nearer to each other, and the curve swings less between them.
    swings = np.maximum(model.lower_rad - low, high - model.upper_rad).max() > _SWING_RAD
    # A jump of the acceleration, which counts as jerk, shrinks as the acceleration does.
    within = _WITHIN_MOVING if isinstance(start, tuple) else _WITHIN
    hardest = max(acceleration, jerk) / within
    return max(float(velocity) / _WITHIN, float(np.sqrt(hardest)), 1.2 if swings else 0.0)


class _Spline:
    """Natural cubic spline through `knots` (M, N) at lengths (M,)."""

    def __init__(self, length: Float, knots: Float) -> None:
        self._length, self._knots = length, knots
        h = np.diff(length)
        system = np.diag(np.concatenate([[1.0], 2.0 * (h[:-1] + h[1:]), [1.0]]))
        inner = np.arange(1, len(length) - 1)
        system[inner, inner - 1], system[inner, inner + 1] = h[:-1], h[1:]
        slope = np.diff(knots, axis=0) / h[:, None]
        right = np.zeros_like(knots)
        right[1:-1] = 6.0 * np.diff(slope, axis=0)
        self._bend = np.linalg.solve(system, right)

    def at(self, place: Float) -> tuple[Float, Float]:
        """Positions and first derivatives, a row a place."""
        i, h, a, b = self._cell(place)
        m0, m1, y0, y1 = self._bend[i], self._bend[i + 1], self._knots[i], self._knots[i + 1]
        position = a * y0 + b * y1 + ((a**3 - a) * m0 + (b**3 - b) * m1) * h * h / 6.0
        slope = (y1 - y0) / h + ((3.0 * b * b - 1.0) * m1 - (3.0 * a * a - 1.0) * m0) * h / 6.0
        return position, slope

    def bend(self, place: Float) -> Float:
        """Second derivatives, a row a place."""
        i, _, a, b = self._cell(place)
        bend: Float = a * self._bend[i] + b * self._bend[i + 1]
        return bend

    def _cell(self, place: Float) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Float, Float, Float]:
        i = np.clip(np.searchsorted(self._length, place, side="right") - 1, 0, len(self._length) - 2)
        h = (self._length[i + 1] - self._length[i])[:, None]
        b = (place - self._length[i])[:, None] / h
        return i, h, 1.0 - b, b


class _Profile:
    """How fast the way is driven: rates (K,) at places (K,), with even acceleration from one to the next."""

    def __init__(self, place: Float, rate: Float) -> None:
        self._place, self._rate = place, rate
        steps = 2.0 * place[1] / (rate[:-1] + rate[1:])
        self._time_s = np.concatenate([[0.0], np.cumsum(steps)])

    @property
    def duration_s(self) -> float:
        """How long all takes."""
        return float(self._time_s[-1])

    @property
    def begin_rate(self) -> float:
        """The rate at the beginning."""
        return float(self._rate[0])

    def sampled(self, slower: float) -> tuple[Float, Float]:
        """Places (N,) every STEP_S when all takes `slower` times as long, and the rates (N,) there."""
        time, rate, grid = self._time_s, self._rate, self._place
        count = int(np.ceil(slower * time[-1] / STEP_S))
        # Stretched to whole steps: never faster than planned.
        stretch = time[-1] / (count * STEP_S)
        at = np.linspace(0.0, time[-1], count + 1)[1:]
        i = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
        tau, span = at - time[i], time[i + 1] - time[i]
        gain_rate = (rate[i + 1] - rate[i]) / span
        place = grid[i] + rate[i] * tau + 0.5 * gain_rate * tau**2
        return np.minimum(place, grid[-1]), stretch * (rate[i] + gain_rate * tau)


def _fastest(spline: _Spline, model: ArmModel, length: Float, speed: Float, rate: float) -> _Profile:
    """How fast the way can be driven that begins at a `rate`, where it can be braked from that.

    Half of the acceleration is left to the bends of the way, half to getting faster and slower along
    it: together they stay within the limit at every place.
    """
    cells = max(20, int(np.ceil(length[-1] / _GRID_M)))
    grid = np.linspace(0.0, length[-1], cells + 1)
    ds = grid[1]
    slope = np.abs(spline.at(grid)[1]) + 1e-9
    bend = np.abs(spline.bend(grid)) + 1e-9
    acceleration = 0.5 * _ACCELERATION_SHARE * model.max_acceleration_rad_s2
    velocity = _VELOCITY_SHARE * model.max_velocity_rad_s
    # The next sample's speed holds up to it, so the slower of a pair of samples rules between them.
    cell = np.searchsorted(length, grid, side="left").clip(0, len(length) - 1)
    square = np.minimum.reduce(
        [((velocity / slope) ** 2).min(axis=1), (acceleration / bend).min(axis=1), speed[cell] ** 2]
    )
    square[1:-1] = np.minimum.reduce([square[:-2], square[1:-1], square[2:]])
    square[0], square[-1] = min(rate**2, square[0]), 0.0
    gain = (acceleration / slope).min(axis=1)
    gain = 2.0 * ds * np.minimum(gain[:-1], gain[1:])
    best, gains = square.tolist(), gain.tolist()
    for k in range(cells):
        best[k + 1] = min(best[k + 1], best[k] + gains[k])
    for k in range(cells - 1, -1, -1):
        best[k] = min(best[k], best[k + 1] + gains[k])
    return _Profile(grid, np.sqrt(np.array(best)))
