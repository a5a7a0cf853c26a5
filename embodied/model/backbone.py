# SPDX-License-Identifier: Apache-2.0
"""The language model, seen as: token ids to embeddings, embeddings to hidden states.

The only file that knows transformers' classes of language models. Embeddings are frozen and kept as int8 rows
with one scale each: a quarter of the memory, and the same numbers in training and on the robot.

No family of models is known by name. What differs from one to the next is asked of its own modules, and
a model that is loaded must give the hidden states of its source, or it is refused.
"""

import copy
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoTokenizer
from transformers.cache_utils import Cache, DynamicCache
from transformers.configuration_utils import PretrainedConfig
from transformers.initialization import no_init_weights
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.errors import CheckpointError, EmbodiedError, shown
from embodied.model.packed import in_rows
from embodied.model.sentence import PREFIX, allowed, positions

PROBE_TOKENS = 8
"""Length of the sentence on which a loaded model is compared with its source."""
TOLERANCE = 1e-3
"""Of the largest hidden state: at least a hundred times what the order of float32 sums does."""

_MOST_TOLD = 400
"""Characters of a foreign error."""
FOREIGN_ERRORS = (
    OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError, ImportError,
    SafetensorError, StrictDataclassError,
)  # fmt: skip
"""What transformers stumbles over in a folder that it does not know."""


class Int8Embedding(nn.Module):
    """A frozen embedding table, int8 per entry and one float scale per row."""

    weight: Tensor
    scale: Tensor

    def __init__(self, vocabulary: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(vocabulary, dim, dtype=torch.int8))
        self.register_buffer("scale", torch.ones(vocabulary, 1))

    @classmethod
    def quantise(cls, table: Tensor) -> Self:
        """Round a (V, D) float table to int8 rows (symmetric, absmax)."""
        self = cls(*table.shape)
        self.weight, self.scale = in_rows(table)
        return self

    def forward(self, ids: Tensor) -> Tensor:
        """(...,) int ids to (..., D) float32 embeddings."""
        return self.weight[ids].float() * self.scale[ids]


def unset() -> AbstractContextManager[None]:
    """While it is built, a model has no weights worth having: all of them are read from a file afterwards."""
    nothing: AbstractContextManager[None] = no_init_weights()
    return nothing


