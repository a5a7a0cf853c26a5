# SPDX-License-Identifier: Apache-2.0
"""SHA256SUMS of a checkpoint: the digest of every file that a model is made of, as `sha256sum -c SHA256SUMS` reads it.

It is put in place last. Files that tell nothing of the model, such as its card, are not in it.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from embodied.errors import CheckpointError, EmbodiedError, shown
from embodied.files import read_text

SUMS = "SHA256SUMS"
PENDING = f"{SUMS}.part"
"""The sums of files that are being put in place; a process that is killed meanwhile leaves it."""
TOKENIZER = "tokenizer"
CONVERT = "embodied train recipe=convert checkpoint={}"
_LINE = re.compile(rf"([0-9a-f]{{64}})  ((?:{TOKENIZER}/)?\w[\w.+-]*)", re.ASCII)


def verify(directory: Path, needed: Iterable[str]) -> None:
    """Raises CheckpointError unless every file of the model is as it was written, those `needed` among them."""
    faults = [_fault(directory, name, needed) for name in (SUMS, PENDING) if (directory / name).exists()]
    if not faults:
        why = f"{directory} has no {SUMS}, which tells whether its files are whole: it is older, or not complete"
        raise CheckpointError(f"{why}; convert it with: {CONVERT.format(directory)}")
    if all(faults):
        remedy = f"fetch it again, or after a change of your own: {CONVERT.format(directory)}"
        raise CheckpointError(f"{faults[0]}; {remedy}")


def sums_of(files: Mapping[str, Path]) -> str:
    """The text of SHA256SUMS: a line for each file, by its name in the checkpoint."""
    return "".join(f"{digest_of(files[name])}  {name}\n" for name in sorted(files))


def digest_of(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tokenizer_files(directory: Path) -> dict[str, Path]:
    """What is in a checkpoint's tokenizer, by its name in the checkpoint: all of it is read."""
    return {f"{TOKENIZER}/{path.name}": path for path in (directory / TOKENIZER).glob("*")}


def _fault(directory: Path, sums: str, needed: Iterable[str]) -> str:
    """How the files differ from what `sums` says; empty where they do not."""
    try:
        *lines, rest = read_text(directory / sums, "digests", most_bytes=2**20).split("\n")
    except EmbodiedError as error:
        return str(error)
    found = [_LINE.fullmatch(line) for line in lines]
    told = {match[2]: match[1] for match in found if match}
    if rest or len(told) != len(found):
        return f"{directory / sums} is damaged: it must hold a line `<SHA-256>  <name>` for each file"
    for name in (*needed, *tokenizer_files(directory)):
        if name not in told:
            return f"{directory / sums} does not tell the digest of {shown(name)}"
    for name, digest in told.items():
        path = directory / name
        if not path.is_file():
            return f"the checkpoint's file {name!r} is missing from {directory}"
        if digest_of(path) != digest:
            return f"{path} is damaged or was changed: its SHA-256 is not the one in {sums}"
    return ""
