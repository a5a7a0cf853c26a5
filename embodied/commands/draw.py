# SPDX-License-Identifier: Apache-2.0
"""Draw the way through the house, with the parts that are installed, as SVG."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import NamedTuple

from embodied.config import ConfigError, option, parse
from embodied.files import write_text

EXAMPLE = "embodied draw out=docs/house.svg"
INK, PALE, LINE, MARK = "#1f2933", "#f4f6f8", "#9aa5b1", "#d64545"
WIDTH, BOX, HEIGHT, GAP, LEFT = 920, 560, 62, 22, 20


class Step(NamedTuple):
    """One station on the way: what it is, what comes out of it, where it stands in the package."""

    title: str
    gives: str
    file: str
    parts: str = ""  # name of the registry whose parts are listed beside it


WAY = (
    Step("Senses and words", "an Observation, stamped when taken; an Instruction", "types.py"),
    Step("The door", "stop words act at once; what cannot be a command is answered", "language/door.py"),
    Step("The loop", "observe, decide, execute, look again", "run.py", "tasks"),
    Step("A policy", "a Decision: words, and one motion or none", "policy.py", "policies"),
    Step("Multimodal sentence", "sensor tokens among the words of the command", "model/sentence.py"),
    Step("Language model", "a plan, word by word, and pointed places", "model/engine.py"),
    Step("The plan", "a verb with its things: a sentence of a closed language", "language/verbs", "verbs"),
    Step("Things", "how each is grasped, and what rests in or on it", "things", "things"),
    Step("Skills", "waypoints of the hand, for any arm", "motion/skills", "skills"),
    Step("Trajectory", "a joint motion within the limits of the arm", "motion/trajectory.py"),
    Step("The gate", "limits, workspace, stop; no neural network", "safety/gate.py"),
    Step("The arm", "PyBullet, a ros2_control controller, or a gymnasium environment", "arm.py", "arms"),
)


@dataclass
class DrawOptions:
    """Draw the way through the house, with the parts that are installed, as SVG."""

    out: str = option("docs/house.svg", "the picture, whose name ends in .svg")


def main(arguments: Sequence[str]) -> int:
    """Draw, and say where."""
    options = parse(DrawOptions, arguments, command="embodied draw", example=EXAMPLE)
    out = Path(options.out)
    if out.suffix != ".svg":
        raise ConfigError(f"out={options.out}: the name must end in .svg")
    write_text(out, drawing())
    print(f"drew {out}")
    return 0


def drawing() -> str:
    """The picture as SVG. Every file that it names exists."""
    package = Path(__file__).resolve().parent.parent
    missing = [step.file for step in WAY if not (package / step.file).exists()]
    assert not missing, f"the picture names {missing}, which is not there"
    height = len(WAY) * (HEIGHT + GAP) + GAP
    parts = _parts()
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="14">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, step in enumerate(WAY):
        lines += _station(step, GAP + number * (HEIGHT + GAP), parts.get(step.parts, ()))
    for number in range(1, len(WAY)):
        y = number * (HEIGHT + GAP)
        x = LEFT + 40
        lines.append(f'<path d="M{x} {y} v{GAP - 6} m-5 -6 l5 6 l5 -6" fill="none" stroke="{MARK}" stroke-width="2"/>')
    return "\n".join([*lines, "</svg>", ""])


def _station(step: Step, y: int, parts: Sequence[str]) -> Iterator[str]:
    yield f'<rect x="{LEFT}" y="{y}" width="{BOX}" height="{HEIGHT}" rx="6" fill="{PALE}" stroke="{LINE}"/>'
    yield _text(LEFT + 14, y + 25, step.title, "font-weight='bold'")
    yield _text(LEFT + BOX - 14, y + 25, step.file, f"text-anchor='end' font-family='monospace' fill='{LINE}'")
    yield _text(LEFT + 14, y + 48, step.gives)
    if parts:
        x = LEFT + BOX + 24
        yield f'<path d="M{LEFT + BOX} {y + HEIGHT // 2} h18" stroke="{LINE}"/>'
        yield _text(x, y + 18, f"{step.parts}:", f"fill='{MARK}'")
        for row, line in enumerate(textwrap.wrap(", ".join(parts), 40)[:2]):
            yield _text(x, y + 37 + 18 * row, line)


def _text(x: int, y: int, words: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" fill="{INK}" {style}>{escape(words)}</text>'.replace(
        f'fill="{INK}" ', "" if "fill=" in style else f'fill="{INK}" '
    )


def _parts() -> Mapping[str, Sequence[str]]:
    from embodied.arm import ARMS
    from embodied.environments import SUITES, task_names
    from embodied.language.verbs import VERBS
    from embodied.motion.skills import SKILLS
    from embodied.policy import POLICIES
    from embodied.things import THINGS

    return {
        "arms": ARMS.names(),
        "tasks": task_names(),
        "suites": SUITES.names(),
        "verbs": VERBS.names(),
        "skills": SKILLS.names(),
        "policies": POLICIES.names(),
        "things": THINGS.names(),
    }
