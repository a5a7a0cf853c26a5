# SPDX-License-Identifier: Apache-2.0
"""A few more words through layers of the common kind, without ceremony.

For one word, what stands around the products of a layer (modules, hooks, casts, masks) takes longer than the products.
Here a layer is the sums that it is: a norm by the root mean square, attention with turned keys (Su et al. 2021) that
heads share (Ainslie et al. 2023, GQA), and a gated map (Shazeer 2020). No family of models is known by name: a stack of
layers that has these parts, and gives the same numbers this way, is read this way.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from embodied.model.packed import ROWS, PackedLinear

_PARTS = {
    "": {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"},
    "self_attn": {"q_proj", "k_proj", "v_proj", "o_proj"},
    "mlp": {"gate_proj", "up_proj", "down_proj", "act_fn"},
}
"""What a layer is made of, and no more."""
_NUMBERS = {
    "self_attn": ("head_dim", "scaling"),
    "input_layernorm": ("variance_epsilon",),
    "post_attention_layernorm": ("variance_epsilon",),
}
"""What its parts say of themselves."""
_STACK = {"layers", "norm", "rotary_emb"}
"""What a stack has beside its words."""
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 3e-2}
"""Of the largest number, between both ways: sums in another order."""
_BEFORE = 2 * ROWS
"""Words that are read before, when both ways are compared."""


class Lean(nn.Module):
    """A stack of layers (`whole`, as transformers has it) that reads up to ROWS words behind others this way."""

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.whole: Any = whole
        self._parts = [*whole.modules()]

    def forward(
        self, *, inputs_embeds: Tensor, attention_mask: Tensor, past_key_values: Any = None, **more: Any
    ) -> Any:
        """As of the whole: an object whose `last_hidden_state` is (B, L, D)."""
        few = inputs_embeds.shape[0] == 1 and inputs_embeds.shape[1] <= ROWS and attention_mask.dtype == torch.bool
        if past_key_values is None or not few or self._is_watched():
            return self.whole(
                inputs_embeds=inputs_embeds, attention_mask=attention_mask, past_key_values=past_key_values, **more
            )
        states = self.read(inputs_embeds[0], attention_mask[0, 0], more["position_ids"], past_key_values)
        return SimpleNamespace(last_hidden_state=states.unsqueeze(0))

    def read(self, words: Tensor, mask: Tensor, position_ids: Tensor, cache: Any) -> Tensor:
        """(K, D) words to (K, D) states. `mask` (K, L) bool: the L words in the cache, then, that each may look at."""
        turn = tuple(each[0].unsqueeze(1) for each in self.whole.rotary_emb(words, position_ids))
        seen = None if len(words) == 1 and bool(mask.all()) else mask
        x = words.float()
        for number, layer in enumerate(self.whole.layers):
            gated = layer.mlp
            x = x + _attended(layer.self_attn, _normed(layer.input_layernorm, x), turn, seen, cache, number)
            y = _normed(layer.post_attention_layernorm, x)
            x = x + _product(gated.down_proj, gated.act_fn(_product(gated.gate_proj, y)) * _product(gated.up_proj, y))
        states: Tensor = self.whole.norm(x.to(words.dtype))
        return states

    def _is_watched(self) -> bool:
        """Whether somebody reads or changes what goes through a module, as some fusions do."""
        return any(module._forward_hooks or module._forward_pre_hooks for module in self._parts)


def lean(whole: nn.Module, new_cache: Callable[[], Any]) -> nn.Module:
    """The same stack of layers, which reads few words faster where that gives the same; tried with a `new_cache`."""
    parts = {name for name, _ in whole.named_children()}
    if not (parts >= _STACK and all(_is_common(layer) for layer in whole.get_submodule("layers").children())):
        return whole
    made = Lean(whole).eval()
    return made if _gives_the_same(made, new_cache) else whole


def _is_common(layer: nn.Module) -> bool:
    for path, parts in _PARTS.items():
        part = layer if not path else getattr(layer, path, None)
        if part is None or {name for name, _ in part.named_children()} != parts:
            return False
    return all(hasattr(layer.get_submodule(path), name) for path, names in _NUMBERS.items() for name in names)


@torch.no_grad()
def _gives_the_same(made: Lean, new_cache: Callable[[], Any]) -> bool:
    """Whether a few words, behind others, come out alike both ways; where all see all, and where some see less."""
    like, ends = made.whole.layers[0].input_layernorm.weight, (_BEFORE, _BEFORE + 1, _BEFORE + ROWS)
    draw = torch.Generator().manual_seed(0)
    words = torch.randn(1, ends[-1], len(like), generator=draw).to(like)
    places = torch.arange(ends[-1], device=like.device).unsqueeze(0)
    mask = torch.ones(1, 1, ends[-1], ends[-1], dtype=torch.bool, device=like.device).tril()
    turned = made.whole.rotary_emb(words, places)[0].shape[-1]
    if turned != made.whole.layers[0].self_attn.head_dim:  # some families turn a part of each head alone
        return False
    states = list[Tensor]()
    for stack in (made.whole, made):
        cache, read = new_cache(), list[Tensor]()
        for start, end in zip((0, *ends), ends, strict=False):
            found = stack(
                inputs_embeds=words[:, start:end],
                attention_mask=mask[:, :, start:end, :end],
                position_ids=places[:, start:end],
                past_key_values=cache,
                use_cache=True,
            )
            read.append(found.last_hidden_state)
        states.append(torch.cat(read, dim=1).float())
    plain, ours = states
    return bool((ours - plain).abs().max() <= _TOLERANCE.get(like.dtype, 0.0) * plain.abs().max())


def _normed(norm: Any, x: Tensor) -> Tensor:
    return torch.rms_norm(x, norm.weight.shape, norm.weight.float(), norm.variance_epsilon)


def _product(linear: Any, x: Tensor) -> Tensor:
    """(K, N) float32."""
    if isinstance(linear, PackedLinear):
        return linear.few(x)
    product: Tensor = linear(x.to(linear.weight.dtype))
    return product.float()


def _attended(
    attention: Any, x: Tensor, turn: Sequence[Tensor], seen: Tensor | None, cache: Any, number: int
) -> Tensor:
    """(K, D) what attention adds to each of K words; their keys and values join the cache."""
    count, width = len(x), attention.head_dim
    asks = _turned(_product(attention.q_proj, x).view(count, -1, width), turn)
    keys = _turned(_product(attention.k_proj, x).view(count, -1, width), turn)
    values = _product(attention.v_proj, x).view(count, -1, width)
    dtype = turn[0].dtype
    pair = (each.to(dtype).transpose(0, 1).unsqueeze(0) for each in (keys, values))
    every, meant = cache.update(*pair, number)
    shared, group = keys.shape[1], asks.shape[1] // keys.shape[1]
    # Heads that share keys stand one under the other, as if they were more words.
    under = asks.to(dtype).view(count, shared, group, width).permute(1, 2, 0, 3).reshape(1, shared, -1, width)
    mask = None if seen is None else seen.repeat(group, 1)
    found = nn.functional.scaled_dot_product_attention(under, every, meant, mask, scale=attention.scaling)
    side_by_side = found.view(shared, group, count, width).permute(2, 0, 1, 3).reshape(count, -1)
    return _product(attention.o_proj, side_by_side.float())


def _turned(x: Tensor, turn: Sequence[Tensor]) -> Tensor:
    """(K, H, d) turned by their positions; what is turned together is half a row apart."""
    cos, sin = turn
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
