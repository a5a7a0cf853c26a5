# SPDX-License-Identifier: Apache-2.0
"""What is particular to each fusion. What holds for all of them is a law: tests/laws/test_fusion.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import transformers
from torch import Tensor

from embodied.errors import EmbodiedError
from embodied.model.backbone import Backbone, encode
from embodied.model.composition import PartConfig
from embodied.model.fusion import FUSIONS
from embodied.model.palme import Palme

BY_TOKEN = ("expert", "norms", "partial_lora")
STATE = torch.linspace(-1, 1, 8)


def picture() -> Tensor:
    return torch.randint(0, 255, (32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def states(model: Palme, senses: dict[str, Tensor]) -> Tensor:
    """(L, D) of "lift the red block"."""
    return model.read(model.embed([model.sentence(senses, [("lift the red block", None)])])).states[0]


def disturbed(model: Palme) -> Palme:
    """As after some training of the fusion alone."""
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in model.fusion.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("fusion", [*BY_TOKEN, "lora", "mixture"])
@torch.no_grad()
def test_it_begins_as_the_language_model(fusion: str, make_tiny: Callable[..., Palme]) -> None:
    senses = {"front": picture(), "state": STATE}
    early, ours = states(make_tiny(), senses), states(make_tiny(fusion=PartConfig(fusion)), senses)
    # What is built after the language model draws other random numbers: only the sentence can be compared.
    torch.testing.assert_close(ours, early, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", BY_TOKEN)
@torch.no_grad()
def test_what_it_learns_of_senses_leaves_words_alone(fusion: str, make_tiny: Callable[..., Palme]) -> None:
    plain, learned = make_tiny(), disturbed(make_tiny(fusion=PartConfig(fusion)))
    torch.testing.assert_close(states(learned, {}), states(plain, {}), rtol=1e-4, atol=1e-5)
    senses = {"front": picture(), "state": STATE}
    assert (states(learned, senses) - states(plain, senses)).abs().max() > 1e-3


@torch.no_grad()
def test_lora_corrects_words_too(make_tiny: Callable[..., Palme]) -> None:
    plain, learned = make_tiny(), disturbed(make_tiny(fusion=PartConfig("lora", {"rank": 4})))
    assert (states(learned, {}) - states(plain, {})).abs().max() > 1e-2


@torch.no_grad()
def test_a_token_goes_through_the_experts_that_its_router_likes_best_and_no_others(
    make_tiny: Callable[..., Palme],
) -> None:
    model = make_tiny(fusion=PartConfig("mixture", {"experts": 4, "chosen": 2}))
    [experts] = model.fusion.own[0]
    experts.router.weight.zero_()
    experts.router.weight[:, :4] = 5.0 * torch.eye(4)  # a token that is 1 at place i likes expert i
    liked, read = ((0, 2), (1, 3), (2, 3)), torch.zeros(3, 32)
    for row, (first, second) in enumerate(liked):
        read[row, [first, second]] = torch.tensor([1.0, 0.8])
    given = torch.ones(3, 32)
    for number, each in enumerate(experts.others, start=1):
        each.register_forward_hook(lambda *_, number=number: torch.full_like(_[2], 10.0**number))
    told = experts(read, given)
    best = torch.tensor([5.0, 4.0]).softmax(dim=0)
    values = (1.0, 10.0, 100.0, 1000.0)
    for row, (first, second) in enumerate(liked):
        assert told[row, 0] == pytest.approx(float(best[0] * values[first] + best[1] * values[second]), rel=1e-4)


def test_the_router_of_a_mixture_learns(make_tiny: Callable[..., Palme]) -> None:
    model = make_tiny(fusion=PartConfig("mixture")).train()
    with torch.no_grad():
        for each in model.fusion.own.parameters():
            each.add_(0.1 * torch.randn_like(each))
    states(model, {}).sum().backward()
    routers = [each for name, each in model.fusion.named_parameters() if "router" in name]
    assert len(routers) == 2 and all(each.grad is not None and each.grad.any() for each in routers)


@torch.no_grad()
def test_words_read_as_without_senses_behind_closed_gates(make_tiny: Callable[..., Palme]) -> None:
    model = make_tiny(fusion=PartConfig("flamingo"))
    words = states(model, {})
    torch.testing.assert_close(words, states(make_tiny(), {}), rtol=1e-4, atol=1e-5)
    seeing = states(model, {"front": picture(), "state": STATE})[-len(words) :]
    torch.testing.assert_close(seeing, words, rtol=1e-4, atol=1e-5)
    for name, parameter in model.fusion.named_parameters():
        if name == "looks.1.look_gate":  # one gate of one layer is enough
            parameter.fill_(1.0)
    seeing = states(model, {"front": picture(), "state": STATE})[-len(words) :]
    assert (seeing - words).abs().max() > 1e-2
    torch.testing.assert_close(states(model, {}), words)


@torch.no_grad()
def test_what_is_written_after_senses_of_both_sorts_is_what_is_read_at_once(make_tiny: Callable[..., Palme]) -> None:
    model = disturbed(make_tiny(fusion=PartConfig("flamingo", {"beside": ["state"]})))
    senses, words = {"front": picture(), "state": STATE}, "lift the red one"
    ids = encode(model.tokenizer, " now")
    begun = model.sentence(senses, [(words, None)])
    written = model.read(model.embed([begun]), remember=True).written(ids).states
    whole = replace(begun, branches=(replace(begun.branches[0], answer=tuple(ids)),))
    torch.testing.assert_close(model.read(model.embed([whole])).states, written, rtol=1e-4, atol=1e-4)


def test_a_sense_beside_that_the_model_has_not_is_named(make_tiny: Callable[..., Palme]) -> None:
    with pytest.raises(EmbodiedError, match=r"unknown sense 'fornt'.*front"):
        make_tiny(fusion=PartConfig("flamingo", {"beside": ["fornt"]}))


@torch.no_grad()
def test_prompts_and_senses_are_read_behind_open_gates_alone(make_tiny: Callable[..., Palme]) -> None:
    model, senses = make_tiny(fusion=PartConfig("adapter")), {"front": picture(), "state": STATE}
    words = states(make_tiny(), {})
    for shown in ({}, senses):
        torch.testing.assert_close(states(model, shown)[-len(words) :], words, rtol=1e-4, atol=1e-5)
    model.fusion.own[1].gate[2] = 1.0  # one head of one layer is enough
    prompted, seeing = states(model, {}), states(model, senses)[-len(words) :]
    assert (prompted - words).abs().max() > 1e-3, "learned prompts"
    assert (seeing - prompted).abs().max() > 1e-4, "and the picture among them"


@torch.no_grad()
def test_prompts_are_read_in_a_softmax_of_their_own_by_the_maps_of_the_layer(make_tiny: Callable[..., Palme]) -> None:
    model = make_tiny(fusion=PartConfig("adapter", {"prompts": 3}))
    [own, _], attention = model.fusion.own, model.backbone.layers[0].self_attn
    own.gate.copy_(torch.tensor([0.1, -2.0, 0.0, 9.0]))
    words, shown = torch.randn(1, 5, 32), torch.randn(1, 2, 32)
    prompts = torch.cat([own.prompts, shown[0]])
    asks, keys, values = (
        linear(x).view(len(x), -1, 8).repeat_interleave(repeat, dim=1)
        for linear, x, repeat in (
            (attention.q_proj, words[0], 1),
            (attention.k_proj, prompts, 2),
            (attention.v_proj, prompts, 2),
        )
    )
    share = (torch.einsum("khd,phd->hkp", asks, keys) / 8**0.5).softmax(dim=-1)
    found = torch.einsum("h,hkp,phd->khd", own.gate.tanh(), share, values).flatten(1)
    torch.testing.assert_close(own(attention, attention.q_proj(words), shown)[0], found)


@pytest.mark.parametrize("family", ["Qwen3", "Olmo2"])  # whose heads have norms, each of its own or all together
@torch.no_grad()
def test_prompts_are_normed_as_words_are(family: str) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = getattr(transformers, f"{family}Config")(**sizes, num_key_value_heads=2, head_dim=8, vocab_size=50)
    backbone = Backbone(config)
    fusion = FUSIONS.get("adapter")(backbone, first=1)
    assert len(fusion.own) == 1
    fusion.own[0].gate.fill_(1.0)
    attention, shown, words = backbone.layers[1].self_attn, torch.randn(1, 3, 32), torch.randn(1, 4, 32)
    found = [fusion.own[0](attention, scale * attention.q_proj(words), shown) for scale in (1.0, 100.0)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-2, atol=1e-3)


def test_only_every_nth_layer_is_looked_before(make_tiny: Callable[..., Palme]) -> None:
    assert len(make_tiny(fusion=PartConfig("flamingo", {"every": 2})).fusion.looks) == 1


@pytest.mark.parametrize("fusion", [*BY_TOKEN, "lora", "mixture", "flamingo", "adapter"])
def test_with_a_frozen_language_model_what_is_new_still_learns(fusion: str, make_tiny: Callable[..., Palme]) -> None:
    model = make_tiny(fusion=PartConfig(fusion)).train()
    model.backbone.requires_grad_(False)
    read = model.read(model.embed([model.sentence({"front": picture(), "state": STATE}, [("lift it", None)])]))
    read.states[0, -1].sum().backward()
    learns = [name for name, each in model.fusion.named_parameters() if each.grad is not None and each.grad.any()]
    assert learns and all(each.grad is None for each in model.backbone.parameters())


def test_a_head_that_learns_half_way_needs_layers_that_read_pictures(make_tiny: Callable[..., Palme]) -> None:
    heads = {"plan": PartConfig("plan"), "relations": PartConfig("relations")}
    with pytest.raises(EmbodiedError, match=r"'relations' learns .* 'flamingo' go through none.*fusion: early"):
        make_tiny(fusion=PartConfig("flamingo"), heads=heads)


def test_layers_without_what_it_replaces_are_refused() -> None:
    from transformers import GPT2Config

    backbone = Backbone(GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=50))  # whose maps are no nn.Linear
    with pytest.raises(ValueError, match="'gpt2' have none of the modules"):
        FUSIONS.get("expert")(backbone)
    with pytest.raises(ValueError, match="have no attention that is made of k_proj, o_proj, q_proj, v_proj"):
        FUSIONS.get("adapter")(backbone)
    with pytest.raises(ValueError, match="first must be a layer, from 0 to 0, not 1"):
        FUSIONS.get("adapter")(backbone, first=1)
    with pytest.raises(ValueError, match="chosen must be from 2 to experts=2, not 3"):
        FUSIONS.get("mixture")(backbone, experts=2, chosen=3)
    with pytest.raises(ValueError, match="rank must be a whole number from 1 on"):
        FUSIONS.get("lora")(backbone, rank=0)
