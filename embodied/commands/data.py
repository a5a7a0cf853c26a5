# SPDX-License-Identifier: Apache-2.0
"""Show what a recorded dataset holds, or check all of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embodied.config import REQUIRED, ConfigError, describe, option, parse
from embodied.errors import check_name

if TYPE_CHECKING:
    from embodied.data.reader import Dataset

WORDS_SHOWN = 10
STATS_SHOWN = ("min", "q01", "q50", "q99", "max", "mean", "std")


@dataclass
class ShowOptions:
    """Show words, features and statistics of a dataset, and draw one of its episodes."""

    data: str = option(REQUIRED, "folder of a dataset in LeRobot v3 layout")
    episode: int = option(0, "the episode to draw")
    out: str = option("runs/episode.png", "the picture of the episode; empty for none")


@dataclass
class CheckOptions:
    """Read every file of a dataset and tell what is wrong with it; exit status 1 where anything is."""

    data: str = option(REQUIRED, "folder of a dataset in LeRobot v3 layout")


def main(arguments: Sequence[str]) -> int:
    """Do what the first of `arguments` says with the others."""
    what, *others = arguments or [""]
    if what in ("-h", "--help"):
        print("\n\n".join(describe(schema, command=f"embodied data {name}") for name, (schema, _) in DOINGS.items()))
        return 0
    if not what or "=" in what:
        raise ConfigError(f"embodied data needs {' or '.join(DOINGS)} first, as in: embodied data show data=FOLDER")
    check_name("thing to do with data", what, DOINGS)
    schema, function = DOINGS[what]
    return function(parse(schema, others, command=f"embodied data {what}", example=f"embodied data {what} data=FOLDER"))


def show(options: ShowOptions) -> int:
    """Print and draw."""
    from embodied.data.picture import draw_episode
    from embodied.data.reader import Dataset

    dataset = Dataset(Path(options.data))
    if options.out and Path(options.out).suffix != ".png":
        raise ConfigError(f"out={options.out}: the name must end in .png")
    for line in (*told(dataset), *columns_of(dataset)):
        print(line)
    if not options.out or not len(dataset):
        return 0
    try:
        draw_episode(dataset, options.episode, Path(options.out))
        print(f"drew {options.out}")
    except ModuleNotFoundError as error:
        print(f"drew no picture: it needs {error.name} (pip install {error.name})")
    return 0


def check(options: CheckOptions) -> int:
    """A line for each fault, or one that says that there is none."""
    from embodied.data.check import faults
    from embodied.data.reader import read_info

    count = 0
    for count, fault in enumerate(faults(Path(options.data)), start=1):  # noqa: B007, the last count is all of them
        print(fault)
    if not count:
        print(f"whole: {read_info(Path(options.data)).total_episodes} episodes")
    return 1 if count else 0


def told(dataset: "Dataset") -> Iterator[str]:
    """What a dataset is, in a few lines."""
    from embodied.data.reader import read_made_with

    info = dataset.info
    counts = f"{info.total_episodes} episodes, {info.total_frames} frames at {info.fps:g} Hz"
    yield f"{dataset.root}: {counts}, robot {info.robot_type or 'not told'}"
    if made_with := read_made_with(dataset.root):
        shown = {
            key: ",".join(map(str, value)) if isinstance(value, list) else value for key, value in made_with.items()
        }
        yield "made with " + " ".join(f"{key}={value}" for key, value in shown.items())
    words = sorted({each for index in range(len(dataset)) for each in dataset.row(index)["tasks"]})
    yield f"{len(words)} different words:"
    yield from (f"  {each}" for each in words[:WORDS_SHOWN])
    if len(words) > WORDS_SHOWN:
        yield f"  and {len(words) - WORDS_SHOWN} more"


def columns_of(dataset: "Dataset") -> Iterator[str]:
    """Each feature with its type and shape, and under it the statistics of its numbers by name."""
    stats = dataset.stats() if len(dataset) else {}
    yield f"{'feature':<32}{''.join(f'{name:>11}' for name in STATS_SHOWN)}"
    for key, feature in dataset.info.features.items():
        yield f"{key}  {feature.dtype} {'x'.join(map(str, feature.shape))}"
        told = [stats.get(key, {}).get(name, np.zeros(0)).ravel() for name in STATS_SHOWN]
        count = max(map(len, told))
        names = (feature.names if feature.is_number else ("red", "green", "blue")) or ()
        for place in range(count):
            values = "".join(f"{_shown(each[place]):>11}" if place < len(each) else f"{'-':>11}" for each in told)
            yield f"  {names[place] if len(names) == count else '':<30}{values}"


def _shown(value: float) -> str:
    """Four digits; what differs from zero by rounding alone is zero."""
    return f"{0.0 if abs(value) < 1e-6 else value:.4g}"


DOINGS: Mapping[str, tuple[type[Any], Callable[[Any], int]]] = {
    "show": (ShowOptions, show),
    "check": (CheckOptions, check),
}
