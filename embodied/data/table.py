# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers, words and pictures in Parquet files, and back to arrays whose first axis is time."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from embodied.data.layout import DatasetError, Feature
from embodied.errors import shown
from embodied.files import writing


def read_table(path: Path, filters: Any = None) -> pa.Table:
    """The rows of a Parquet file. Raises DatasetError where it is missing or damaged."""
    try:
        # A single file: without `partitioning=None` folder names would be read as columns.
        return pq.read_table(path, filters=filters, partitioning=None, page_checksum_verification=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DatasetError(f"cannot read {path}: {shown(str(error))}") from None


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a small Parquet file, as dictionaries. Raises DatasetError."""
    table = read_table(path)
    try:
        rows: list[dict[str, Any]] = table.to_pylist()
    except ValueError as error:  # names or words that are no UTF-8
        raise DatasetError(f"cannot read {path}: {error}") from None
    return rows


class TableWriter:
    """One Parquet file, an episode at a time; until it is closed, its name ends in .part."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(path.name + ".part")
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Append rows as a group of their own, with checksums. Raises EmbodiedError where the disk refuses them."""
        with writing(self._path):
            if self._writer is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pq.ParquetWriter(self._part, table.schema, write_page_checksum=True)
            self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file; there is none where there were no rows."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with writing(self._path):
                writer.close()
                self._part.replace(self._path)


def to_arrow(feature: Feature, values: NDArray[Any]) -> pa.Array:
    """A column of numbers (T, *shape), as LeRobot has it: plain, a list of fixed length, or lists of lists."""
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), type=pa.from_numpy_dtype(feature.dtype))
    if feature.shape == (1,):
        return flat
    if len(feature.shape) == 1:
        return pa.FixedSizeListArray.from_arrays(flat, feature.shape[0])
    for side in reversed(feature.shape):
        flat = pa.ListArray.from_arrays(pa.array(np.arange(0, len(flat) + 1, side), pa.int32()), flat)
    return flat


def from_arrow(key: str, feature: Feature, column: pa.ChunkedArray, root: Path) -> NDArray[Any]:
    """The values (T, *shape) of a column; (T,) of single numbers and of words. Raises DatasetError.

    Pictures are (T, H, W, C) uint8; those that are kept as files are looked for in `root`.
    """
    count = len(column)
    if column.null_count:
        raise DatasetError(f"feature {key!r} lacks {column.null_count} of {count} values: record or export it again")
    if feature.dtype == "string":
        return np.array(column.to_pylist(), dtype=np.str_)
    if feature.dtype == "image":
        return np.stack([_picture(key, feature, cell, root) for cell in column.to_pylist()])
    array = column.combine_chunks()
    while pa.types.is_nested(array.type) and hasattr(array, "flatten"):
        array = array.flatten()
    kind = array.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DatasetError(f"feature {key!r} should hold {feature.dtype} and holds {column.type}")
    if array.null_count:
        raise DatasetError(f"feature {key!r} lacks {array.null_count} of its numbers: record or export it again")
    if len(array) != count * np.prod(feature.shape):
        wanted = f"{list(feature.shape)} in each of {count} frames"
        raise DatasetError(f"feature {key!r} should have the shape {wanted}, and has {len(array)} numbers in all")
    values = np.asarray(array.to_numpy(zero_copy_only=False), dtype=feature.dtype)
    return values if feature.shape == (1,) else values.reshape(count, *feature.shape)


def _picture(key: str, feature: Feature, cell: Any, root: Path) -> NDArray[np.uint8]:
    """A picture (H, W, C) from its bytes, or from the file that it names."""
    data, name = (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (None, None)
    try:
        with Image.open(io.BytesIO(data) if data else root / str(name)) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"feature {key!r} holds what is no picture: {error}") from None
    if sorted(pixels.shape) != sorted(feature.shape):
        shape = list(feature.shape)
        raise DatasetError(f"feature {key!r} should have the shape {shape}, and has a picture of {pixels.shape}")
    return pixels
