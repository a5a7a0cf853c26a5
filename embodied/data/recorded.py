# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes as training samples: at every step, what a policy would have seen, and what was done next."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied.data import layout
from embodied.data.layout import DatasetError, Feature
from embodied.data.reader import Dataset, RecordedEpisode
from embodied.data.sample import Actions, Command, Sample
from embodied.inputs import is_state, joints_from_state
from embodied.language.verbs import parse_plan
from embodied.types import DEPTH, JOINTS, Depth, Observation, Picture, Reading, Vector

MEMORY_BYTES = 2 * 2**30
"""Of decoded episodes; more are read again when they are needed."""
SOME = 256
"""Episodes, of which all actions are read together."""
_UNKNOWN = np.full((4, 4), np.nan)


class RecordedSamples:
    """Every frame of a dataset, ours or another in LeRobot v3 layout, as a sample."""

    words: Mapping[str, tuple[str, ...]] = {}

    def __init__(self, folder: Path) -> None:
        self._dataset = Dataset(folder)
        features = self._dataset.info.features
        if layout.ACTION not in features:
            raise DatasetError(f"{folder} has no {layout.ACTION}: there is nothing to learn from")
        self.actions = self._actions(features[layout.ACTION])
        lengths = [self._dataset.length(index) for index in range(len(self._dataset))]
        self._ends = np.cumsum(lengths)
        self._kept: OrderedDict[int, RecordedEpisode] = OrderedDict()  # the one that was used last at the end

    def _actions(self, feature: Feature) -> Actions:
        stats = self._dataset.stats()[layout.ACTION]
        names = feature.names or tuple(f"action_{number}" for number in range(int(np.prod(feature.shape))))
        return Actions(
            names=names,
            rate_hz=self._dataset.info.fps,
            mean=stats["mean"],
            std=stats["std"],
            count=int(stats["count"][0]),
            episodes=self._some,
        )

    def _some(self) -> Iterator[NDArray[np.float32]]:
        """(T, A) the actions of some episodes, spread over all of them."""
        count = len(self._dataset)
        for number in np.linspace(0, count - 1, min(count, SOME)).astype(int).tolist():
            yield _rows(self._dataset.episode(number, pictures=False))

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def sample(
        self, index: int, rng: np.random.Generator, *, commands: int, history: int, horizon: int, goal: bool = False
    ) -> Sample:
        """Frame `index`, counted over all episodes; it has one command, whatever `commands` says."""
        number = int(np.searchsorted(self._ends, index, side="right"))
        episode = self._episode(number)
        step = index - (int(self._ends[number - 1]) if number else 0)
        plan = episode.extra.get("plan")
        command = Command(
            text=episode.words[step],
            plan=parse_plan(plan) if plan else None,
            actions=self.actions.ahead(_rows(episode), step, horizon),
            ends=step + horizon >= len(episode),
            goal=self._observation(episode, _last(episode.words, step)) if goal else None,
        )
        # As far apart as a policy looks that carries out so many actions before it looks again.
        looks = range(step, -1, -max(1, horizon))[:history]
        seen = tuple(self._observation(episode, each) for each in reversed(looks))
        return Sample(observations=seen, commands=(command,))

    def _episode(self, number: int) -> RecordedEpisode:
        if number not in self._kept:
            self._kept[number] = self._dataset.episode(number)
            while len(self._kept) > 1 and sum(map(_bytes_of, self._kept.values())) > MEMORY_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(number)
        return self._kept[number]

    def _observation(self, episode: RecordedEpisode, step: int) -> Observation:
        stamp_s = float(episode.frames["timestamp"][step])
        readings: dict[str, Reading] = {}
        for key, feature in self._dataset.info.features.items():
            if key.startswith(layout.OBSERVATION) and feature.dtype != "string":
                name, reading = reading_of(key, feature, episode.frames[key][step], stamp_s)
                readings[name] = reading
        return Observation(readings=readings)


def reading_of(key: str, feature: Feature, value: NDArray[Any], stamp_s: float) -> tuple[str, Reading]:
    """What a policy would have called a recorded feature, and what it would have read."""
    name = key.removeprefix(layout.OBSERVATION)
    if key.startswith(layout.IMAGES):
        return key.removeprefix(layout.IMAGES), Picture(
            rgb=value, intrinsics_px=_UNKNOWN[:3, :3], world_from_camera=_UNKNOWN, stamp_s=stamp_s
        )
    if key.startswith(layout.DEPTH):
        return key.removeprefix(layout.DEPTH) + DEPTH, Depth(
            depth_m=value, intrinsics_px=_UNKNOWN[:3, :3], world_from_camera=_UNKNOWN, stamp_s=stamp_s
        )
    values = np.asarray(value, dtype=np.float64).reshape(-1)
    names = feature.names or tuple(f"{name}_{number}" for number in range(len(values)))
    if key == layout.STATE and is_state(names):
        return JOINTS, joints_from_state(values, stamp_s)
    return name, Vector(values=values, names=names, stamp_s=stamp_s)


def _rows(episode: RecordedEpisode) -> NDArray[np.float32]:
    """(T, A) its actions."""
    actions = episode.frames[layout.ACTION]
    return np.asarray(actions, dtype=np.float32)


def _bytes_of(episode: RecordedEpisode) -> int:
    return sum(values.nbytes for values in episode.frames.values())


def _last(words: Sequence[str], step: int) -> int:
    """The last step at which the arm was still told the same."""
    return next((later - 1 for later in range(step, len(words)) if words[later] != words[step]), len(words) - 1)
