# SPDX-License-Identifier: Apache-2.0
"""Families of causal language models, tiny and random: the hidden states are those of transformers."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from embodied.errors import CheckpointError, EmbodiedError
from embodied.model.backbone import Backbone, config_from_dict

VOCABULARY = 61
LAYERS = 4
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,  # large, so that every part shows in the outputs
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
GROUPED = {"num_key_value_heads": 2}
NARROW = {**GROUPED, "head_dim": 8}
OPT = {"ffn_dim": 48, "word_embed_proj_dim": 32}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", GROUPED),
    "llama tied": ("LlamaConfig", {**GROUPED, "tie_word_embeddings": True}),
    "mistral": ("MistralConfig", {**GROUPED, "sliding_window": 32}),
    "qwen2": ("Qwen2Config", GROUPED),
    "qwen3": ("Qwen3Config", NARROW),
    "gpt2": ("GPT2Config", {}),
    "gpt_neox": ("GPTNeoXConfig", {}),
    "gemma": ("GemmaConfig", NARROW),
    "gemma2": ("Gemma2Config", {**NARROW, "sliding_window": 32, "attn_logit_softcapping": 0.5}),
    "gemma3": ("Gemma3TextConfig", {**NARROW, "sliding_window": 32, "_sliding_window_pattern": 3}),
    "opt": ("OPTConfig", OPT),
    "phi": ("PhiConfig", GROUPED),
    "granite": ("GraniteConfig", {**GROUPED, "embedding_multiplier": 3.0}),
}


def make(config: str, **options: Any) -> Any:
    """A whole random model; gains and biases too, which families start at one and zero."""
    torch.manual_seed(7)
    whole = transformers.AutoModelForCausalLM.from_config(
        getattr(transformers, config)(**{**SIZES, **options}), attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        for parameter in whole.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return whole


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """For matrices this small, threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=sorted(FAMILIES))
def whole(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    config, options = FAMILIES[request.param]
    model = make(config, **options)
    model.save_pretrained(tmp_path / "lm")
    return model


def read(folder: Path, layers: int = LAYERS) -> Backbone:
    return Backbone.from_causal_lm(str(folder), layers=layers).eval()


def run(backbone: Backbone, ids: Tensor) -> Tensor:
    length = ids.shape[1]
    mask = torch.ones(1, 1, length, length, dtype=torch.bool).tril()
    hidden: Tensor = backbone(backbone.embedding(ids), mask=mask, position_ids=torch.arange(length).unsqueeze(0))
    return hidden


@torch.no_grad()
def theirs(whole: Any, backbone: Backbone, ids: Tensor) -> Tensor:
    """What transformers makes of the same words by the same table."""
    whole.get_input_embeddings().weight.copy_(backbone.embedding(torch.arange(VOCABULARY)))
    hidden: Tensor = whole.base_model(input_ids=ids).last_hidden_state
    return hidden


def assert_near(ours: Tensor, wanted: Tensor) -> None:
    assert wanted.abs().max() > 0.1
    torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


IDS = torch.randint(0, VOCABULARY, (1, 14), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_hidden_states_are_those_of_transformers(whole: Any, tmp_path: Path) -> None:
    backbone = read(tmp_path / "lm")
    wanted = theirs(whole, backbone, IDS)
    assert_near(run(backbone, IDS), wanted)
    cache = backbone.new_cache()
    pieces = [
        backbone(
            backbone.embedding(IDS[:, start:end]),
            mask=torch.ones(1, 1, end - start, end, dtype=torch.bool).tril(start),
            position_ids=torch.arange(start, end).unsqueeze(0),
            cache=cache,
        )
        for start, end in ((0, 6), (6, 7), (7, 14))
    ]
    assert_near(torch.cat(pieces, dim=1), wanted)


@torch.no_grad()
@pytest.mark.parametrize("layers", [1, 3])
def test_the_first_layers_are_those_of_a_model_of_so_many(whole: Any, tmp_path: Path, layers: int) -> None:
    backbone = read(tmp_path / "lm", layers)
    config = transformers.AutoConfig.from_pretrained(tmp_path / "lm")
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    shallow = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "lm", config=config, attn_implementation="eager"
    ).eval()
    assert_near(run(backbone, IDS), theirs(shallow, backbone, IDS))
    assert len(backbone.layers) == layers


@torch.no_grad()
def test_it_is_rebuilt_from_the_text_of_its_configuration(whole: Any, tmp_path: Path) -> None:
    backbone = read(tmp_path / "lm", 3)
    text = json.dumps(backbone.config_dict())
    assert str(tmp_path) not in text
    rebuilt = Backbone(config_from_dict(json.loads(text)))
    rebuilt.load_state_dict(backbone.state_dict())
    assert torch.equal(run(rebuilt.eval(), IDS), run(backbone, IDS))
    assert json.dumps(rebuilt.config_dict()) == text


def test_a_configuration_of_nothing_known_is_refused_in_one_line() -> None:
    for data in ({"model_type": "nonsense"}, {"model_type": "llama", "hidden_size": "wide"}):
        with pytest.raises(CheckpointError, match="names no known language model") as caught:
            config_from_dict(data)
        assert "\n" not in str(caught.value)


@torch.no_grad()
def test_hooks_see_every_layer_in_order_and_the_final_norm(whole: Any, tmp_path: Path) -> None:
    backbone = read(tmp_path / "lm")
    seen: list[int] = []
    norms: list[Tensor] = []

    def note(number: int) -> Callable[[Any, tuple[Any, ...]], None]:
        return lambda layer, given: seen.append(number) if given[0].shape == (1, 14, 32) else None

    for number, layer in enumerate(backbone.layers):
        layer.register_forward_pre_hook(note(number))
    backbone.norm.register_forward_hook(lambda norm, given, output: norms.append(output))
    hidden = run(backbone, IDS)
    assert seen == list(range(LAYERS))
    assert len(norms) == 1 and torch.equal(norms[0], hidden)


@torch.no_grad()
def test_a_reading_is_seen_in_both_directions(whole: Any, tmp_path: Path) -> None:
    backbone = read(tmp_path / "lm")
    embeddings, position_ids = backbone.embedding(IDS), torch.arange(14).unsqueeze(0)
    mask = torch.ones(1, 1, 14, 14, dtype=torch.bool).tril()
    mask[:, :, 2:6, 2:6] = True
    changed = embeddings.clone()
    changed[:, 5] = embeddings[:, 6]
    before, after = (backbone(each, mask=mask, position_ids=position_ids) for each in (embeddings, changed))
    moved = (after - before).abs().amax(dim=-1)[0]
    assert moved[:2].max() < 1e-5 and moved[2:6].min() > 1e-3


def test_words_reach_the_first_layer_at_the_scale_of_the_family(tmp_path: Path) -> None:
    for name, scale in (("llama", 1.0), ("gemma3", 32**0.5)):
        config, options = FAMILIES[name]
        make(config, **options).save_pretrained(tmp_path / name)
        backbone = read(tmp_path / name)
        inputs: list[Tensor] = []
        backbone.layers[0].register_forward_pre_hook(lambda layer, given, inputs=inputs: inputs.append(given[0]))
        run(backbone, torch.arange(0, 48, 16).unsqueeze(0))
        everything = backbone.embedding(torch.arange(0, 48, 16))
        torch.testing.assert_close(inputs[0][0], everything * scale)
        assert backbone.text_scale == pytest.approx(float(everything.pow(2).mean().sqrt()), rel=0.1)


def test_a_position_out_of_reach_is_refused(tmp_path: Path) -> None:
    for name, reach in (("gpt2", 64), ("gemma3", 32)):
        config, options = FAMILIES[name]
        make(config, **options).save_pretrained(tmp_path / name)
        backbone = read(tmp_path / name)
        assert run(backbone, torch.zeros(1, reach, dtype=torch.long)).isfinite().all()
        with pytest.raises(EmbodiedError, match=f"{reach + 1} positions is too long.*at most {reach}"):
            run(backbone, torch.zeros(1, reach + 1, dtype=torch.long))


def test_weights_in_a_gguf_file_are_read(tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf")
    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(tmp_path / "tiny.gguf", "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(1e4)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"t{number}" for number in range(VOCABULARY)])
    wide = {"token_embd": (VOCABULARY, 32), "output": (VOCABULARY, 32), "output_norm": (32,)}
    for number in range(LAYERS):
        layer = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (32, 32))
        layer |= {"attn_norm": (32,), "ffn_norm": (32,), "ffn_gate": (48, 32), "ffn_up": (48, 32), "ffn_down": (32, 48)}
        wide |= {f"blk.{number}.{name}": shape for name, shape in layer.items()}
    for name, shape in wide.items():
        writer.add_tensor(f"{name}.weight", rng.normal(0.0, 0.3, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    backbone = Backbone.from_causal_lm(str(tmp_path), layers=2, gguf_file="tiny.gguf").eval()
    text = json.dumps(backbone.config_dict())
    assert len(backbone.layers) == 2 and "quantization" not in text and str(tmp_path) not in text
    rebuilt = Backbone(config_from_dict(json.loads(text)))
    rebuilt.load_state_dict(backbone.state_dict())
    with torch.no_grad():
        assert torch.equal(run(rebuilt.eval(), IDS), run(backbone, IDS))
    (tmp_path / "bad.gguf").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="no causal language model"):
        Backbone.from_causal_lm(str(tmp_path), layers=2, gguf_file="bad.gguf")


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "another width": ("OPTConfig", {**OPT, "word_embed_proj_dim": 16}, "words are 16 numbers wide and its layers 32"),
    "no norm": ("OPTConfig", {**OPT, "do_layer_norm_before": False}, "no norm after its last layer"),
    "no mask": ("GPTNeoConfig", {"attention_types": [[["global"], LAYERS]]}, "cannot see later ones"),
    "no positions": ("BloomConfig", {}, "'bloom' is no plain stack of attention layers"),
    "recurrent": ("MambaConfig", {}, "'mamba' is no plain stack of attention layers"),
    "norms inside": ("BertConfig", {}, "no norm after its last layer"),
    "both directions": ("Gemma3TextConfig", {**NARROW, "use_bidirectional_attention": True}, "hidden states in one"),
    "encoder and decoder": ("BartConfig", {"d_model": 32}, "keeps no list of its 4 layers"),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_what_cannot_be_matched_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    config, options, reason = REFUSED[what]
    make(config, **options).save_pretrained(tmp_path / "lm")
    with pytest.raises(CheckpointError, match=reason) as caught:
        read(tmp_path / "lm")
    assert "\n" not in str(caught.value)


def test_a_foreign_or_damaged_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    config, options = FAMILIES["llama"]
    make(config, **options).save_pretrained(tmp_path / "lm")
    description = json.loads((tmp_path / "lm" / "config.json").read_text())

    def refused(reason: str, **changes: Any) -> None:
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "lm", folder)
        (folder / "config.json").write_text(json.dumps(description | changes))
        if "weights" in reason:
            tensors = load_file(folder / "model.safetensors")
            del tensors["model.layers.1.mlp.up_proj.weight"]
            save_file(tensors, folder / "model.safetensors", {"format": "pt"})
        if "header" in reason:
            (folder / "model.safetensors").write_bytes(b"no tensors")
        with pytest.raises(CheckpointError, match=reason) as caught:
            read(folder)
        assert "\n" not in str(caught.value)

    refused("lacks 1 of its weights: model.layers.1.mlp.up_proj.weight")
    refused("header")
    refused("no causal language model", model_type="vit")
    refused("expected int, got str", hidden_size="wide")
    refused("unknown 'loud'", hidden_act="loud")
    refused("no causal language model", model_type="nonsense")
    code = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    refused("no causal language model", model_type="nonsense", auto_map=code)
    vision = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**SIZES, **NARROW}
    sighted = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    transformers.Gemma3ForConditionalGeneration(sighted).save_pretrained(tmp_path / "sighted")
    with pytest.raises(CheckpointError, match="reads more than words"):
        read(tmp_path / "sighted")
    for layers in (0, 5):
        with pytest.raises(CheckpointError, match=f"has 4 layers; asked for the first {layers}"):
            read(tmp_path / "lm", layers)
    with pytest.raises(CheckpointError, match="no causal language model"):
        read(tmp_path / "none")


def test_hidden_states_that_differ_are_refused_with_the_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, options = FAMILIES["gemma3"]
    make(config, **options).save_pretrained(tmp_path / "lm")
    monkeypatch.setattr("embodied.model.backbone._scale", lambda words: 1.0)
    with pytest.raises(CheckpointError, match=r"hidden states in one piece differ from transformers' by \d+\.\d+ of"):
        read(tmp_path / "lm")
