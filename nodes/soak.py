# SPDX-License-Identifier: Apache-2.0
"""Let the graph work for a while, and see whether anything grows: memory, files, threads, thinking time."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from embodied.config import ConfigError, check_json_name, option, parse
from embodied.files import check_writable, replacing, write_json

EXAMPLE = "embodied soak minutes=10 out=runs/soak.json"
NODES = ("gate", "agent", "sim")
WARM_SHARE = 0.25
"""Of the time; what is loaded and cached meanwhile does not count as growth."""
ALLOWED_AN_HOUR = {"rss_mb": 1.0, "files": 1.0, "threads": 1.0, "decision_ms": 1.0}
"""What may grow by so much in an hour without being called growth."""
_SAMPLE_S = 5.0
_EPISODE_S = 60.0


@dataclass
class SoakOptions:
    """Random commands in a loop; what each node uses, every five seconds, and a verdict."""

    minutes: float = option(10.0, "how long")
    policy: str = option("palme", "what decides")
    rate: float = option(1.0, "simulated seconds in one second")
    seed: int = option(1_000_000, "seed of the first scene")
    out: str = option("runs/soak.json", "the JSON; the plot (.png) and what the nodes print (.log) go beside it")


def main(arguments: Sequence[str]) -> int:
    """Run it; 0 when nothing grows and nothing was started anew."""
    options = parse(SoakOptions, arguments, command="embodied soak", example=EXAMPLE)
    out = Path(options.out)
    if options.minutes <= 0 or options.rate <= 0 or options.seed < 0:
        raise ConfigError("minutes and rate must be above 0, seed 0 or more")
    check_json_name(options.out)
    check_writable(out)
    samples, episodes, restarts = _work(options)
    trends = _trends(samples)
    grows = [name for name, trend in trends.items() if trend["grows"]]
    good = not grows and not restarts
    report = {
        "protocol": asdict(options),
        "episodes": len(episodes),
        "done": sum(state == "done" for state in episodes),
        "restarts": restarts,
        "verdict": "steady" if good else f"not steady: {', '.join(grows) or 'started anew'}",
        "trends": trends,
        "samples": samples,
    }
    write_json(out, report)
    for name, trend in trends.items():
        low, high = trend["ci95"]
        print(f"{name:<20} {trend['mean']:10.2f}   an hour {trend['slope']:+9.2f} ({low:+.2f} to {high:+.2f})")
    print(f"{len(episodes)} instructions, {report['done']} done, {restarts} restarts: {report['verdict']}")
    try:
        _draw(samples, out.with_suffix(".png"))
    except ModuleNotFoundError as error:
        print(f"drew no figure: it needs {error.name} (pip install {error.name})")
    print(f"wrote {out}")
    return 0 if good else 1


def _work(options: SoakOptions) -> tuple[list[dict[str, float]], list[str], int]:
    """Samples of all nodes, how each instruction ended, and how many nodes were started anew."""
    from embodied.processes import progress_bar
    from nodes.common import steady_s
    from nodes.faults.graph import Graph
    from nodes.faults.trial import Bench
    from nodes.faults.watch import Watch

    log = Path(options.out).with_suffix(".log")
    chance, samples, episodes, restarts = random.Random(options.seed), [], [], 0
    with (
        Graph(policy=options.policy, rate=options.rate, relayed=False, log=log) as graph,
        Watch(graph.domain, relayed=False) as watch,
        progress_bar("samples", round(60 * options.minutes / _SAMPLE_S)) as advance,
    ):
        bench = Bench(graph, watch, options.seed)
        bench.wait_ready()
        pids = {node: graph.pid(node) for node in NODES}
        began_s = sampled_s = steady_s()
        said, said_s = "", began_s
        while (now_s := steady_s()) - began_s < 60 * options.minutes:
            ended = watch.agent_now.get("state") in ("done", "refused", "failed", "stopped")
            if not said or ended or now_s - said_s > _EPISODE_S:
                if said:
                    episodes.append(str(watch.agent_now.get("state")))
                watch.forget()
                said, said_s = watch.say(bench.episode(chance.randrange(100_000))), now_s
            if now_s - sampled_s >= _SAMPLE_S:
                found = {node: graph.pid(node) for node in NODES}
                restarts += sum(found[node] != pids[node] for node in NODES)
                pids, sampled_s = found, now_s
                samples.append({"time_s": round(now_s - began_s, 1), **_usage(pids), **_thinking(watch.diagnostics)})
                advance(1)
            watch.wait(lambda: False, 0.1)
    return samples, episodes, restarts


def _usage(pids: Mapping[str, int | None]) -> dict[str, float]:
    """Resident memory, open files and threads of each node that runs."""
    used: dict[str, float] = {}
    for node, pid in pids.items():
        if pid is None:
            continue
        place = Path(f"/proc/{pid}")
        try:
            pages = int((place / "statm").read_text(encoding="ascii").split()[1])
            used |= {
                f"{node}.rss_mb": pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
                f"{node}.files": float(len(list((place / "fd").iterdir()))),
                f"{node}.threads": float(len(list((place / "task").iterdir()))),
            }
        except OSError:
            continue  # it has ended just now
    return used


def _thinking(diagnostics: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    text = diagnostics.get("agent_node", {}).get("decision_ms")
    return {"agent.decision_ms": float(text)} if text else {}


def _trends(samples: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Of each quantity: its mean, its slope an hour with the 95 % interval, and whether that is growth for sure."""
    if not samples:
        return {}
    late = [sample for sample in samples if sample["time_s"] >= WARM_SHARE * samples[-1]["time_s"]]
    trends = {}
    for name in sorted({name for sample in late for name in sample} - {"time_s"}):
        hours, values = np.array([(s["time_s"] / 3600, s[name]) for s in late if name in s]).T
        slope, half = slope_with_interval(hours, values)
        grows = slope - half > ALLOWED_AN_HOUR[name.partition(".")[2]]
        trends[name] = {
            "mean": float(values.mean()),
            "slope": slope,
            "ci95": [slope - half, slope + half],
            "grows": grows,
        }
    return trends


def slope_with_interval(times: Any, values: Any, blocks: int = 8) -> tuple[float, float]:
    """The slope of the line through means of blocks, and half of its 95 % interval.

    Samples that follow each other are alike; means of blocks are nearly independent. Infinite half for too few.
    """
    parts = [part for part in np.array_split(np.arange(len(times)), blocks) if part.size]
    if len(parts) < 3:
        return 0.0, math.inf
    x, y = (np.array([np.mean(each[part]) for part in parts]) for each in (times, values))
    spread = x - x.mean()
    slope = float(spread @ y / (spread @ spread))
    left = y - y.mean() - slope * spread
    error = math.sqrt(float(left @ left) / (len(parts) - 2) / float(spread @ spread))
    student = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45}[len(parts) - 2]  # t, two-sided 95 %
    return slope, student * error


def _draw(samples: Sequence[Mapping[str, float]], path: Path) -> None:
    """A panel for each kind of quantity, a line for each node, as a PNG. Needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 8.0), layout="constrained")
    for panel, kind in zip(figure.subplots(len(ALLOWED_AN_HOUR), 1, sharex=True), ALLOWED_AN_HOUR, strict=True):
        for node in NODES:
            line = [(s["time_s"] / 60, s[f"{node}.{kind}"]) for s in samples if f"{node}.{kind}" in s]
            if line:
                panel.plot(*np.array(line).T, label=node)
        panel.set_ylabel(kind)
        panel.legend(fontsize=8, frameon=False)
    panel.set_xlabel("minutes")
    with replacing(path) as part:
        figure.savefig(part, format="png", dpi=120)
