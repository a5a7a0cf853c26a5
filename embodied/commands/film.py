# SPDX-License-Identifier: Apache-2.0
"""Make a GIF of the arm doing what it is told, with the words under it."""

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
from embodied.episode import run_episode
from embodied.files import check_writable, replacing
from embodied.policy import senses_of

EXAMPLE = "embodied film task=put_in_bowl,stack,push_to seed=1000000 out=docs/arm.gif"
FRAME_MS = 100
LAST_FRAME_MS = 1200
CAPTION_LINES = 3
COLOURS = 160
MIN_SIZE_PX = 120
INK, PAPER = (30, 30, 34), (250, 250, 248)


@dataclass
class FilmOptions:
    """Make a GIF of the arm doing what it is told, with the words under it."""

    task: list[str] = option(["put_in_bowl"], "tasks to show one after another, with commas between them")
    policy: str = option("palme", "policy by name or module:Class")
    arm: str = option(DEFAULT_ARM, "arm by name, or the YAML file of one")
    options: dict[str, Any] = option({}, "options of the policy, as options.checkpoint=path")
    split: str = option("seen", "seen, paraphrase or pair")
    appearance: str = option("", "what it looks like, as table:wood,light:side,clutter")
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
    for task, words, pictures, success in _act(options):
        print(f"{task}: {words!r}: {'done' if success else 'failed'}")
        scenes.append((words, pictures))
        if not success:
            failed.append(task)
    size_px = write_gif(scenes, out, options.size_px, options.max_mb)
    print(f"wrote {out}: {size_px} px wide, {out.stat().st_size / 1e6:.2f} MB")
    if failed:
        print(f"the policy failed in {', '.join(failed)}: another seed= may show more")
    return 1 if failed else 0


def _act(options: FilmOptions) -> Iterator[tuple[str, str, list[Any], bool]]:
    """(task, words, pictures, success) of each task."""
    check_split(options.split)
    tasks = suite_tasks(DEFAULT_SUITE, options.task)
    look = appearing(options.appearance, tasks)
    policies = Policies(options.policy, options.options)
    settings: dict[str, Any] = {"arm": options.arm, "action_mode": "ee_delta", "senses": senses_of(policies.plain)}
    settings |= look
    pictures: list[Any] = []

    def shoot(*step: Any) -> None:
        pictures.append(studio.picture(options.camera, options.size_px))

    for task in tasks:
        pictures.clear()
        with closing(make_environment(task, **settings)) as env, closing(env.unwrapped.studio()) as studio:
            result = run_episode(env, policies, task=task, split=options.split, seed=options.seed, recorder=shoot)
        if not pictures:
            raise ConfigError(f"nothing moved: the policy answered {result.answer!r} to {result.instruction!r}")
        yield task, result.instruction, list(pictures), result.success


def write_gif(scenes: Sequence[tuple[str, Sequence[Any]]], out: Path, size_px: int, max_mb: float) -> int:
    """Write the scenes (words, pictures of (H, W, 3) uint8) as one GIF of at most `max_mb`.

    Returns the width that fitted. Raises ConfigError when even the smallest does not.
    """
    while size_px >= MIN_SIZE_PX:
        frames, durations = [], []
        for words, pictures in scenes:
            frames += [_frame(Image.fromarray(picture), words, size_px) for picture in pictures]
            durations += [FRAME_MS] * (len(pictures) - 1) + [LAST_FRAME_MS]
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


def _frame(picture: Image.Image, words: str, size_px: int) -> Image.Image:
    """The picture with the words drawn under it."""
    letter_px = max(11, size_px // 20)
    font = ImageFont.load_default(size=letter_px)
    line_px = int(1.35 * letter_px)
    said = f"\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}"
    lines = textwrap.wrap(said, width=38, max_lines=CAPTION_LINES, placeholder=" \N{HORIZONTAL ELLIPSIS}")
    strip_px = CAPTION_LINES * line_px + line_px // 2
    frame = Image.new("RGB", (size_px, size_px + strip_px), PAPER)
    frame.paste(picture.resize((size_px, size_px), Image.Resampling.LANCZOS))
    draw = ImageDraw.Draw(frame)
    top = size_px + (strip_px - len(lines) * line_px) // 2
    for row, line in enumerate(lines):
        draw.text((size_px / 2, top + row * line_px), line, INK, font=font, anchor="ma")
    return frame
