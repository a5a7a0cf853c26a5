# SPDX-License-Identifier: Apache-2.0
"""The digests of a dataset of ours, in SHA256SUMS: a file that is read must be as it was written.

Datasets of others have none; who changes one of ours with other tools removes the file.
"""

from pathlib import Path

from embodied.data.layout import DatasetError
from embodied.errors import EmbodiedError
from embodied.sums import SUMS, digest_of, read_sums


class Digests:
    """What SHA256SUMS in `root` tells; nothing where there is none. Raises DatasetError for a damaged one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._whole: set[Path] = set()
        try:
            self.told = read_sums(root / SUMS) if (root / SUMS).exists() else {}
        except EmbodiedError as error:
            raise DatasetError(str(error)) from None

    def check(self, path: Path) -> None:
        """Raises DatasetError where a file is not as it was written; once, for it may be large."""
        wanted = self.told.get(path.relative_to(self._root).as_posix())
        if wanted is None or path in self._whole:
            return
        if not path.is_file():
            raise DatasetError(f"{path} does not exist, and {SUMS} tells its digest")
        if digest_of(path) != wanted:
            remedy = f"fetch it again, or remove {SUMS} after a change of your own"
            raise DatasetError(f"{path} is damaged or was changed: its SHA-256 is not the one in {SUMS}; {remedy}")
        self._whole.add(path)

    def check_meta(self) -> None:
        """`check` everything but data and videos, which are checked when they are read."""
        for name in self.told:
            if name.startswith("meta/"):
                self.check(self._root / name)