class Backbone(nn.Module):
    """The first layers of a causal language model, without its vocabulary head.

    Raises CheckpointError where the configuration is not that of a stack of layers over words.
    """

    def __init__(self, config: PretrainedConfig, embedding: Int8Embedding | None = None) -> None:
        super().__init__()
        self.config = config
        # The trunk's own table is not used: give it one row, so that nothing large is allocated.
        trunk_config = copy.deepcopy(config)
        trunk_config.vocab_size, trunk_config.pad_token_id = 1, 0
        self.trunk: Any = AutoModel.from_config(trunk_config)
        words = self.trunk.get_input_embeddings()
        if words.weight.shape[1] != config.hidden_size:
            widths = f"its words are {words.weight.shape[1]} numbers wide and its layers {config.hidden_size}"
            raise CheckpointError(f"{widths}; they must be of one width")
        _norm(self.trunk, self.layers)
        self.embed_scale = _scale(words)
        self.trunk.set_input_embeddings(nn.Identity())
        # Eager attention adds the mask to its scores; the others take a bool mask, which is faster.
        self._adds_mask = self.trunk.config._attn_implementation == "eager"
        self.embedding = embedding or Int8Embedding(config.vocab_size, config.hidden_size)
        if self.embedding.weight.shape[1] != config.hidden_size:
            widths = f"{self.embedding.weight.shape[1]} numbers wide and its layers {config.hidden_size}"
            raise CheckpointError(f"the words of its base are {widths}; they must be of one width")
        self._exact = [
            (module, name)
            for module in self.trunk.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.is_floating_point() and name in module._non_persistent_buffers_set
        ]

    @classmethod
    def from_causal_lm(cls, name: str, *, layers: int, below: int = 0, gguf_file: str | None = None) -> Self:
        """`layers` layers of a causal LM given by hub name or directory: the first ones after those `below`.

        Raises CheckpointError where it cannot be loaded, has fewer layers, or where this class does not
        give the hidden states that these layers give in transformers.
        """
        source = load_source(name, gguf_file)
        available = source.config.num_hidden_layers
        if not (below >= 0 and 1 <= layers <= available - below):
            which = f"{layers} above the first {below}" if below else f"the first {layers}"
            raise CheckpointError(f"{name!r} has {available} layers; asked for {which}")
        base = source.base_model
        try:
            # Built from what a checkpoint would store, so that the comparison is one of that too.
            self = cls(config_from_dict(_some_layers(source.config, below, layers)))
            every = _layers(base, available)
            del every[below + layers :]
            del every[:below]
            for number, layer in enumerate(every):
                _renumber(layer, number)
            table = source.get_input_embeddings().weight
            self.embedding = Int8Embedding.quantise(table.detach())
            own = {key for key, value in base.named_parameters() if value is table}
            self.trunk.load_state_dict({key: value for key, value in base.state_dict().items() if key not in own})
            self.eval()
            _check_parity(self, source)
        except EmbodiedError as error:
            raise CheckpointError(f"{name!r} cannot be the language model: {error}") from error
        except FOREIGN_ERRORS as error:
            # Foreign code: whatever it stumbles over, the model does not do what this class asks of one.
            family = source.config.model_type
            what = f"{family!r} is no plain stack of attention layers ({first_line(error)})"
            raise CheckpointError(f"{name!r} cannot be the language model: {what}") from error
        return self.train()

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return int(self.config.hidden_size)

    @property
    def text_scale(self) -> float:
        """Root mean square of a word embedding's entries, as `forward` takes them."""
        rows = self.embedding(torch.arange(0, self.embedding.weight.shape[0], 16))
        return float(rows.pow(2).mean().sqrt())

    @property
    def reach(self) -> int:
        """Positions that the model tells apart, and across which each of its layers sees."""
        names = ("max_position_embeddings", "sliding_window", "attention_chunk_size")
        return min(getattr(self.config, name, None) or sys.maxsize for name in names)

    @property
    def layers(self) -> nn.ModuleList:
        """The layers in order; each is called with the hidden states (B, L, D) first."""
        return _layers(self.trunk, self.config.num_hidden_layers)

    @property
    def norm(self) -> nn.Module:
        """The norm after the last layer; its output is that of `forward`."""
        return _norm(self.trunk, self.layers)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """As of any module; what no file brings, as what positions turn by, stays float32; the rest may be coarse."""
        exact = [(module, name, module._buffers[name]) for module, name in self._exact]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for module, name, buffer in exact:
            moved = module._buffers[name]
            if buffer is not None and moved is not None:
                module._buffers[name] = buffer.to(moved.device)
        return self

    @contextmanager
    def half_way(self) -> Iterator[list[Tensor]]:
        """What comes out of the layer half way up, (B, L, D) of each call within."""
        seen = list[Tensor]()

        def keep(_: nn.Module, __: Any, output: Any) -> None:
            seen.append(output[0] if isinstance(output, tuple) else output)

        hook = self.layers[(len(self.layers) - 1) // 2].register_forward_hook(keep)
        try:
            yield seen
        finally:
            hook.remove()

    def unnormed(self) -> None:
        """Give what comes out of the last layer from now on, as another layer would read it."""
        norm = self.norm
        for module in self.trunk.modules():
            for name, child in module.named_children():
                if child is norm:
                    setattr(module, name, nn.Identity())

    def forward(self, embeddings: Tensor, *, mask: Tensor, position_ids: Tensor, cache: Cache | None = None) -> Tensor:
        """(B, L, D) embeddings to (B, L, D) hidden states after the final norm.

        `mask` is (B, 1, L, L + cached) bool. With a `cache`, its keys and values are extended in place.
        Raises EmbodiedError for a position that the model does not reach.
        """
        last = int(position_ids.max())
        if last >= self.reach:
            raise EmbodiedError(
                f"a sentence of {last + 1} positions is too long: this language model reads at most {self.reach}; "
                "give it fewer readings or fewer words"
            )
        if self._adds_mask:
            mask = torch.zeros_like(mask, dtype=embeddings.dtype).masked_fill(~mask, torch.finfo(embeddings.dtype).min)
        output = self.trunk(
            inputs_embeds=embeddings * self.embed_scale,
            attention_mask=mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden

    def words(self, ids: Sequence[int] | Tensor) -> Tensor:
        """(..., D) float32 embeddings of token ids."""
        known = torch.as_tensor(ids, dtype=torch.long, device=self.embedding.weight.device)
        return self.embedding(known)  # type: ignore[no-any-return]

    def new_cache(self) -> Cache:
        """An empty key-value cache, which forgets nothing: `reach` is below any sliding window."""
        return DynamicCache()

    def config_dict(self) -> dict[str, Any]:
        """The configuration as plain data, for `config.json`, without where it was read from."""
        return _plain(self.config)


def config_from_dict(data: dict[str, Any], what: str = "language model") -> PretrainedConfig:
    """The inverse of `Backbone.config_dict`. Raises CheckpointError for an unknown architecture."""
    data = dict(data)
    try:
        return AutoConfig.for_model(data.pop("model_type"), **data)
    except FOREIGN_ERRORS as error:
        raise CheckpointError(f"the checkpoint names no known {what}: {first_line(error)}") from error


def load_tokenizer(name: str | Path, *, gguf_file: str | None = None) -> PreTrainedTokenizerBase:
    """The tokenizer at a hub name or directory. Raises CheckpointError where there is none."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            str(name), gguf_file=gguf_file, trust_remote_code=False, local_files_only=Path(name).is_dir()
        )
    except FOREIGN_ERRORS as error:
        raise CheckpointError(f"no tokenizer at {name}: {first_line(error)}") from error
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the tokenizer; its JSON without indentation, which is half of its size, and no chat template."""
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    path = folder / "tokenizer.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Token ids of `text` with no special tokens."""
    ids: Sequence[int] = tokenizer.encode(text, add_special_tokens=False)
    return list(ids)


def _plain(config: PretrainedConfig) -> dict[str, Any]:
    return {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}


def _some_layers(config: PretrainedConfig, below: int, layers: int) -> dict[str, Any]:
    """`_plain` of the same model with only `layers` layers, the first ones after those `below`."""
    config = copy.deepcopy(config)
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[below : below + layers]
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # GGUF weights were expanded to float on loading
    return _plain(config)


def first_line(error: Exception) -> str:
    """What a foreign error says first; it may go on for pages."""
    if isinstance(error, KeyError) and not isinstance(error, EmbodiedError):
        return f"unknown {shown(error.args[0] if error.args else '')}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    text = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    return text if len(text) <= _MOST_TOLD else f"{text[: _MOST_TOLD - 3]}..."


def load_source(name: str, gguf_file: str | None) -> Any:
    """A whole causal language model in float32, evaluation mode. Raises CheckpointError."""
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            name,
            dtype=torch.float32,
            use_safetensors=None if gguf_file else True,
            gguf_file=gguf_file,
            attn_implementation="eager",  # the plain one, which knows whatever a family does
            trust_remote_code=False,
            output_loading_info=True,
        )
    except FOREIGN_ERRORS as error:
        raise CheckpointError(f"no causal language model at {name!r}: {first_line(error)}") from error
    source, report = loaded
    if source.config.get_text_config() is not source.config:
        raise CheckpointError(f"{name!r} reads more than words; give the language model inside of it")
    missing = sorted(key for key in report["missing_keys"] if key.startswith(source.base_model_prefix + "."))
    if missing:
        raise CheckpointError(f"{name!r} lacks {len(missing)} of its weights: {', '.join(missing[:3])}")
    return source


def _scale(words: nn.Embedding) -> float:
    """What a family multiplies a row of its table with before the first layer; 1 for most."""
    with torch.no_grad():
        words.weight.fill_(1.0)
        return float(words(torch.zeros(1, dtype=torch.long))[0, 0])


def _layers(model: nn.Module, count: int) -> nn.ModuleList:
    """The list of `count` layers, whatever the family calls it: the outermost of that length."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise CheckpointError(f"{type(model).__name__} keeps no list of its {count} layers")


def _norm(model: nn.Module, layers: nn.ModuleList) -> nn.Module:
    """The norm beside the list of layers, whatever the family calls it; the last where there are more."""
    beside = next(each for each in model.modules() if any(child is layers for child in each.children()))
    norms = [child for child in beside.children() if "norm" in type(child).__name__.lower()]
    if not norms:
        raise CheckpointError(f"{type(model).__name__} has no norm after its last layer")
    return norms[-1]


def _renumber(layer: nn.Module, number: int) -> None:
    """A layer keeps its keys and values in a cache under its number."""
    for module in layer.modules():
        if isinstance(getattr(module, "layer_idx", None), int):
            module.layer_idx = number  # type: ignore[assignment]


@torch.no_grad()
def _check_parity(backbone: Backbone, source: Any) -> None:
    """Raises CheckpointError unless the hidden states of `backbone` are those of the base of `source`.

    In a packed sentence of two branches, so that mask and positions are obeyed, not ignored; in two pieces
    through a cache; and a token must see a later one where the mask says so, as a reading's tokens do.
    """
    rows, half, most = backbone.embedding.weight.shape[0], PROBE_TOKENS // 2, 3 * PROBE_TOKENS // 4
    ids = torch.linspace(1, rows - 1, PROBE_TOKENS).long().unsqueeze(0)
    embeddings = backbone.embedding(ids)
    source.get_input_embeddings().weight[ids] = embeddings  # what int8 rounds off is no difference
    other = torch.cat([ids[:, :half], ids[:, most:]], dim=1)
    first, second = (source.base_model(input_ids=each).last_hidden_state for each in (ids[:, :most], other))

    branch = torch.tensor([PREFIX] * half + [1] * (most - half) + [2] * (PROBE_TOKENS - most)).unsqueeze(0)
    mask, position_ids = allowed(branch, torch.full_like(branch, -1)), positions(branch)
    packed = backbone(embeddings, mask=mask, position_ids=position_ids)
    _check_near("in one piece", packed[:, :most], first)
    _check_near("of a second branch", packed[:, most:], second[:, half:])

    cache = backbone.new_cache()
    pieces = [
        backbone(
            embeddings[:, start:end],
            mask=mask[:, :, start:end, :end],
            position_ids=position_ids[:, start:end],
            cache=cache,
        )
        for start, end in ((0, half), (half, most))
    ]
    _check_near("in two pieces", torch.cat(pieces, dim=1), first)

    mutual = backbone(embeddings, mask=torch.ones_like(mask), position_ids=position_ids)
    if _difference(mutual[:, :half], packed[:, :half]) < TOLERANCE:
        raise CheckpointError("its tokens cannot see later ones, which the tokens of a reading must")


def _difference(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, as a share of the largest number of `theirs`."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


def _check_near(where: str, ours: Tensor, theirs: Tensor) -> None:
    difference = _difference(ours, theirs)
    if not difference < TOLERANCE:
        raise CheckpointError(f"hidden states {where} differ from transformers' by {difference:.2g} of the largest")
