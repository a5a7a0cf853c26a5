# SPDX-License-Identifier: Apache-2.0
"""List the tasks with examples, and every suite, policy, thing, verb, look, skill and arm by name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from embodied.arm import ARMS
from embodied.config import option, parse
from embodied.environments import SUITES, environment_id, load_environments
from embodied.errors import EmbodiedError
from embodied.language.looks import LOOKS
from embodied.language.verbs import VERBS
from embodied.motion.skills import SKILLS
from embodied.policy import POLICIES
from embodied.things import THINGS
from sim.tasks import TASKS


@dataclass
class TasksOptions:
    """List the tasks, their environments and an example of each."""

    seed: int = option(0, "seed of the examples")
    examples: int = option(1, "example instructions for each task and split")


def main(arguments: Sequence[str]) -> int:
    """Print the table of tasks, and the names of everything else that can be chosen."""
    options = parse(TasksOptions, arguments, command="embodied tasks")
    from rich.console import Console
    from rich.table import Table

    load_environments()
    table = Table("task", "environment", "split", "for example", title="Tasks")
    table.columns[1].no_wrap = True
    for name in TASKS:
        for row, (split, said) in enumerate(_examples(name, options)):
            first = (name, environment_id(name)) if row == 0 else ("", "")
            table.add_row(*first, split, said)
        table.add_section()
    console = Console()
    console.print(table)
    for suite in SUITES:
        console.print(f"suite={suite}: {', '.join(SUITES.get(suite))}", highlight=False)
    console.print(f"policy=: {', '.join(POLICIES)}, or module:Class", highlight=False)
    for registry in (THINGS, VERBS, LOOKS, SKILLS, ARMS):
        console.print(f"{registry.what}: {', '.join(registry.names())}", highlight=False)
    return 0


def _examples(name: str, options: TasksOptions) -> Iterator[tuple[str, str]]:
    """(split, instructions) for each split of a task; or what is wrong with it, instead of them."""
    try:
        task = TASKS.get(name)
        for split in task.splits:
            rng = np.random.default_rng(options.seed)
            yield split, "\n".join(task.sample(rng, split).instruction for _ in range(options.examples))
    except (EmbodiedError, ImportError) as error:
        # A package of somebody else's must not hide all the others.
        yield "-", str(error)
