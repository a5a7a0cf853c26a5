# SPDX-License-Identifier: Apache-2.0
"""Recipe: bring the configuration of an older checkpoint up to the present format, and write its sums.

    embodied train recipe=convert checkpoint=runs/palme/checkpoint

Weights stay as they are. SHA256SUMS is written anew: who changes a file on purpose says so in this way. Format 1 did
not say which words a model speaks: they were those of the tabletop. Format 2 did not say which parts a model has: they
were those that there were.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied.config import option
from embodied.errors import CheckpointError
from embodied.files import write_text
from embodied.language.vocabulary import OTHER_COLOURS
from embodied.model import checkpoint
from embodied.model.composition import TABLETOP_VERBS
from embodied.model.palme import FORMAT
from embodied.sums import SUMS, digest_of
from embodied.types import JOINTS


@dataclass(kw_only=True)
class ConvertConfig:
    """Convert the config.json of a checkpoint to the present format, in place, and write SHA256SUMS."""

    checkpoint: str = option("", "folder of the checkpoint")


def convert(config: ConvertConfig) -> Path:
    """Rewrite `config.json` and SHA256SUMS; returns the path of the first.

    Raises CheckpointError for a folder without a checkpoint, and for an older one that is damaged.
    """
    folder = Path(config.checkpoint)
    data = checkpoint.read_config(folder)
    found = data.get("format", 1)
    if found not in range(1, FORMAT + 1):
        raise CheckpointError(f"{folder} has format {found}, and this writes {FORMAT}: it is newer")
    if found == 1:
        data |= {"verbs": list(TABLETOP_VERBS), "other_colours": list(OTHER_COLOURS)}
    if found < FORMAT:
        data = _with_parts(folder, data) | {"format": FORMAT}
        write_text(folder / checkpoint.CONFIG, checkpoint.config_text(data))
    if not (folder / SUMS).exists():
        _check_digests(folder)
    checkpoint.write_sums(folder)
    return folder / checkpoint.CONFIG


def _check_digests(folder: Path) -> None:
    """Raises CheckpointError where a weight file is not as the index says, which once told their digests."""
    metadata = checkpoint.read_json(folder / checkpoint.INDEX).get("metadata")
    told = metadata["sha256"] if isinstance(metadata, dict) and isinstance(metadata.get("sha256"), dict) else {}
    for name in set(checkpoint.weight_map_of(folder).values()) if told else ():
        if not (folder / name).is_file() or digest_of(folder / name) != told.get(name):
            raise CheckpointError(f"{folder / name} is missing or damaged: its SHA-256 is not the one in the index")


def _with_parts(folder: Path, data: dict[str, Any]) -> dict[str, Any]:
    """A configuration of format 2 as one that names every part. Raises CheckpointError where it is none."""
    try:
        modalities, picture = dict(data.pop("modalities")), data.pop("picture")
        senses = {
            name: {
                "encoder": {"name": each["encoder"], "options": each.get("options", {})},
                "reading": JOINTS if name == "state" else "",
                "connector": {"name": "affine", "options": {}},
            }
            for name, each in modalities.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / checkpoint.CONFIG} does not describe a model: lacks {error}") from error
    heads = {
        "plan": {"name": "plan", "options": {}},
        "grounding": {"name": "grounding", "options": {"sense": picture}},
    }
    fusion = {"name": "early", "options": {}}
    return data | {"senses": senses, "fusion": fusion, "heads": heads, "frozen": [picture]}
