# SPDX-License-Identifier: Apache-2.0
"""Make a GIF of the arm doing what it is told, with the words and the steps beside it."""

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from embodied.arm import DEFAULT_ARM
from embodied.config import ConfigError, option, parse
from embodied.controls import Policies
from embodied.environments import DEFAULT_SUITE, appearing, check_split, make_environment, suite_tasks
from embodied.episode import UNTIL, run_episode
from embodied.errors import check_name
from embodied.files import check_writable, replacing
from embodied.language.dialogue import joined
from embodied.policy import senses_of
from embodied.types import Decision

EXAMPLE = "embodied film task=put_in_bowl,stack,push_to seed=1000000 out=docs/arm.gif"
FRAME_MS = 100
LAST_FRAME_MS = 1200
PANEL = 0.8
"""Width of what is written, as a share of the picture's."""
WORDS_LINES, STEP_LINES, LETTERS = 5, 2, 26
COLOURS = 160
MIN_SIZE_PX = 120
INK, FAINT, PAPER = (30, 30, 34), (130, 130, 138), (250, 250, 248)

Shot = tuple[Any, tuple[str, ...]]
"""A picture (H, W, 3) uint8, and what was decided by then."""


@dataclass
class FilmOptions:
    """Make a GIF of the arm doing what it is told, with the words and the steps beside it."""

    task: list[str] = option(["put_in_bowl"], "tasks to show one after another, with commas between them")
    policy: str = option("palme", "policy by name or module:Class")
    arm: str = option(DEFAULT_ARM, "arm by name, or the YAML file of one")
    options: dict[str, Any] = option({}, "options of the policy, as options.checkpoint=path")
    split: str = option("seen", "seen, paraphrase or pair")
    appearance: str = option("", "what it looks like, as table:wood,light:side,clutter")
    until: str = option("success", "what ends a task: success, or done (the policy says so)")
    seed: int = option(1_000_000, "seed of the episodes")
    camera: str = option("side", "camera that films")
    size_px: int = option(320, "width of the film; made smaller until it fits into max_mb")
    max_mb: float = option(2.0, "largest size of the file")
    out: str = option("docs/arm.gif", "the GIF")


def main(arguments: Sequence[str]) -> int:
    """Film; 1 when the policy failed in one of the tasks."""
    options = parse(FilmOptions, arguments, command="embodied film", example=EXAMPLE)
    out = Path(options.out)
    if not MIN_SIZE_PX <= options.size_px <= 1024 or options.max_mb <= 0 or out.suffix != ".gif":
        raise ConfigError(f"size_px must be {MIN_SIZE_PX} to 1024, max_mb above 0, and out= must end in .gif")
    check_writable(out)
    scenes, failed = [], []
    for task, words, shots, success in _act(options):
        print(f"{task}: {words!r}: {'done' if success else 'failed'}")
        scenes.append((words, shots))
        if not success:
            failed.append(task)
    size_px = write_gif(scenes, out, options.size_px, options.max_mb)
    print(f"wrote {out}: {size_px} px wide, {out.stat().st_size / 1e6:.2f} MB")
    if failed:
        print(f"the policy failed in {', '.join(failed)}: another seed= may show more")
    return 1 if failed else 0


def _act(options: FilmOptions) -> Iterator[tuple[str, str, list[Shot], bool]]:
    """(task, words, shots, success) of each task."""
    check_split(options.split)
    check_name("until", options.until, UNTIL)
    tasks = suite_tasks(DEFAULT_SUITE, options.task)
    look = appearing(options.appearance, tasks)
    policies = Policies(options.policy, options.options)
    settings: dict[str, Any] = {"arm": options.arm, "action_mode": "ee_delta", "senses": senses_of(policies.plain)}
    settings |= look
    shots, decided = list[Shot](), list[str]()

    def shoot(*step: Any) -> None:
        shots.append((studio.picture(options.camera, options.size_px), tuple(decided)))

    def decide(decision: Decision) -> None:
        if decided[-1:] != [decision.text]:  # a stream of small steps has the same words
            decided.append(decision.text)

    for task in tasks:
        shots.clear()
        decided.clear()
        with closing(make_environment(task, **settings)) as env, closing(env.unwrapped.studio()) as studio:
            result = run_episode(
                env,
                policies,
                task=task,
                split=options.split,
                seed=options.seed,
                until=options.until,
                recorder=shoot,
                on_decision=decide,
            )
        if shots:
            shots.append((shots[-1][0], tuple(decided)))
        else:
            raise ConfigError(f"nothing moved: the policy answered {result.answer!r} to {result.instruction!r}")
        yield task, joined(result.earlier, result.instruction), list(shots), result.success


def write_gif(scenes: Sequence[tuple[str, Sequence[Shot]]], out: Path, size_px: int, max_mb: float) -> int:
    """Write the scenes (words, shots) as one GIF of at most `max_mb`.

    Returns the width that fitted. Raises ConfigError when even the smallest does not.
    """
    while size_px >= MIN_SIZE_PX:
        frames, durations = [], []
        for words, shots in scenes:
            frames += [_frame(Image.fromarray(picture), words, steps, size_px) for picture, steps in shots]
            durations += [FRAME_MS] * (len(shots) - 1) + [LAST_FRAME_MS]
        # One palette for all: with one for each frame, still parts would flicker and grow the file.
        # An octree keeps the table's colour, which covers most of the film; other methods tint it.
        few = [np.asarray(frames[i * (len(frames) - 1) // 7]) for i in range(8)]
        palette = Image.fromarray(np.hstack(few)).quantize(COLOURS, method=Image.Quantize.FASTOCTREE)
        small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        film = io.BytesIO()
        small[0].save(film, "GIF", save_all=True, append_images=small[1:], duration=durations, loop=0, optimize=True)
        if film.tell() <= max_mb * 1e6:
            with replacing(out) as part:
                part.write_bytes(film.getvalue())
            return size_px
        size_px = int(0.85 * size_px)
    raise ConfigError(f"the film does not fit into max_mb={max_mb:g}: show fewer tasks, or allow more")


def _frame(picture: Image.Image, words: str, steps: Sequence[str], size_px: int) -> Image.Image:
    """The picture, with the words and the steps drawn beside it."""
    letter_px = max(10, size_px // 22)
    font, line_px = ImageFont.load_default(size=letter_px), int(1.35 * letter_px)
    frame = Image.new("RGB", (size_px + int(PANEL * size_px), size_px), PAPER)
    frame.paste(picture.resize((size_px, size_px), Image.Resampling.LANCZOS))
    draw, left = ImageDraw.Draw(frame), size_px + letter_px
    said = f"\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}"
    lines = [(line, INK) for line in _wrapped(said, WORDS_LINES)] + [("", INK)]
    told = [_wrapped(f"{number}. {step}", STEP_LINES) for number, step in enumerate(steps, start=1)]
    room = (size_px - letter_px) // line_px - len(lines)
    while told and sum(map(len, told)) > room:  # the first ones make way
        told.pop(0)
    lines += [(line, INK if step is told[-1] else FAINT) for step in told for line in step]
    for row, (line, ink) in enumerate(lines):
        draw.text((left, letter_px + row * line_px), line, ink, font=font)
    return frame


def _wrapped(text: str, most: int) -> list[str]:
    return textwrap.wrap(text, width=LETTERS, max_lines=most, placeholder=" \N{HORIZONTAL ELLIPSIS}")
