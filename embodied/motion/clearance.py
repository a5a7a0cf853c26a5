# SPDX-License-Identifier: Apache-2.0
"""Whether a whole motion stays clear: the links of each other, of the table and of boxes to keep out of, and the
tool centre point of the faces of its workspace.

Distances are never taken too large, and between two looks at the arm none changes by more than the joints turn times
the longest lever. So what is found clear is clear all along the curve, not only where it was looked at: a stretch of
time that its two ends do not settle is halved until they do, and is refused where they never do.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embodied.errors import EmbodiedError
from embodied.motion.kinematics import Chain
from embodied.motion.path import TimedPath
from embodied.motion.separation import Indices, Stack
from embodied.motion.shapes import Solid
from embodied.types import Float

PLAN_SPARE_M = 2e-4
"""How much clearer a planner stays than must be: whoever checks its motion may round otherwise."""
_APART_M = 3e-3
"""How far links stay from each other, from boxes and from the table. The hand and the fingers, which are behind the
last joint, may come as near to the table as they like: skills work there."""
_LEAVE_M = 5e-4
"""What begins nearer than it may be may come nearer by this: an arm that touches something must get away."""
_FINEST_M = 1e-4
"""Stretches in which nothing moves farther than this are not halved again."""
_FIRST_LOOKS = 80
_NOT_KNOWN_RAD = 1e9
_MOST_LOOKS = 6000
"""A motion that needs more of them passes too near to something for too long."""
_POSTURES, _ALWAYS = 60, 0.95
"""Shapes that touch at home, or in nearly all of so many random postures, are larger than the links are."""


class Box(NamedTuple):
    """Two corners (3,), each number of the first the lower one."""

    lower_m: Float
    upper_m: Float


class Clearance:
    """What one arm may come near to, and whether it does on a motion.

    The table is all that is lower than `table_m`; None where there is none. Raises EmbodiedError where the arm is
    in a box of `keep_out`, or lower than the table, at home.
    """

    def __init__(
        self,
        chain: Chain,
        solids: Sequence[Solid],
        home_rad: Float,
        *,
        keep_out: Mapping[str, Box],
        table_m: float | None,
    ) -> None:
        boxes = [_standing(name, box) for name, box in keep_out.items()]
        self.chain, self._table_m = chain, -np.inf if table_m is None else table_m
        self._solids, self._own = (*solids, *boxes), len(solids)
        self.stack = Stack(self._solids)
        pairs = itertools.combinations(range(len(self._solids)), 2)
        self.pairs: Indices = np.array([pair for pair in pairs if self._may_meet(*pair)], dtype=np.intp).reshape(-1, 2)
        """(P, 2) solids that are kept apart, the fixed boxes second."""
        self.above: Indices = np.array([i for i in range(self._own) if solids[i].body], dtype=np.intp)
        """Solids that are kept above the table."""
        self.ignored: frozenset[tuple[str, str]] = frozenset()
        """Links whose shapes touch at home or nearly always, so that nothing can be told of the two."""
        self._leave_out(home_rad)
        self._lever_m = self._levers()

    def refusal(self, path: TimedPath, workspace: Box, spare_m: float = 0.0) -> str:
        """What would come too near, and when, in words; empty where all stays clear by `spare_m`.

        Where the motion begins nearer than it may be, it may not come nearer still.
        """
        looks = _Looks(self, path, workspace)
        looks.add(np.append(path.time_s[: -1 : 1 + len(path.time_s) // _FIRST_LOOKS], path.duration_s))
        wanted_m = np.concatenate([np.full(len(self.pairs), _APART_M), self._above_by_m(), np.zeros(6)])
        allowed_m = spare_m + np.minimum(wanted_m, looks.start_m(wanted_m) - _LEAVE_M)
        left = np.arange(len(looks.time_s) - 1)
        right, open_ = left + 1, np.ones((len(left), len(allowed_m)), dtype=bool)
        while True:
            moved_m, bent_m = (rad @ self._lever_m.T for rad in looks.between_rad(left, right))
            open_ &= looks.nearest_m(left, right, moved_m, bent_m) < allowed_m
            if looks.settle(left, right, open_):
                open_ &= looks.nearest_m(left, right, moved_m, bent_m) < allowed_m
            ends_m = np.minimum(looks.apart_m[left], looks.apart_m[right]) - allowed_m
            refused = open_ & ((ends_m < 0.0) | (moved_m < _FINEST_M))
            again = np.flatnonzero(open_.any(axis=1))
            if not again.size:
                return ""
            if not refused.any() and len(looks.time_s) + len(again) > _MOST_LOOKS:
                refused = open_
            if refused.any():
                ends_m = np.where(refused, ends_m, np.inf)
                row, column = np.unravel_index(int(ends_m.argmin()), ends_m.shape)
                side = left if looks.apart_m[left[row], column] < looks.apart_m[right[row], column] else right
                return self._words(int(column), float(looks.time_s[side[row]]), looks.hand_m[side[row]], workspace)
            left, right, open_ = left[again], right[again], open_[again]
            middle = looks.add_between(left, right)
            left, right, open_ = np.append(left, middle), np.append(middle, right), np.concatenate([open_, open_])

    def _above_by_m(self) -> Float:
        """(len(above),) how far each stays above the table."""
        behind_last = np.array([self._solids[i].body for i in self.above]) == len(self.chain.fixed)
        return np.where(behind_last, 0.0, _APART_M)

    def heights_m(self, place: Float) -> Float:
        """(T, len(above)) how high the solids that are kept above the table are over it."""
        heights: Float = self.stack.lowest_m(place, self.above) - self._table_m
        return heights

    def _words(self, column: int, time_s: float, hand_m: Float, workspace: Box) -> str:
        at, column = f"at {time_s:.2f} s", column - len(self.pairs)
        if column < 0:
            one, other = self._links(self.pairs[column])
            if self.pairs[column][1] >= self._own:
                return f"{one} would enter the keep-out box {other!r} {at}"
            return f"the arm would touch itself {at}: {one} and {other}"
        if column < len(self.above):
            link = self._solids[self.above[column]].link
            return f"{link} would touch the table {at}: all that moves stays above z = {self._table_m:.3f} m"
        axis = (column - len(self.above)) % 3
        lower, upper = workspace.lower_m[axis], workspace.upper_m[axis]
        place = f"{'xyz'[axis]} = {hand_m[axis]:.3f} m, allowed {lower:.3f} to {upper:.3f} m"
        return f"the hand leaves the workspace {at}: {place}"

    def _links(self, pair: Indices) -> tuple[str, str]:
        return self._solids[pair[0]].link, self._solids[pair[1]].link

    def _may_meet(self, a: int, b: int) -> bool:
        """Whether two solids can move towards each other, and are not joined."""
        one, other = self._solids[a], self._solids[b]
        return one.body != other.body and one.link not in (other.link, other.after) and other.link != one.after

    def _leave_out(self, home_rad: Float) -> None:
        """Take out of the lists what touches in any case, so that the arm can move at all."""
        chain, count = self.chain, 1 + _POSTURES
        postures = np.random.default_rng(0).uniform(chain.lower_rad, chain.upper_rad, (_POSTURES, len(home_rad)))
        place = self.stack.place(chain.frames(np.vstack([home_rad, postures])))
        a, b = (np.repeat(solids, count) for solids in self.pairs.T)
        touching = self.stack.apart_m(place, np.tile(np.arange(count), len(self.pairs)), a, b) < _APART_M + _LEAVE_M
        touching = touching.reshape(-1, count)
        boxed, under = self.pairs[:, 1] >= self._own, (self.heights_m(place) < self._above_by_m() + _LEAVE_M).T
        for pair in self.pairs[boxed & touching[:, 0]]:
            raise EmbodiedError("at home, {} is in the keep-out box {!r}".format(*self._links(pair)))
        for solid in self.above[under[:, 0] & (under.mean(axis=1) < _ALWAYS)]:
            raise EmbodiedError(f"at home, {self._solids[solid].link} is not above the table at {self._table_m} m")
        self.above = self.above[~under[:, 0]]
        always = ~boxed & (touching[:, 0] | (touching.mean(axis=1) >= _ALWAYS))
        self.ignored = frozenset(self._links(pair) for pair in self.pairs[always])
        self.pairs = self.pairs[[self._links(pair) not in self.ignored for pair in self.pairs]]

    def _levers(self) -> Float:
        """(C, N) the farthest that what is watched can move while a joint turns by one radian."""
        chain, joint = self.chain, np.arange(len(self.chain.fixed))
        along_m = np.cumsum(np.linalg.norm(chain.fixed[:, :3, 3], axis=1))

        def lever(behind: int, far: Solid) -> Float:
            """Of `far` past what is on the body `behind`: only the joints between the two move them."""
            reach_m = along_m[far.body - 1] - along_m + float(np.linalg.norm(far.pose[:3, 3])) + far.radius_m
            reach_m[far.body - 1] = far.swing_m(chain.axes[far.body - 1])
            moves: Float = np.where((joint >= behind) & (joint < far.body), reach_m, 0.0)
            return moves

        ordered = [sorted((self._solids[i] for i in pair), key=lambda solid: solid.body) for pair in self.pairs]
        rows = [lever(near.body, far) for near, far in ordered]
        rows += [lever(0, self._solids[i]) for i in self.above]
        tool = Solid(link="", body=len(joint), pose=chain.tool, box_m=np.zeros(3))
        return np.array([*rows, *[lever(0, tool)] * 6])


class _Looks:
    """The arm at some instants T of a path, and the C distances that are watched: first of balls about the solids."""

    def __init__(self, clearance: Clearance, path: TimedPath, workspace: Box) -> None:
        self._clearance, self._path, self._workspace = clearance, path, workspace
        self._first, self._second = clearance.pairs.T
        self.time_s: Float = np.empty(0)
        x, v = path.position_rad, path.velocity_rad_s
        turned_rad = np.cumsum(_lines(np.diff(path.time_s)[:, None], x[:-1], v[:-1], x[1:], v[1:]), axis=0)
        self._turned_at_points_rad = np.vstack([np.zeros(x.shape[1]), turned_rad])
        none = np.empty((0, x.shape[1]))
        self._position_rad, self._velocity_rad_s, self._turned_rad = none, none, none
        self.hand_m: Float = np.empty((0, 3))
        self.apart_m: Float = np.empty((0, len(clearance.pairs) + len(clearance.above) + 6))
        self._place: Float = np.empty((len(clearance.stack), 0, 4, 4))
        self._rough = np.ones((0, len(clearance.pairs)), dtype=bool)

    def add(self, time_s: Float) -> Indices:
        """Look at these instants (T,) too; their rows."""
        clearance, workspace, before = self._clearance, self._workspace, len(self.time_s)
        position_rad, velocity_rad_s = self._path.sample(time_s)
        turned_rad = self._turned_until(time_s, position_rad, velocity_rad_s)
        frames = clearance.chain.frames(position_rad)
        place = clearance.stack.place(frames)
        hand_m = frames[-1] @ clearance.chain.tool[:, 3]
        hand_m = hand_m[:, :3]
        balls_m = clearance.stack.about_m(place, self._first, self._second)
        inside_m = [hand_m - workspace.lower_m, workspace.upper_m - hand_m]
        apart_m = np.hstack([balls_m, clearance.heights_m(place), *inside_m])
        self.time_s = np.append(self.time_s, time_s)
        self._position_rad = np.vstack([self._position_rad, position_rad])
        self._velocity_rad_s = np.vstack([self._velocity_rad_s, velocity_rad_s])
        self._turned_rad = np.vstack([self._turned_rad, turned_rad])
        self.hand_m = np.vstack([self.hand_m, hand_m])
        self.apart_m = np.vstack([self.apart_m, apart_m])
        self._place = np.concatenate([self._place, place], axis=1)
        self._rough = np.vstack([self._rough, np.ones(balls_m.shape, dtype=bool)])
        return np.arange(before, len(self.time_s))

    def _turned_until(self, time_s: Float, position_rad: Float, velocity_rad_s: Float) -> Float:
        """(T, N) how far each joint has turned until then, to and fro; never too little."""
        path = self._path
        at = np.clip(np.searchsorted(path.time_s, time_s, side="right") - 1, 0, len(path.time_s) - 2)
        h, x, v = (time_s - path.time_s[at])[:, None], path.position_rad[at], path.velocity_rad_s[at]
        turned_rad: Float = self._turned_at_points_rad[at] + _lines(h, x, v, position_rad, velocity_rad_s)
        return turned_rad

    def add_between(self, left: Indices, right: Indices) -> Indices:
        """Look in the middle between two rows too, or at the point of the path that is nearest to it."""
        knots_s, first_s, last_s = self._path.time_s, self.time_s[left], self.time_s[right]
        middle_s = 0.5 * (first_s + last_s)
        at = np.clip(np.searchsorted(knots_s, middle_s), 1, len(knots_s) - 1)
        nearest_s = np.where(knots_s[at] - middle_s < middle_s - knots_s[at - 1], knots_s[at], knots_s[at - 1])
        return self.add(np.where((first_s < nearest_s) & (nearest_s < last_s), nearest_s, middle_s))

    def between_rad(self, left: Indices, right: Indices) -> tuple[Float, Float]:
        """(I, N) each: how far the joints turn between two rows, and how far off an even turn of all together, with
        what an even turn itself bends the way of a point; no bound where the path has a point in between."""
        moved_rad = self._turned_rad[right] - self._turned_rad[left]
        even_rad = self._position_rad[right] - self._position_rad[left]
        first_s, last_s, knots_s = self.time_s[left], self.time_s[right], self._path.time_s
        ends_rad = (last_s - first_s)[:, None] * self._velocity_rad_s[np.stack([left, right])]
        off_rad = 0.25 * np.abs(ends_rad - even_rad).max(axis=0)
        turn_rad = np.abs(even_rad)
        # Second derivatives by two joints are no longer than the lever of the later one.
        bend_rad = off_rad + turn_rad * (2.0 * np.cumsum(turn_rad, axis=1) - turn_rad) / 8.0
        whole = np.searchsorted(knots_s, first_s, side="right") == np.searchsorted(knots_s, last_s)
        return moved_rad, np.where(whole[:, None], bend_rad, _NOT_KNOWN_RAD)

    def nearest_m(self, left: Indices, right: Indices, moved_m: Float, bent_m: Float) -> Float:
        """(I, C) the least that a distance can be between two rows.

        It changes by `moved_m` at most. Of a plane, what moves evenly is nearest at one of the ends, and what does
        not is `bent_m` nearer at most.
        """
        first_m, last_m = self.apart_m[left], self.apart_m[right]
        nearest: Float = 0.5 * (first_m + last_m - moved_m)
        planes = slice(self._rough.shape[1], None)
        ends_m = np.minimum(first_m, last_m)[:, planes]
        nearest[:, planes] = np.maximum(nearest[:, planes], ends_m - bent_m[:, planes])
        return nearest

    def start_m(self, wanted_m: Float) -> Float:
        """(C,) distances at the start; of the solids themselves where they may be nearer than is wanted."""
        zero = np.zeros(1, dtype=np.intp)
        self.settle(zero, zero, self.apart_m[:1] < wanted_m + _LEAVE_M)
        start_m: Float = self.apart_m[0].copy()
        return start_m

    def settle(self, left: Indices, right: Indices, which: NDArray[np.bool_]) -> bool:
        """Measure the solids themselves, at both ends of the stretches and for the columns `which` (I, C); whether
        any of that was not known."""
        wanted = np.zeros_like(self._rough)
        for end in (left, right):
            wanted[end] |= which[:, : wanted.shape[1]]  # stretches are disjoint: no row is in one end twice
        at, column = np.nonzero(wanted & self._rough)
        if not at.size:
            return False
        a, b = self._first[column], self._second[column]
        self.apart_m[at, column] = np.maximum(
            self.apart_m[at, column], self._clearance.stack.apart_m(self._place, at, a, b)
        )
        self._rough[at, column] = False
        return True


def _lines(h: Float, x0: Float, v0: Float, x1: Float, v1: Float) -> Float:
    """Length of the three straight lines between the control points of a cubic: it is no longer itself."""
    first, last = v0 * h / 3.0, v1 * h / 3.0
    length: Float = np.abs(first) + np.abs(x1 - x0 - first - last) + np.abs(last)
    return length


def _standing(name: str, box: Box) -> Solid:
    pose = np.eye(4)
    pose[:3, 3] = 0.5 * (box.lower_m + box.upper_m)
    return Solid(link=name, body=0, pose=pose, box_m=0.5 * (box.upper_m - box.lower_m))
