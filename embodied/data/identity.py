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


def differences(here: Identity, there: Identity) -> list[str]:
    """A sentence for each value in which two identities differ: "layers: 8 here, 6 there"."""
    ours, theirs = (json.loads(json.dumps(dict(each))) for each in (here, there))
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return [f"{name}: {_shown(ours, name)} here, {_shown(theirs, name)} there" for name in names]


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of the files that tell a folder of data from another. Raises OSError."""
    found = [path] if path.is_file() else sorted(file for each in _TOLD_BY for file in path.glob(each))
    digests = [(file.relative_to(path).as_posix(), hash_of([file.read_bytes()])) for file in found]
    return hash_of(part.encode() for pair in digests for part in pair)


def hash_of(parts: Iterable[bytes | memoryview]) -> str:
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
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
