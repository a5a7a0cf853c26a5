# SPDX-License-Identifier: Apache-2.0
"""Pictures through a vision transformer that others trained, of any family that transformers has: CLIP (Radford et al.
2021), SigLIP (Zhai et al. 2023), DINOv2 (Oquab et al. 2023), ViT and others.

No family is known by name. In training, `pretrained:` names a folder or a hub name, from which configuration, mean and
deviation of pixels and weights are read; a checkpoint has all of it.
"""

import inspect
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel
from transformers.configuration_utils import PretrainedConfig
from transformers.image_processing_base import ImageProcessingMixin

from embodied.errors import CheckpointError, EmbodiedError
from embodied.model.backbone import FOREIGN_ERRORS, config_from_dict, first_line
from embodied.model.encoders import ENCODERS
from embodied.model.encoders.pictures import Patched, planes_of

_UNUSED = {"_name_or_path", "architectures", "dtype", "id2label", "label2id", "torch_dtype", "transformers_version"}
"""What a configuration says besides how a model is built."""


class PretrainedEncoder(Patched):
    """(B, S, S, 3) uint8 pictures to a grid of patches; what stands before them in a model's last layer (a class, or
    registers) is left out.

    Args:
        config: of the model, as transformers has it; read from where its weights are, when it is trained.
        size_px: side of the pictures; empty is that of the model. Places in between are interpolated, if it can.
        mean, std: of a pixel's red, green and blue, from 0 to 1, as the model was trained with.
    """

    def __init__(
        self,
        *,
        config: Mapping[str, Any] | None = None,
        size_px: int | None = None,
        mean: Sequence[float] = (0.5, 0.5, 0.5),
        std: Sequence[float] = (0.5, 0.5, 0.5),
    ) -> None:
        if config is None:
            raise ValueError("which model? Name its folder, or its hub name, below pretrained: by the sense's name")
        known = config_from_dict(dict(config), "vision model")
        own_px, patch_px = (getattr(known, name, None) for name in ("image_size", "patch_size"))
        if type(own_px) is not int or type(patch_px) is not int:
            raise ValueError(f"{known.model_type!r} has no patches of one size: a grid of tokens is needed")
        super().__init__(size_px=own_px if size_px is None else size_px, patch_px=patch_px)
        self.mean, self.std = _three("mean", mean, -math.inf), _three("std", std, 0.0)
        try:
            self.model: Any = AutoModel.from_config(known, dtype=torch.float32, trust_remote_code=False)
        except FOREIGN_ERRORS as error:
            raise ValueError(f"{known.model_type!r} cannot be built: {first_line(error)}") from error
        takes = inspect.signature(self.model.forward).parameters
        needs = {name for name, each in takes.items() if each.default is each.empty and each.kind != each.VAR_KEYWORD}
        if self.model.main_input_name != "pixel_values" or needs - {"pixel_values"}:
            raise ValueError(f"{known.model_type!r} reads more than pictures; give the vision model inside of it")
        self.feature_dim = known.hidden_size
        asked = "interpolate_pos_encoding" in takes and self.size_px != own_px
        self._between = {"interpolate_pos_encoding": True} if asked else {}

    def forward(self, value: Tensor) -> Tensor:
        """Raises EmbodiedError where the model does not give a token for each patch."""
        shares = (planes_of(value, self.size_px, torch.float32) + 1.0) / 2.0
        mean, std = (torch.tensor(each, device=value.device)[:, None, None] for each in (self.mean, self.std))
        pixels = ((shares - mean) / std).to(next(self.model.parameters()).dtype)
        states: Tensor = self.model(pixel_values=pixels, **self._between).last_hidden_state
        count = (self.size_px // self.patch_px) ** 2
        if states.ndim != 3 or states.shape[1] < count:
            found = f"its last layer gives {tuple(states.shape[1:])}, and there are {count} patches"
            raise EmbodiedError(f"{self.model.config.model_type!r} has no token for each patch: {found}")
        return states[:, -count:]

    @classmethod
    def options_of(cls, source: str) -> dict[str, Any]:
        """`config`, `mean` and `std` at a folder or hub name; nothing for a file of weights."""
        if Path(source).is_file():
            return {}
        where: dict[str, Any] = {"local_files_only": Path(source).is_dir()}
        try:
            config = _vision(AutoConfig.from_pretrained(source, trust_remote_code=False, **where))
            said, _ = ImageProcessingMixin.get_image_processor_dict(source, **where)
            shift = said.get("do_normalize", True)
            mean, std = (said["image_mean"], said["image_std"]) if shift else ([0.0] * 3, [1.0] * 3)
            of_shares = said.get("do_rescale", True) and math.isclose(said.get("rescale_factor", 1 / 255), 1 / 255)
        except FOREIGN_ERRORS as error:
            raise CheckpointError(f"no vision model at {source!r}: {first_line(error)}") from error
        plain = json.loads(config.to_json_string(use_diff=False))
        if not of_shares:
            raise CheckpointError(f"{source!r} wants pixels of another scale than 0 to 1, which is not supported")
        return {
            "config": {key: value for key, value in plain.items() if key not in _UNUSED},
            "mean": mean,
            "std": std,
        }

    def take(self, source: str, what: str) -> None:
        """All weights that its features are made of. Raises CheckpointError where one is missing."""
        if Path(source).is_file():
            super().take(source, what)
            return
        try:
            loaded, report = AutoModel.from_pretrained(
                source,
                config=self.model.config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=Path(source).is_dir(),
                output_loading_info=True,
            )
            self.model.load_state_dict(loaded.state_dict())
            with torch.enable_grad():
                self(torch.zeros(1, self.size_px, self.size_px, 3, dtype=torch.uint8)).sum().backward()
        except FOREIGN_ERRORS as error:
            raise CheckpointError(f"no weights of {what} at {source!r}: {first_line(error)}") from error
        needed = {name for name, each in self.model.named_parameters() if each.grad is not None}
        self.zero_grad()
        if missing := sorted(needed & set(report["missing_keys"])):
            raise CheckpointError(f"{source!r} lacks {len(missing)} weights of {what}: {', '.join(missing[:3])}")


def _vision(config: PretrainedConfig) -> PretrainedConfig:
    """Of a model of pictures and words, the part that reads pictures."""
    part: PretrainedConfig = getattr(config, "vision_config", config)
    return part


def _three(name: str, values: Sequence[float], least: float) -> tuple[float, ...]:
    """Raises ValueError unless there are three numbers above `least`."""
    numbers = tuple(values)
    if len(numbers) != 3 or not all(isinstance(each, int | float) and least < each < math.inf for each in numbers):
        raise ValueError(f"{name} must be three numbers, of red, green and blue, not {values!r}")
    return numbers


ENCODERS.register("pretrained", PretrainedEncoder)
