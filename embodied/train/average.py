# SPDX-License-Identifier: Apache-2.0
"""Recipe: the weights between those of two checkpoints, one trained on from the other (Wortsman et al. 2022).

    embodied train recipe=average checkpoints=runs/before/checkpoint,runs/after/checkpoint out=runs/average/checkpoint

What the first could do is forgotten less, and most of what the second learned stays.
"""

from dataclasses import dataclass
from pathlib import Path

from embodied.config import option
from embodied.errors import CheckpointError, EmbodiedError
from embodied.model.palme import Palme


@dataclass(kw_only=True)
class AverageConfig:
    """Write a checkpoint between two, of one and the same composition."""

    checkpoints: list[str] = option(
        [], "folders of two checkpoints, with a comma; the second was trained on from the first"
    )
    share: float = option(0.7, "of the second, above 0 and below 1")
    out: str = option("runs/average/checkpoint", "folder to write to")


def average(config: AverageConfig) -> Path:
    """Write the average; returns its folder.

    Raises EmbodiedError for other than two checkpoints or another share, CheckpointError for two that are not alike.
    """
    if len(config.checkpoints) != 2:
        raise EmbodiedError(f"checkpoints= needs two folders, not {len(config.checkpoints)}")
    if not 0.0 < config.share < 1.0:
        raise EmbodiedError(f"share={config.share}: it must be above 0 and below 1")
    one, other = (Palme.from_pretrained(path) for path in config.checkpoints)
    first, second = one.state_dict(), other.state_dict()
    alike = one.config == other.config and one.backbone.config_dict() == other.backbone.config_dict()
    if not alike or any(first[name].shape != second[name].shape for name in first.keys() & second.keys()):
        raise CheckpointError(f"{' and '.join(config.checkpoints)} are of two compositions: nothing lies between them")
    between = {
        name: value.lerp(second[name], config.share) if value.is_floating_point() else second[name]
        for name, value in first.items()
    }
    other.load_state_dict(between)
    other.save_pretrained(config.out)
    return Path(config.out)
