# SPDX-License-Identifier: Apache-2.0
"""SHA256SUMS of a checkpoint: the digest of every file that a model is made of.

It is put in place last. Files that tell nothing of the model, such as its card, are not in it.
"""

from collections.abc import Iterable
from pathlib import Path

from embodied.errors import CheckpointError, EmbodiedError, shown
from embodied.sums import PENDING, SUMS, digest_of, read_sums

TOKENIZER = "tokenizer"
CONVERT = "embodied train recipe=convert checkpoint={}"


def verify(directory: Path, needed: Iterable[str]) -> None:
    """Raises CheckpointError unless every file of the model is as it was written, those `needed` among them."""
    faults = [_fault(directory, name, needed) for name in (SUMS, PENDING) if (directory / name).exists()]
    if not faults:
        why = f"{directory} has no {SUMS}, which tells whether its files are whole: it is older, or not complete"
        raise CheckpointError(f"{why}; convert it with: {CONVERT.format(directory)}")
    if all(faults):
        remedy = f"fetch it again, or after a change of your own: {CONVERT.format(directory)}"
        raise CheckpointError(f"{faults[0]}; {remedy}")


def tokenizer_files(directory: Path) -> dict[str, Path]:
    """What is in a checkpoint's tokenizer, by its name in the checkpoint: all of it is read."""
    return {f"{TOKENIZER}/{path.name}": path for path in (directory / TOKENIZER).glob("*")}


def _fault(directory: Path, sums: str, needed: Iterable[str]) -> str:
    """How the files differ from what `sums` says; empty where they do not."""
    try:
        told = read_sums(directory / sums)
    except EmbodiedError as error:
        return str(error)
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
