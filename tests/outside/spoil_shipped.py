# SPDX-License-Identifier: Apache-2.0
"""Changes the shipped checkpoint in 50 ways: each is refused in a line within a second, or loads the same.

    python tests/outside/spoil_shipped.py

Prints what each took; exit status 1 where one did neither. Takes half a minute, and 100 MB of disk.
"""

from __future__ import annotations

import importlib.util
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import torch

from embodied.errors import CheckpointError
from embodied.model.palme import Palme

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "policies" / "checkpoint"


def main() -> int:
    spec = importlib.util.spec_from_file_location("spoiling", ROOT / "tests/embodied/model/test_checkpoint.py")
    assert spec is not None and spec.loader is not None
    spoiling = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(spoiling)
    wanted, wrong, refused = Palme.from_pretrained(SHIPPED).state_dict(), 0, []
    for seed in range(50):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copytree(SHIPPED, Path(folder) / "checkpoint")
            what = spoiling.spoil(copy, random.Random(seed))
            began = time.perf_counter()
            try:
                read = Palme.from_pretrained(copy).state_dict()
                told = "the same" if all(torch.equal(each, read[key]) for key, each in wanted.items()) else "OTHER"
            except CheckpointError as error:
                told = str(error)
                refused.append(time.perf_counter() - began)
            wrong += told == "OTHER" or not told.isprintable()
            print(f"{time.perf_counter() - began:5.2f} s  {what}: {told}")
    print(f"{len(refused)} of 50 refused, the slowest in {max(refused):.2f} s; {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
