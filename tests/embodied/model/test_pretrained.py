# SPDX-License-Identifier: Apache-2.0
"""Vision models of others, as tiny random ones: features are those that transformers gives, and a checkpoint needs
nobody else to be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from embodied.errors import CheckpointError
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.encoders.pretrained import PretrainedEncoder
from embodied.model.palme import Palme
from embodied.types import Picture

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PICTURES = {"image_size": 32, "patch_size": 8}
WORDS = SIZES | {"vocab_size": 50, "max_position_embeddings": 8}
MEAN, STD = [0.48, 0.46, 0.41], [0.27, 0.26, 0.28]


def clip() -> Any:
    """Reads words too, and has a class before the patches."""
    config = transformers.CLIPConfig(text_config=WORDS, vision_config=SIZES | PICTURES)
    return transformers.CLIPModel(config)


def siglip() -> Any:
    """Reads words too, and has nothing before the patches."""
    config = transformers.SiglipConfig(text_config=WORDS, vision_config=SIZES | PICTURES)
    return transformers.SiglipModel(config)


def dinov2() -> Any:
    """Has a class and four registers before the patches."""
    return transformers.Dinov2WithRegistersModel(transformers.Dinov2WithRegistersConfig(**SIZES, **PICTURES))


def vit() -> Any:
    """Tells classes, and has none of the weights that pool its tokens."""
    return transformers.ViTForImageClassification(transformers.ViTConfig(**SIZES, **PICTURES, num_labels=7))


FAMILIES = {"clip": clip, "siglip": siglip, "dinov2": dinov2, "vit": vit}


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder as a hub has it."""
    torch.manual_seed(0)
    FAMILIES[request.param]().save_pretrained(tmp_path / "theirs")
    says = {"image_mean": MEAN, "image_std": STD, "do_normalize": True, "image_processor_type": "CLIPImageProcessor"}
    (tmp_path / "theirs" / "preprocessor_config.json").write_text(json.dumps(says))
    return tmp_path / "theirs"


def taken(folder: Path, **options: Any) -> PretrainedEncoder:
    encoder = PretrainedEncoder(**{**PretrainedEncoder.options_of(str(folder)), **options})
    encoder.take(str(folder), "the encoder of 'front'")
    return encoder.eval()


def pictures(count: int, side: int = 32) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


every = pytest.mark.parametrize("folder", FAMILIES, indirect=True)
one = pytest.mark.parametrize("folder", ["vit"], indirect=True)


@every
@torch.no_grad()
def test_features_are_those_of_transformers_without_what_stands_before_the_patches(folder: Path) -> None:
    encoder, shown = taken(folder), pictures(2)
    theirs: Any = transformers.AutoModel.from_pretrained(folder).eval()
    theirs = getattr(theirs, "vision_model", theirs)
    pixels = (shown.permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    states = theirs(pixel_values=pixels).last_hidden_state
    assert encoder.grid == (4, 4) and encoder.feature_dim == 32
    assert states.shape[1] - 16 == {"clip": 1, "siglip": 0, "dinov2": 5, "vit": 1}[encoder_family(encoder)]
    torch.testing.assert_close(encoder(shown), states[:, -16:], rtol=1e-4, atol=1e-5)


def encoder_family(encoder: PretrainedEncoder) -> str:
    return next(name for name in FAMILIES if name in encoder.model.config.model_type)


@every
@torch.no_grad()
def test_each_token_is_that_of_its_patch_at_other_sizes_too(folder: Path) -> None:
    encoder = taken(folder, size_px=48)
    plain = pictures(1, 48)
    assert encoder.grid == (6, 6)
    for row, column in ((0, 0), (1, 4), (5, 5)):
        changed = plain.clone()
        changed[0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 255
        moved = (encoder(changed) - encoder(plain)).abs().sum(dim=-1)[0]
        assert int(moved.argmax()) == 6 * row + column


@every
@torch.no_grad()
def test_a_checkpoint_is_read_without_a_hub(
    folder: Path, make_tiny: Callable[..., Palme], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = PretrainedEncoder.options_of(str(folder))
    assert options["mean"] == MEAN and json.dumps(options)
    model = make_tiny(senses={"front": SenseConfig(PartConfig("pretrained", options))})
    model.encoders["front"].take(str(folder), "the encoder of 'front'")
    model.bfloat16().float().save_pretrained(tmp_path / "model")
    shutil.rmtree(folder)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", None)
    read = Palme.from_pretrained(tmp_path / "model")
    for one, other in ((model, read), (model.bfloat16(), read.bfloat16())):
        assert torch.equal(one.encoders["front"](pictures(2)), other.encoders["front"](pictures(2)))
    picture = Picture(rgb=pictures(1, 50)[0].numpy(), intrinsics_px=np.eye(3), world_from_camera=np.eye(4), stamp_s=0.0)
    assert read.encoders["front"].prepare([picture]).shape == (32, 32, 3)


@one
def test_weights_that_matter_must_be_there(folder: Path) -> None:
    options = PretrainedEncoder.options_of(str(folder))
    state = load_file(folder / "model.safetensors")
    lacks = next(name for name in state if "layernorm_after.weight" in name)
    save_file({name: value for name, value in state.items() if name != lacks}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks 1 weights of the encoder of 'front': .*layernorm_after"):
        PretrainedEncoder(**options).take(str(folder), "the encoder of 'front'")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no weights of the encoder of 'front' at"):
        PretrainedEncoder(**options).take(str(folder), "the encoder of 'front'")


@one
def test_what_is_no_vision_model_is_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no vision model at"):
        PretrainedEncoder.options_of(str(tmp_path))
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    options = PretrainedEncoder.options_of(str(folder))
    assert (options["mean"], options["std"]) == ([0.0] * 3, [1.0] * 3)
    for says, words in (
        ({"do_normalize": True}, "no vision model at .*image_mean"),
        ({"do_normalize": False, "rescale_factor": "much"}, "no vision model at"),
        ({"do_normalize": False, "rescale_factor": 1 / 127.5}, "wants pixels of another scale than 0 to 1"),
        ({"do_normalize": False, "do_rescale": False}, "wants pixels of another scale than 0 to 1"),
    ):
        (folder / "preprocessor_config.json").write_text(json.dumps(says))
        with pytest.raises(CheckpointError, match=words):
            PretrainedEncoder.options_of(str(folder))
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="no vision model at"):
        PretrainedEncoder.options_of(str(folder))


TINY = {"model_type": "vit", **SIZES, **PICTURES}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, r"which model\? Name its folder, or its hub name, below pretrained:"),
        ({"config": TINY, "mean": [0.5]}, r"mean must be three numbers, of red, green and blue, not \[0.5\]"),
        ({"config": TINY, "std": [0.5, 0.0, 0.5]}, "std must be three numbers"),
        ({"config": TINY, "size_px": 30}, "size_px must be a multiple of 8"),
        ({"config": TINY | {"patch_size": [8, 8]}}, "'vit' has no patches of one size"),
        (
            {"config": {"model_type": "siglip2_vision_model", **SIZES, **PICTURES}},
            "reads more than pictures|no patches",
        ),
    ],
)
def test_options_that_fit_nothing_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, CheckpointError), match=words):
        PretrainedEncoder(**options)


def test_a_model_without_a_token_for_each_patch_is_refused() -> None:
    hides = PretrainedEncoder(config={"model_type": "vit_mae", **SIZES, **PICTURES})  # three of four patches
    with pytest.raises(Exception, match=r"'vit_mae' has no token for each patch: .* \(5, 32\), and there are 16"):
        hides(pictures(1))
