# SPDX-License-Identifier: Apache-2.0
"""SHA256SUMS: the digests of the files in a folder, as `sha256sum -c SHA256SUMS` reads them there."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from embodied.errors import EmbodiedError
from embodied.files import read_text

SUMS = "SHA256SUMS"
PENDING = f"{SUMS}.part"
"""The sums of files that are being put in place; a process that is killed meanwhile leaves it."""
_MOST_BYTES = 2**26
_LINE = re.compile(r"([0-9a-f]{64})  (\w[\w.+-]*(?:/\w[\w.+-]*)*)", re.ASCII)


def digest_of(path: Path) -> str:
    """SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_of(digests: Mapping[str, str]) -> str:
    """The text of SHA256SUMS: a line for each file, by its name in the folder."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def read_sums(path: Path) -> dict[str, str]:
    """The digest of each file by its name. Raises EmbodiedError where there is a line that tells none."""
    *lines, rest = read_text(path, "digests", most_bytes=_MOST_BYTES).split("\n")
    found = [_LINE.fullmatch(line) for line in lines]
    told = {match[2]: match[1] for match in found if match}
    if rest or len(told) != len(lines):
        raise EmbodiedError(f"{path} is damaged: it must hold a line `<SHA-256>  <name>` for each file")
    return told
