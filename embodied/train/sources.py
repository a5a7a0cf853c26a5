# SPDX-License-Identifier: Apache-2.0
"""Where training samples come from: folders of rendered scenes and of recorded episodes, read alike."""

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from embodied.data.layout import INFO
from embodied.data.sample import Actions, Sample
from embodied.errors import EmbodiedError


class Source(Protocol):
    """Samples, by number."""

    @property
    def words(self) -> Mapping[str, tuple[str, ...]]:
        """The verbs, kinds and colours that its plans are made of; empty where the data do not say."""

    @property
    def actions(self) -> Actions | None:
        """What its actions are; None where it shows none."""

    def __len__(self) -> int: ...

    def sample(
        self, index: int, rng: np.random.Generator, *, commands: int, history: int, horizon: int, goal: bool = False
    ) -> Sample:
        """Moment `index` with at most so many commands, past observations and next actions, and with the end that each
        command came to, where that is known and the `goal` is wanted."""


_COLOURS = ("colours", "other_colours")


def open_source(folder: str | Path) -> Source:
    """The samples in `folder`. Raises EmbodiedError that says how to make some where there are none."""
    folder = Path(folder)
    if (folder / INFO).is_file():
        from embodied.data.recorded import RecordedSamples

        return RecordedSamples(folder)
    if (folder / "scenes.jsonl").is_file():
        from embodied.train.grounding_data import GroundingData

        return GroundingData(folder)
    raise EmbodiedError(
        f"no training data in {folder}; make some with: embodied collect task=grounding out={folder} (pictures with "
        f"words), or embodied collect task=touch out={folder} (episodes)"
    )


def moment(source: Source, number: int) -> Sample:
    """A sample for its readings alone."""
    return source.sample(number, np.random.default_rng(0), commands=1, history=1, horizon=1)


def actions_of(sources: Iterable[Source]) -> Actions | None:
    """The actions of all sources that show any. Raises EmbodiedError where they are of two sorts."""
    shown = [source.actions for source in sources if source.actions is not None]
    return reduce(Actions.with_, shown) if shown else None


def words_of(sources: Mapping[str, Source]) -> dict[str, Any]:
    """The words of all sources together. Raises EmbodiedError where two of them were made with other colours: what has
    a name in one has none in the other."""
    found: dict[str, Any] = {}
    for folder, source in sources.items():
        for key, words in source.words.items():
            before = found.setdefault(key, words)
            if key in _COLOURS and before != words:
                raise EmbodiedError(f"{folder} has other {key} than the data before it: {words} and {before}")
            found[key] = tuple(dict.fromkeys((*before, *words)))
    return found
