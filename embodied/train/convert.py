# SPDX-License-Identifier: Apache-2.0
"""Recipe: bring the configuration of an older checkpoint up to the present format.

    embodied train recipe=convert checkpoint=runs/palme/checkpoint

Weights stay as they are. Format 1 did not say which words a model speaks: they were those of the tabletop.
"""

from dataclasses import dataclass
from pathlib import Path

from embodied.config import option
from embodied.errors import CheckpointError
from embodied.language.vocabulary import OTHER_COLOURS
from embodied.model import checkpoint
from embodied.model.palme import FORMAT, TABLETOP_VERBS


@dataclass(kw_only=True)
class ConvertConfig:
    """Convert the config.json of a checkpoint to the present format, in place."""

    checkpoint: str = option("", "folder of the checkpoint")


def convert(config: ConvertConfig) -> Path:
    """Rewrite `config.json`; returns its path. Raises CheckpointError for a folder without a checkpoint."""
    folder = Path(config.checkpoint)
    data = checkpoint.read_config(folder)
    if data.get("format", 1) not in (1, FORMAT):
        raise CheckpointError(f"{folder} has format {data['format']}, and this writes {FORMAT}: it is newer")
    if data.get("format", 1) == 1:
        data |= {"verbs": list(TABLETOP_VERBS), "other_colours": list(OTHER_COLOURS), "format": FORMAT}
        checkpoint.write_config(folder, data)
    return folder / checkpoint.CONFIG
