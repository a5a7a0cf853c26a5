# SPDX-License-Identifier: Apache-2.0
"""Whether LeRobot itself reads what `embodied collect` records, and we what LeRobot records.

Run by hand: python tests/outside/lerobot_reader.py [--data FOLDER] [--venv FOLDER]

Records 50 episodes, or takes those in `--data`. LeRobot is installed from PyPI into a virtual environment of its own,
a temporary one unless `--venv` names one to keep; it is no requirement of this project. This file runs twice: here,
and with `--inside` among LeRobot's packages. A line a check; exit status 1 where one fails.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

LEROBOT = "lerobot==0.4.4"
RECORD = ("task=put_in_bowl", "episodes=50", "senses=front,wrist,front_depth,touch", "picture_size_px=96")
FOREIGN = "foreign"
"""What LeRobot records, beside what we expect it to read."""

failed: list[str] = []


def check(what: str, good: bool, figures: str = "") -> None:
    """Print a line, and remember a failure."""
    print(f"{'ok  ' if good else 'FAIL'} {what}{f': {figures}' if figures else ''}", flush=True)
    if not good:
        failed.append(what)


# --- here


def expect(data: Path, folder: Path) -> None:
    """Write what our reader gives, for the other half to compare."""
    from embodied.data.reader import Dataset

    dataset = Dataset(data)
    for episode in dataset:
        np.savez(folder / f"{episode.index}.npz", words=np.array(episode.words), **episode.frames)
    stats = {f"{key} {name}": value for key, each in dataset.stats().items() for name, value in each.items()}
    np.savez(folder / "stats.npz", **stats)


def check_here(foreign: Path) -> None:
    """What LeRobot recorded is whole, and is what it was told to record."""
    from embodied.data.check import faults
    from embodied.data.reader import Dataset

    found = list(faults(foreign))
    check("our check finds what LeRobot recorded whole", not found, "; ".join(found))
    dataset = Dataset(foreign)
    good = True
    for episode in dataset:
        wanted = foreign_frames(episode.index)
        good &= all(np.array_equal(np.squeeze(episode.frames[key]), np.squeeze(wanted[key])) for key in wanted)
        good &= set(episode.words) == {f"task {episode.index % 2}"}
    check("we read pictures, words and numbers as LeRobot was given them", good, f"{len(dataset)} episodes")


def foreign_frames(episode: int) -> dict[str, Any]:
    """What LeRobot is given to record: pictures as images, words, and numbers of several shapes."""
    rng = np.random.default_rng(episode)
    length = 4 + episode
    return {
        "observation.images.top": rng.integers(0, 256, (length, 24, 32, 3), np.uint8),
        "observation.state": rng.normal(size=(length, 3)).astype(np.float32),
        "observation.map": rng.normal(size=(length, 2, 5)).astype(np.float32),
        "action": rng.normal(size=(length, 2)).astype(np.float32),
        "operator": np.array([f"anne {step}" for step in range(length)]),
    }


def main() -> int:
    """Both halves; 0 where every check went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a dataset of ours; recorded anew by default")
    parser.add_argument("--venv", type=Path, help="where LeRobot is or will be installed")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        inside(given.data, given.inside)
        return 1 if failed else 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = given.data or folder / "set"
        if given.data is None:
            command = [sys.executable, "-m", "embodied.cli", "collect", *RECORD, f"out={data}"]
            subprocess.run(command, check=True)
        (folder / "expected").mkdir()
        expect(data, folder / "expected")
        python = install(given.venv or folder / "venv")
        command = [str(python), __file__, "--data", str(data.resolve()), "--inside", str(folder / "expected")]
        if subprocess.run(command).returncode:
            failed.append("inside of LeRobot")
        if (foreign := folder / "expected" / FOREIGN).exists():
            check_here(foreign)
    print(f"FAILED: {', '.join(failed)}" if failed else "all checks went well")
    return 1 if failed else 0


