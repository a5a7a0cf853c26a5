# SPDX-License-Identifier: Apache-2.0
"""What something was made with: what is kept and goes on later must know it, and a difference is named."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Identity = Mapping[str, Any]
"""Name -> value, of what JSON has."""
_TOLD_BY = ("*.json", "*.jsonl", "meta/*.json")
"""The files of a data set or checkpoint that tell one from another."""
_LARGE = ("*.npy", "*.safetensors", "*.gguf")
"""Beside them, the files that are told by their size."""


def differences(here: Identity, there: Identity, where: str) -> list[str]:
    """A sentence for each value in which two identities differ: "layers: 8 here, 6 in the run".

    `where` is the place of the second: "in the run".
    """
    ours, theirs = (json.loads(json.dumps(dict(each))) for each in (here, there))
    if ours and not theirs:
        return [f"nothing {where} says what it was made with"]
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return [f"{name}: {_shown(ours, name)} here, {_shown(theirs, name)} {where}" for name in names]


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of what tells a folder of data from another. Raises OSError."""
    if path.is_file():
        return hash_of([path.read_bytes()])
    told = {file: hash_of([file.read_bytes()]) for each in _TOLD_BY for file in path.glob(each)}
    told |= {file: str(file.stat().st_size) for each in _LARGE for file in path.glob(each)}
    return hash_of(f"{file.relative_to(path).as_posix()}: {told[file]}\n".encode() for file in sorted(told))


def hash_of(parts: Iterable[bytes]) -> str:
    """SHA-256 of parts that follow each other."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()


def _shown(identity: Identity, name: str) -> str:
    if name not in identity:
        return "not told"
    value = identity[name]
    shown = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
