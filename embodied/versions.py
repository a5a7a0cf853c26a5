# SPDX-License-Identifier: Apache-2.0
"""What a result was made with: versions of what matters, and the commit."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "torch", "transformers", "safetensors", "tokenizers", "pybullet", "gymnasium")
"""The packages that results depend on."""


def installed(package: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Versions of the interpreter, of this and of PACKAGES, and the git commit where there is a checkout."""
    found = {package: installed(package) for package in ("embodied", *PACKAGES)}
    return {"python": platform.python_version(), **found, "commit": _commit()}


def _commit() -> str | None:
    """The commit of the source tree, with "+changes" when it differs; None outside of a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        describe = ["git", "-C", str(root), "describe", "--always", "--dirty=+changes", "--abbrev=12"]
        answer = subprocess.run(describe, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def machine() -> dict[str, object]:
    """What the numbers were measured on."""
    return {"architecture": platform.machine(), "cores": cores(), "processor": _processor()}


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> str:
    """The name of the processor, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(names, platform.processor())
