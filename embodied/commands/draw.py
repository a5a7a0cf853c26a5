# SPDX-License-Identifier: Apache-2.0
"""Draw the way through the house, with the parts that are installed, as SVG."""

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from embodied.arm import ARMS
from embodied.config import ConfigError, option, parse
from embodied.environments import task_names
from embodied.files import write_text
from embodied.language.verbs import VERBS
from embodied.motion.skills import SKILLS
from embodied.policy import POLICIES
from embodied.things import THINGS

WAY: list[tuple[str, str, str, str]] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
"""What it is, what it gives, where it stands in this package, which parts are found by name."""
STEP_PX = 84
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 {height}" font-family="Arial, sans-serif">
<style>text {{ font-size: 14px; fill: #1f2933 }} .file {{ text-anchor: end; fill: #7b8794 }}
.title {{ font-weight: bold }} .parts {{ fill: #d64545 }} path {{ fill: none; stroke: #d64545 }}
.box {{ fill: #f4f6f8; stroke: #9aa5b1 }}</style>
<rect width="920" height="{height}" fill="white"/>"""


@dataclass
class DrawOptions:
    """Draw the way through the house, with the parts that are installed, as SVG."""

    out: str = option("docs/house.svg", "the picture, whose name ends in .svg")


def main(arguments: Sequence[str]) -> int:
    """Draw, and say where."""
    options = parse(DrawOptions, arguments, command="embodied draw", example="embodied draw out=house.svg")
    if Path(options.out).suffix != ".svg":
        raise ConfigError(f"out={options.out}: the name must end in .svg")
    write_text(Path(options.out), drawing())
    print(f"drew {options.out}")
    return 0


def drawing() -> str:
    """The picture as SVG. Every file that it names exists."""
    package = Path(__file__).resolve().parent.parent
    missing = [file for _, _, file, _ in WAY if not (package / file).exists()]
    assert not missing, f"the picture names {missing}, which is not there"
    stations = [line for number, step in enumerate(WAY) for line in _station(number * STEP_PX + 22, *step)]
    return "\n".join([HEAD.format(height=len(WAY) * STEP_PX + 22), *stations, "</svg>", ""])


def _parts(sort: str) -> Iterable[str]:
    """The names of what is installed of a sort."""
    if sort == "tasks":
        return task_names()
    if sort in ("encoders", "fusions", "heads"):  # PyTorch, which the rest does without
        from embodied.model.encoders import ENCODERS
        from embodied.model.fusion import FUSIONS
        from embodied.model.heads import HEADS

        learnt: dict[str, Iterable[str]] = {"encoders": ENCODERS, "fusions": FUSIONS, "heads": HEADS}
        return learnt[sort]
    others: dict[str, Iterable[str]] = {
        "arms": ARMS, "verbs": VERBS, "skills": SKILLS, "policies": POLICIES, "things": THINGS
    }  # fmt: skip
    return others[sort]


def _station(y: int, title: str, gives: str, file: str, parts: str) -> Iterator[str]:
    if y > STEP_PX:
        yield f'<path d="M60 {y - 22} v16 m-5 -6 l5 6 l5 -6"/>'
    yield f'<rect class="box" x="20" y="{y}" width="560" height="62" rx="6"/>'
    yield f'<text class="title" x="34" y="{y + 25}">{title}</text><text x="34" y="{y + 48}">{gives}</text>'
    yield f'<text class="file" x="566" y="{y + 25}">{file}</text>'
    if parts:
        yield f'<text class="parts" x="600" y="{y + 16}">{parts}:</text>'
        names = sorted(_parts(parts))
        for row, line in enumerate(textwrap.wrap(", ".join(names), 40)):
            yield f'<text x="600" y="{y + 34 + 17 * row}">{escape(line)}</text>'
