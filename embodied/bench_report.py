# SPDX-License-Identifier: Apache-2.0
"""The measurements of `embodied bench`, for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_tables(results: Mapping[str, Any]) -> None:
    """Print what was measured."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    if "decision" in results:
        found = results["decision"]
        title = (
            f"Decision of {found['policy']}, ms: {found['picture_size_px']} px, {found['threads']} threads"
        )
        table = Table("stage", "new command p50 / p95", "cached plan p50 / p95", title=title)
        stages = dict.fromkeys([*found["fresh_ms"], *found["cached_plan_ms"]])
        for stage in sorted(stages, key=lambda name: name == "total"):
            cells = [found[kind].get(stage) for kind in ("fresh_ms", "cached_plan_ms")]
            table.add_row(stage, *(f"{c['p50']:.1f} / {c['p95']:.1f}" if c else "-" for c in cells))
        console.print(table)
        console.print(f"loading the policy: {found['load_s']:.1f} s")
    if "environment" in results:
        found = results["environment"]
        console.print(
            f"environment with one {found['picture_size_px']} px picture a step: "
            f"{found['light_steps_per_s']:.0f} steps/s; with PyBullet's own meshes, plane and shadows "
            f"{found['stock_steps_per_s']:.0f} steps/s; ratio {found['ratio']:.1f}"
        )
    if "bandwidth" in results:
        console.print(f"memory bandwidth (reading): {results['bandwidth']['read_gb_per_s']:.1f} GB/s")
    if "decode" in results:
        found = results["decode"]
        console.print(
            f"decoding: {found['tokens_per_s']:.0f} tokens/s of {found['weights_mb']:.0f} MB of weights, "
            f"{100 * found['share_of_bound']:.0f} % of the bandwidth bound of "
            f"{found['bound_tokens_per_s']:.0f} tokens/s"
        )
    console.print(f"peak memory: {results['peak_memory_mb']:.0f} MB")
