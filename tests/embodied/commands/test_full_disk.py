# SPDX-License-Identifier: Apache-2.0
"""A disk that is full or not ours: each command says so in one line, and what was whole stays whole.

A disk that is full is a limit on the size of a file here, which the kernel answers as a full disk does.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMITED = """
import resource, sys
from embodied.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""
SMALL = ("episodes=1", "workers=1", "task=touch")
COMMANDS = {
    "collect": ("collect", *SMALL, "picture_size_px=32"),
    "grounding": ("collect", "task=grounding", "scenes=3", "workers=1"),
    "eval": ("eval", *SMALL, "policy=oracle", "split=seen"),
    "film": ("film", "policy=oracle", "task=touch", "size_px=120"),
    "bench": ("bench", "part=decision", "policy=oracle", "decisions=1"),
}
OUT = {"eval": "out.json", "film": "out.gif", "bench": "out.json"}


def run(*arguments: str, limit: int = 2**62) -> tuple[int, str]:
    """Exit code and the last line of a real process, which must be all that it says of what went wrong."""
    command = [sys.executable, "-c", LIMITED, str(limit), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("embodied:")]
    assert len(lines) <= 1, done.stderr
    return done.returncode, lines[0] if lines else ""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_told_in_a_line_and_leaves_what_was_whole(name: str, tmp_path: Path) -> None:
    out = tmp_path / OUT.get(name, "out")
    whole = b"the one before"
    if name in OUT:
        out.write_bytes(whole)
    code, line = run(*COMMANDS[name], f"out={out}", limit=4096 if name in ("collect", "grounding", "film") else 200)
    assert code == 1 and "cannot write" in line and str(tmp_path) in line, line
    if name in OUT:
        assert out.read_bytes() == whole
    for path in tmp_path.rglob("*.json"):
        assert path == out or isinstance(json.loads(path.read_text()), dict)
    assert not (out / "pictures.npy").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_place_that_cannot_be_written_is_told_before_the_work(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, line = run(*COMMANDS[name], f"out={tmp_path / 'file' / OUT.get(name, 'out')}")
    assert code == 1 and "cannot write" in line and ("no folder" in line or "Not a directory" in line), line
    if name in OUT:
        (tmp_path / OUT[name]).mkdir()
        code, line = run(*COMMANDS[name], f"out={tmp_path / OUT[name]}")
        assert code == 1 and "cannot write" in line, line


def test_training_tells_it_too(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    assert run("collect", "task=grounding", "scenes=4", "workers=1", "size_px=32", f"out={data}") == (0, "")
    assert np.load(data / "pictures.npy", mmap_mode="r").shape == (4, 32, 32, 3)
    train = ("train", "recipe=vision", f"data={data}", f"out={out}", "steps=1", "batch=1")
    code, line = run(*train, limit=8192)
    assert code == 1 and "cannot write" in line and "progress.safetensors" in line, line
    assert not list(out.glob("*.safetensors*")), "no half of it is left"