def install(venv: Path) -> Path:
    """The interpreter of an environment with LeRobot."""
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", LEROBOT], check=True)
    return python


# --- among LeRobot's packages


def inside(data: Path, expected: Path) -> None:
    """Compare what LeRobot reads with what was expected, and record something with it."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    dataset = LeRobotDataset("local/set", root=data, video_backend="pyav")
    files = sorted((path for path in expected.glob("*.npz") if path.stem.isdigit()), key=lambda path: int(path.stem))
    episodes = [dict(np.load(path)) for path in files]
    frames = sum(len(episode["index"]) for episode in episodes)
    figures = f"{dataset.num_episodes} episodes, {dataset.num_frames} frames at {dataset.fps} Hz"
    check("LeRobotDataset opens it", (dataset.num_episodes, dataset.num_frames) == (len(episodes), frames), figures)
    names = dataset.meta.names
    check("state and action have names", all(names[key] for key in ("observation.state", "action")))
    check_frames(dataset, episodes)
    stats = {tuple(key.split(" ")): value for key, value in np.load(expected / "stats.npz").items()}
    check_stats(dataset, episodes, stats)
    check_normalised(dataset)
    make_foreign(expected / FOREIGN)


def check_frames(dataset: Any, episodes: list[dict[str, Any]]) -> None:
    """Every number, word and picture of every frame."""
    numbers, words, counts, worst, total = True, True, 0, 0.0, 0.0
    place = 0
    for episode in episodes:
        for step in range(len(episode["index"])):
            item = dataset[place]
            place += 1
            words &= item["task"] == str(episode["words"][step])
            for key, values in episode.items():
                if key == "words":
                    continue
                theirs = item[key].numpy()
                if key in dataset.meta.video_keys:
                    off = np.abs(np.moveaxis(theirs, 0, -1) * 255.0 - values[step])
                    worst, total = max(worst, float(off.max())), total + float(off.mean())
                else:
                    numbers &= theirs.dtype == values.dtype and np.array_equal(theirs, values[step])
                    counts += theirs.size
    check("every number of every frame is the same, bit for bit", numbers, f"{counts} numbers")
    check("every frame has its words", words, f"{place} frames")
    cameras = len(dataset.meta.video_keys)
    check(
        "decoded pictures are the same within rounding",
        worst <= 3.0,
        f"at most {worst:.2f} of 255, mean {total / max(place * cameras, 1):.4f}, {place * cameras} pictures",
    )


def check_stats(dataset: Any, episodes: list[dict[str, Any]], expected: dict[tuple[str, ...], Any]) -> None:
    """The statistics that LeRobot loads, against ours, against the numbers, and in LeRobot's own hands."""
    from lerobot.datasets.compute_stats import aggregate_stats, get_feature_stats

    stats = dataset.meta.stats
    same = all(np.array_equal(stats[key][name], value) for (key, name), value in expected.items())
    check("statistics are loaded as they are", same, f"{len(expected)} in {len(stats)} features")
    basic, apart, shapes, between = 0.0, 0.0, True, True
    for key, feature in dataset.features.items():
        if feature["dtype"] == "video" or len(feature["shape"]) != 1:
            continue
        values = np.concatenate([episode[key] for episode in episodes]).astype(np.float64)
        theirs = get_feature_stats(values, axis=0, keepdims=values.ndim == 1)
        span = np.maximum(theirs["max"] - theirs["min"], 1e-9)
        rows = np.sort(values.reshape(len(values), -1), axis=0)
        for name, value in theirs.items():
            ours = stats[key][name]
            shapes &= value.shape == ours.shape
            if name[0] != "q":
                basic = max(basic, float((np.abs(value - ours) / (1.0 if name == "count" else span)).max()))
                continue
            # Theirs lies anywhere in one of 5000 bins; ours between the two nearest values.
            rank = int(name[1:]) / 100 * (len(rows) - 1)
            low, high = rows[max(int(rank) - 1, 0)], rows[min(int(np.ceil(rank)) + 1, len(rows) - 1)]
            edge = span / 2500
            between &= all(bool(((low - edge <= each) & (each <= high + edge)).all()) for each in (value, ours))
            apart = max(apart, float((np.abs(value - ours) / span).max()))
    check("they have the shapes that LeRobot computes", shapes)
    check("min, max, mean, std and count are what LeRobot computes", basic < 1e-5, f"off by {basic:.2g} of the range")
    figures = f"apart by at most {apart:.2g} of the range"
    check("quantiles lie between the same neighbours as those that LeRobot estimates", between, figures)
    each = []
    for row in (row for path in sorted(dataset.root.glob("meta/episodes/*/*.parquet")) for row in read(path)):
        told: dict[str, dict[str, Any]] = {}
        for column, value in row.items():
            if column.startswith("stats/"):
                _, key, name = column.split("/")
                told.setdefault(key, {})[name] = np.array(value)
        each.append(told)
    merged = aggregate_stats(each)
    off = max(
        float(np.abs(merged[key][name] - stats[key][name]).max() / max(float(np.ptp(stats[key]["max"])), 1.0))
        for key in stats
        for name in ("min", "max", "mean", "std", "count")
    )
    check("LeRobot aggregates the statistics of the episodes to those of the whole", off < 1e-5, f"off by {off:.2g}")


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path, partitioning=None).to_pylist()
    return rows


