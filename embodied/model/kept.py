# SPDX-License-Identifier: Apache-2.0
"""Layers of a language model, kept as they were read: a GGUF file takes many seconds each time, safetensors one.

They lie in `$XDG_CACHE_HOME/embodied`, which anyone may empty. The name of a file says what it was read from, and by
its own digest that nobody has changed it since.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from embodied.errors import EmbodiedError
from embodied.files import writing
from embodied.model.backbone import Backbone, config_from_dict, unset
from embodied.model.checkpoint import save_tensors
from embodied.sums import digest_of

_CONFIG = "config"


def cache_folder() -> Path:
    """Where what can be made again is kept for this user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embodied"


def kept(name: str, read: Callable[[], Backbone]) -> Backbone:
    """What `read` gives, read only once: `name` says from what. Where it cannot be kept, it is read each time."""
    folder = cache_folder()
    for path in folder.glob(f"{name}-*.safetensors"):
        if path.stem.rpartition("-")[2] == digest_of(path)[:16] and (found := _load(path)) is not None:
            return found
        path.unlink(missing_ok=True)
    backbone = read()
    try:
        _save(folder, name, backbone)
    except EmbodiedError as error:
        print(f"the language model is read anew each time, which takes a while: {error}", file=sys.stderr)
    return backbone


def _load(path: Path) -> Backbone | None:
    """None where it is of another version of this code, or of transformers."""
    try:
        with safe_open(path, "pt") as file:  # type: ignore[no-untyped-call]
            config = json.loads((file.metadata() or {})[_CONFIG])
        with unset():
            backbone = Backbone(config_from_dict(config))
        backbone.load_state_dict(load_file(path))
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, EmbodiedError):
        return None
    return backbone


def _save(folder: Path, name: str, backbone: Backbone) -> None:
    part = folder / f"{os.getpid()}.part"  # another process may be at the same
    with writing(part):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            state = {key: value.contiguous() for key, value in backbone.state_dict().items()}
            save_tensors(state, part, {_CONFIG: json.dumps(backbone.config_dict())})
            part.replace(folder / f"{name}-{digest_of(part)[:16]}.safetensors")
        finally:
            part.unlink(missing_ok=True)
