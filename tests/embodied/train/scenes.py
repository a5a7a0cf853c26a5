# SPDX-License-Identifier: Apache-2.0
"""A small folder of rendered scenes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

SIZE_PX = 32
COLOURS, KINDS = ("red", "green", "blue"), ("block", "bowl", "zone")
Thing = tuple[int, int, float, float]
"""Numbers of colour and kind, and the place in the picture as fractions."""


def write_scenes(folder: Path, scenes: Sequence[Sequence[Thing]], *, seed: int) -> Path:
    """Scene i has brightness 10 (i + 1) all over."""
    folder.mkdir(exist_ok=True)
    pictures = np.empty((len(scenes), SIZE_PX, SIZE_PX, 3), np.uint8)
    pictures[:] = (10 * np.arange(1, len(scenes) + 1, dtype=np.uint8))[:, None, None, None]
    np.save(folder / "pictures.npy", pictures)
    told = [
        [[colour, kind, u * SIZE_PX, v * SIZE_PX, 0.5, 0.0, None] for colour, kind, u, v in things] for things in scenes
    ]
    rows = [{"objects": things, "commands": []} for things in told]
    (folder / "scenes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = {"verbs": [], "kinds": KINDS, "colours": COLOURS, "other_colours": [], "answers": []}
    (folder / "meta.json").write_text(json.dumps({"seed": seed, "state": [0.0] * 8} | words))
    return folder