def check_normalised(dataset: Any) -> None:
    """LeRobot's own normalisation by quantiles, which raised an error where there were none."""
    from lerobot.configs.types import FeatureType, NormalizationMode, PolicyFeature
    from lerobot.processor import NormalizerProcessorStep
    from lerobot.processor.core import TransitionKey

    state = "observation.state"
    shape = tuple(dataset.features[state]["shape"])
    for mode in (NormalizationMode.QUANTILES, NormalizationMode.QUANTILE10, NormalizationMode.MEAN_STD):
        step = NormalizerProcessorStep.from_lerobot_dataset(
            dataset, {state: PolicyFeature(FeatureType.STATE, shape)}, {FeatureType.STATE: mode}
        )
        values = np.stack([dataset.hf_dataset[index][state].numpy() for index in range(min(len(dataset), 500))])
        given = __import__("torch").from_numpy(values)
        done = step({TransitionKey.OBSERVATION: {state: given}})[TransitionKey.OBSERVATION][state].numpy()
        figures = f"5 and 95 per cent of the states at {np.quantile(done, 0.05):.2f} and {np.quantile(done, 0.95):.2f}"
        check(f"LeRobot normalises by {mode.value}", bool(np.isfinite(done).all()), figures)


def make_foreign(root: Path) -> None:
    """A dataset of LeRobot's own making."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    features: dict[str, Any] = {
        "observation.images.top": {"dtype": "image", "shape": (24, 32, 3), "names": ["height", "width", "channels"]},
        "observation.state": {"dtype": "float32", "shape": (3,), "names": {"motors": ["a", "b", "c"]}},
        "observation.map": {"dtype": "float32", "shape": (2, 5), "names": None},
        "action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]},
        "operator": {"dtype": "string", "shape": (1,), "names": None},
    }
    dataset = LeRobotDataset.create("local/foreign", fps=15, features=features, root=root, use_videos=False)
    kinds: dict[str, Callable[[Any], Any]] = {"operator": str}
    for episode in range(3):
        frames = foreign_frames(episode)
        for step in range(len(frames["action"])):
            row = {key: kinds.get(key, lambda value: value)(values[step]) for key, values in frames.items()}
            dataset.add_frame({**row, "task": f"task {episode % 2}"})
        dataset.save_episode()
    dataset.finalize()


if __name__ == "__main__":
    sys.exit(main())
