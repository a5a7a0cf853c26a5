# SPDX-License-Identifier: Apache-2.0
"""`embodied tasks`: what there is to do, to decide with, and to run it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodied.config import option, parse


@dataclass
class TasksOptions:
    """List the tasks, their environments and an example of each."""

    seed: int = option(0, "seed of the examples")
    examples: int = option(1, "example instructions for each task and split")


def main(arguments: Sequence[str]) -> int:
    """Print the table of tasks."""
    options = parse(TasksOptions, arguments, command="embodied tasks")
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from embodied.environments import SUITES, environment_id, tasks
    from embodied.policy import POLICIES

    table = Table("task", "environment", "split", "for example", title="Tasks")
    table.columns[1].no_wrap = True
    for name, task in tasks().items():
        in_suite = any(name in members for members in SUITES.values())
        for row, split in enumerate(("seen", "paraphrase", "pair") if in_suite else ("seen",)):
            rng = np.random.default_rng(options.seed)
            said = "\n".join(task.sample(rng, split).instruction for _ in range(options.examples))
            first = (name, environment_id(name)) if row == 0 else ("", "")
            table.add_row(*first, split, said)
        table.add_section()
    console = Console()
    console.print(table)
    for suite, members in SUITES.items():
        console.print(f"suite={suite}: {', '.join(members)}", highlight=False)
    console.print(f"policy=: {', '.join(POLICIES)}, or module:Class", highlight=False)
    return 0
