# SPDX-License-Identifier: Apache-2.0
"""Systems of the field as compositions: each is built small, has gradients where it is not frozen, and has what it is
known for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from embodied.data.sample import Actions, Command, Sample, Seen
from embodied.language.dialogue import joined
from embodied.language.looks import result_of
from embodied.language.seen import Entity
from embodied.language.verbs import parse_plan
from embodied.model.codes import Tokenizer
from embodied.model.composition import BACKBONE, PartConfig, SenseConfig, read_composition
from embodied.model.encoders.conv import ConvEncoder
from embodied.model.encoders.mel import edges_hz
from embodied.model.fusion.early import Early
from embodied.model.palme import Palme
from embodied.model.towers import Towers
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.train import lessons
from embodied.train.clip import ClipConfig
from embodied.train.palme import freeze, losses, weights_of
from embodied.train.vision import ENCODER_FILE
from embodied.types import Joints, Observation, Picture, Step, Vector
from tests.tokenizers import OPTIONS, paint

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "embodied" / "model" / "systems"
SYSTEMS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SMALL = {"size_px": 64, "width": 24, "steps": 2}
"""What is made smaller, besides the language model, where a part has it."""
SIZES = (
    {name: {"depth": 1} for name in ("vit", "qformer", "instructed", "perceiver", "joint")}
    | {name: {"width": 8} for name in ("conv", "tiles", "video", "slots")}
    | {"pool": {"side": 4}}
)
OWN = {
    "conv": ("size_px", "width"),
    "vit": ("size_px", "width"),
    "codes": ("size_px",),
    "patches": ("size_px",),
    "tiles": ("size_px", "width"),
    "video": ("size_px", "width"),
}


TINY = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
HUB = {
    "facebook/dinov2-small": {"model_type": "dinov2", "image_size": 224, "patch_size": 16, **TINY},
    "google/siglip-base-patch16-224": {"model_type": "siglip_vision_model", "patch_size": 16, **TINY},
}
"""What is built in place of what a hub has."""


def small(part: PartConfig) -> PartConfig:
    names = OWN.get(part.name, tuple(part.options))
    options = {**part.options, **{key: value for key, value in SMALL.items() if key in names}}
    more = SIZES.get(part.name, {})
    return PartConfig(part.name, {**options, **more})


def small_sense(sense: SenseConfig, weights: str) -> SenseConfig:
    encoder = sense.encoder if sense.encoder.name == "mlp" else small(sense.encoder)
    if encoder.name == "pretrained":
        encoder = replace(encoder, options={**encoder.options, "config": HUB[weights]})
    return replace(sense, encoder=encoder, connector=small(sense.connector))


@pytest.fixture
def built(make_tiny: Callable[..., Palme]) -> Callable[[str], Palme]:
    def build(name: str) -> Palme:
        composition = read_composition(FOLDER / f"{name}.yaml")
        config = composition.model
        senses = {key: small_sense(each, composition.pretrained.get(key, "")) for key, each in config.senses.items()}
        heads = {key: small(each) for key, each in config.heads.items()}
        given = {key: getattr(config, key) for key in ("fusion", "frozen", "entities", *composition.given)}
        return make_tiny(senses=senses, heads=heads, **given)

    return build


def sample(seed: int = 0) -> Sample:
    """What every head can learn of: a picture, things, a plan, two actions."""
    rng = np.random.default_rng(seed)
    geometry: dict[str, Any] = {"intrinsics_px": np.eye(3), "world_from_camera": np.eye(4), "stamp_s": 0.0}
    joints = Joints(position_rad=rng.normal(size=7), velocity_rad_s=np.zeros(7), gripper_width_m=0.08, stamp_s=0.0)
    rgb = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    readings = {"front": Picture(rgb=rgb, **geometry), "joints": joints, "sound": tone(300.0 * (1 + seed))}
    seen = Observation(readings=readings)
    actions = rng.normal(size=(2, 7)).astype(np.float32)
    command = Command(text="lift the blue one", plan=parse_plan("lift blue block"), actions=actions, goal=seen)
    return Sample(observations=(seen,), commands=(command,), things=(Seen(colour="blue", kind="block", u=0.3, v=0.6),))


def tone(hz: float, start_s: float = 0.0, end_s: float = 1.0) -> Vector:
    """A second of sound at 16 kHz, silent but for a tone."""
    at_s = np.arange(16000) / 16000
    values = np.where((at_s >= start_s) & (at_s < end_s), 0.1 * np.sin(2 * np.pi * hz * at_s), 0.0)
    return Vector(values=values, names=tuple(map(str, range(16000))), stamp_s=0.0)


def words_alone(model: Palme) -> torch.Tensor:
    return model.read(model.embed([model.sentence({}, [("lift the blue one", None)])])).states[0]


def with_senses(model: Palme, seed: int = 0) -> torch.Tensor:
    senses = model.senses(sample(seed).observations)
    return model.read(model.embed([model.sentence(senses, [("lift the blue one", None)])])).states[0]


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_is_built_small_and_has_gradients_where_it_is_not_frozen(name: str, built: Callable[[str], Palme]) -> None:
    model = built(name).train()
    freeze(model)
    shown = [sample(1), sample(2)]
    parts, weights = losses(model, shown, [{}, {}]), weights_of(model)
    loss = torch.stack([weights[part] * value for part, value in parts.items() if part in weights]).sum()
    assert torch.isfinite(loss) and set(weights) & set(parts)
    loss.backward()
    moved = {key for key, each in model.named_parameters() if each.grad is not None and each.grad.any()}
    for frozen in model.config.frozen:
        prefix = f"{BACKBONE}." if frozen == BACKBONE else f"encoders.{frozen}."
        assert not any(key.startswith(prefix) for key in moved)
    if model.config.fusion.name in ("adapter", "flamingo"):
        assert all(key.endswith("gate") for key in moved if key.startswith("fusion.")), "gates open first"
        assert any(key.startswith("fusion.") for key in moved)
    else:
        for sense in model.config.senses:
            assert any(key.startswith(f"projectors.{sense}.") for key in moved), "what connects a sense learns"
    assert BACKBONE in model.config.frozen or any(key.startswith(f"{BACKBONE}.") for key in moved)


def test_the_page_tells_each_of_them_and_what_there_is_not() -> None:
    page = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    linked = re.findall(r"\(\.\./embodied/model/systems/(\w+)\.yaml\)", page)
    assert sorted(linked) == SYSTEMS


def palm_e(model: Palme) -> None:
    def laid_out(read: Palme) -> tuple[list[str], list[int]]:
        embedded = read.embed([read.sentence(read.senses(sample().observations), [("go", None)])])
        return list(embedded.spans), [end - start for start, end in embedded.spans.values()]

    assert laid_out(model) == (["front", "state"], [16, 1])
    model.config = replace(model.config, senses=dict(reversed(model.config.senses.items())))
    assert laid_out(model) == (["state", "front"], [1, 16]), "in the order in which the composition has them"


def flamingo(model: Palme) -> None:
    alone = words_alone(model)
    torch.testing.assert_close(with_senses(model)[-len(alone) :], alone, rtol=1e-4, atol=1e-5)
    for key, gate in model.fusion.named_parameters():
        if "gate" in key:
            gate.fill_(1.0)
    assert (with_senses(model)[-len(alone) :] - alone).abs().max() > 1e-2, "an open gate lets the picture in"
    torch.testing.assert_close(words_alone(model), alone, rtol=1e-4, atol=1e-5)


def cogagent(model: Palme) -> None:
    def read(*names: str) -> tuple[torch.Tensor, torch.Tensor]:
        senses = {name: value for name, value in model.senses(sample().observations).items() if name in names}
        hidden = model.read(model.embed([model.sentence(senses, [("lift the blue one", None)])]))
        return hidden.of("front")[0], hidden.states[0, hidden.sentence.places[0][0].start :]

    for beside, without in zip(read("front", "finer"), read("front"), strict=True):
        torch.testing.assert_close(beside, without, rtol=1e-4, atol=1e-5)
    for key, gate in model.fusion.named_parameters():
        if "gate" in key:
            gate.fill_(1.0)
    for beside, without in zip(read("front", "finer"), read("front"), strict=True):
        assert (beside - without).abs().max() > 1e-3, "the coarse picture's tokens look at the finer one, as words do"


def llama_adapter(model: Palme) -> None:
    alone = words_alone(model)
    torch.testing.assert_close(with_senses(model)[-len(alone) :], alone, rtol=1e-4, atol=1e-5)
    assert len(model.fusion.own) == len(model.backbone.layers) - 1, "none in the lowest layer"
    for each in model.fusion.own:
        each.gate.fill_(1.0)
    prompted = words_alone(model)
    assert (prompted - alone).abs().max() > 1e-3, "an open gate lets prompts through"
    assert (with_senses(model)[-len(alone) :] - prompted).abs().max() > 1e-4, "and the picture's tokens among them"


def leaves_words_alone(model: Palme) -> None:
    alone, seeing = words_alone(model), with_senses(model)
    for each in model.fusion.parameters():
        each.add_(0.3 * torch.randn_like(each))
    torch.testing.assert_close(words_alone(model), alone, rtol=1e-4, atol=1e-5)
    assert (with_senses(model) - seeing).abs().max() > 1e-3


def moe_llava(model: Palme) -> None:
    alone = words_alone(model)
    for key, each in model.fusion.named_parameters():
        if "router" not in key:
            each.add_(0.3 * torch.randn_like(each))
    assert (words_alone(model) - alone).abs().max() > 1e-3, "words go through other experts too"
    routers = [each for key, each in model.fusion.named_parameters() if "router" in key]
    assert [each.shape[0] for each in routers] == [4, 4], "in every layer"


def llava(model: Palme) -> None:
    freeze(model)
    learns = {key.partition(".")[0] for key, each in model.named_parameters() if each.requires_grad}
    assert learns == {"projectors"}, "neither the encoder nor the language model"
    (linear,) = [each for each in model.projectors["front"].modules() if isinstance(each, torch.nn.Linear)]
    assert linear.out_features == model.backbone.dim


def two_layers(model: Palme) -> None:
    freeze(model)
    linear = [each for each in model.projectors["front"].modules() if isinstance(each, torch.nn.Linear)]
    assert len(linear) == 2
    assert not any(each.requires_grad for each in model.encoders["front"].parameters())
    assert all(each.requires_grad for each in model.backbone.parameters())


def tokens_of(count: int, cells: int = 0, blocks: int = 0) -> Callable[[Palme], None]:
    """It gives so many tokens, whatever the number of `cells`; by so many blocks, if any."""

    def check(model: Palme) -> None:
        embedded = model.embed([model.sentence(model.senses(sample().observations), [("go", None)])])
        assert embedded.of("front").shape[1] == count
        connector = model.projectors["front"]
        if cells:
            assert connector(torch.randn(1, cells, model.encoders["front"].feature_dim)).shape[1] == count
        if blocks:
            assert len(connector.blocks) == blocks

    return check


def each_matters(model: Palme, *names: str) -> None:
    senses = model.senses(sample().observations)
    assert set(senses) == {*names, "state"} and {model.config.reading_of(name) for name in names} == {"front"}
    read = [model.sentence(senses, [("lift the blue one", None)])]
    whole = model.read(model.embed(read)).states[0, -1]
    for name in names:
        without = model.read(model.embed(read, zeroed=[name])).states[0, -1]
        assert (without - whole).abs().max() > 1e-4


def palm_e_objects(model: Palme) -> None:
    tokens_of(8, cells=16)(model)
    features = torch.randn(1, 16, model.encoders["front"].feature_dim)
    shares = model.projectors["front"].shares(features)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(1, 16))
    assert shares.std(dim=1).min() > 1e-3, "slots do not all take the same of a cell"


def clip(model: Palme) -> None:
    written = f"{ClipConfig().out}/{ENCODER_FILE}"
    assert read_composition(FOLDER / "clip.yaml").pretrained == {"front": written}
    encoder = model.encoders["front"]
    towers = Towers(ConvEncoder(size_px=encoder.size_px, width=encoder.feature_dim // 6), words=4)
    encoder.load_state_dict(towers.pictures.encoder.state_dict(), strict=True)
    freeze(model)
    assert not any(each.requires_grad for each in encoder.parameters())


def instructblip(model: Palme) -> None:
    tokens_of(32)(model)
    senses = model.senses(sample().observations)
    said = [model.sentence(senses, [(text, None)]) for text in ("lift the blue one", "lift the red one")]
    blue, red = model.embed(said).of("front")
    assert (blue - red).abs().max() > 1e-4, "what is taken of a picture depends on the command"


def sphinx(model: Palme) -> None:
    each_matters(model, "front", "small", "pixels")
    assert len({type(model.encoders[name]) for name in ("front", "small", "pixels")}) == 3


def two_pretrained(model: Palme) -> None:
    each_matters(model, "where", "what")
    families = [model.encoders[name].model.config.model_type for name in ("where", "what")]
    assert families == ["dinov2", "siglip_vision_model"]
    picture = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    assert [model.encoders[name](picture).shape[1] for name in ("where", "what")] == [16, 16], "patches alone"


def prismatic(model: Palme) -> None:
    two_pretrained(model)
    freeze(model)
    for name in ("where", "what"):
        assert not any(each.requires_grad for each in model.encoders[name].parameters())


def openvla(model: Palme) -> None:
    two_pretrained(model)
    rt_2(model)


def fuyu(model: Palme) -> None:
    assert not list(model.encoders["front"].parameters())
    assert model.projectors["front"].keeps_cells


def kosmos_2(model: Palme) -> None:
    head = model.heads["where"]
    place = torch.rand(50, 2)
    found, _ = head.places(head.shares(place).clamp_min(1e-9).log())
    assert (found - place).abs().max() <= 0.5 / head.count + 1e-5


def llava_next(model: Palme) -> None:
    [seen] = sample().observations
    picture = seen.picture("front")
    one = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)

    def tokens(rgb: np.ndarray) -> torch.Tensor:
        shown = replace(seen, readings={**seen.readings, "front": replace(picture, rgb=rgb)})
        return model.embed([model.sentence(model.senses([shown]), [("go", None)])]).of("front")[0]

    other = one.copy()
    other[64:, :64] = 255 - other[64:, :64]  # below, on the left
    changed = (tokens(other) - tokens(one)).abs().amax(dim=1).unflatten(0, (5, -1)).amax(dim=1) > 1e-5
    assert changed.tolist() == [True, False, False, True, False], "the whole picture, and the tile that holds it"


def video_llama(model: Palme) -> None:
    frames = [sample(seed).observations[0] for seed in range(4)]
    assert model.history == 4

    def clip(order: list[Observation]) -> torch.Tensor:
        return model.embed([model.sentence(model.senses(order), [("go", None)])]).of("clip")

    assert clip(frames).shape[1] == 16
    assert (clip(frames) - clip([*frames[2::-1], frames[3]])).abs().max() > 1e-5, "it matters what was before what"


def qwen_audio(model: Palme) -> None:
    encoder, [seen] = model.encoders["sound"], sample().observations
    edges = edges_hz(80, 16000)
    for hz in (250.0, 900.0, 3000.0):
        band = int(encoder.prepare([tone(hz)]).mean(dim=0).argmax())
        assert edges[band] < hz < edges[band + 2], "a tone is in the band that holds it"

    def sounding(sound: Vector) -> torch.Tensor:
        heard = replace(seen, readings={**seen.readings, "sound": sound})
        return model.embed([model.sentence(model.senses([heard]), [("go", None)])]).of("sound")[0]

    quiet = sounding(tone(0.0))
    early, late = ((sounding(tone(900.0, at - 0.01, at + 0.01)) - quiet).norm(dim=1) for at in (0.2, 0.6))
    assert (len(quiet), int(early.argmax()), int(late.argmax())) == (25, 5, 15), "40 ms a token, in their order"

    deaf = replace(seen, readings={name: each for name, each in seen.readings.items() if name != "sound"})
    embedded = model.embed([model.sentence(model.senses([deaf]), [("go", None)])])
    assert list(embedded.spans) == ["front", "state"] and model.read(embedded).states.isfinite().all()
    with torch.enable_grad():
        with_senses(model)[-1].sum().backward()
    assert all(each.grad.any() for each in encoder.layers.parameters()), "convolutions learn of what words take up"


def audio_palm(model: Palme) -> None:
    encoder, [seen] = model.encoders["sound"], sample().observations

    def units(sound: Vector) -> list[int]:
        return encoder.units(encoder.prepare([sound])[None])[0].tolist()

    assert set(units(tone(0.0))) == {0}, "silence is one word"
    late, loud = units(tone(900.0, 0.4, 0.8)), replace(tone(900.0), values=3.0 * tone(900.0).values)
    assert set(late[:9]) == set(late[22:]) == {0} and 0 not in late[10:19], "words are said when it sounds"
    assert units(loud)[2:-2] == units(tone(900.0))[2:-2] != units(tone(300.0))[2:-2], "by its pitch, however loud"

    embedded = model.embed([model.sentence(model.senses([seen]), [("go", None)])])
    assert embedded.of("sound").shape[1] == 25, "40 ms a word"
    with torch.enable_grad():
        with_senses(model)[-1].sum().backward()
    said = encoder.words.weight.grad.any(dim=1).nonzero()[:, 0].tolist()
    assert said == sorted(set(units(seen.readings["sound"]))), "what words mean is what learns"


def rt_2(model: Palme) -> None:
    head = model.heads["act"]
    codes = torch.arange(256)
    assert torch.equal(head.encode(head.decode(codes)), codes), "codes round-trip"


def openvla_oft(model: Palme) -> None:
    head = model.heads["act"]
    read, wanted = torch.zeros(1, head.ends.in_features), torch.zeros(1, head.horizon, 7)
    chosen = head.chosen(read)
    assert chosen.shape == (1, head.horizon, 7), "all at once"
    assert head.error(read, wanted) == pytest.approx(float(chosen.abs().mean()), rel=1e-4), "L1"


def pi0(model: Palme) -> None:
    head = model.heads["act"]
    read = torch.randn(1, head.ends.in_features)
    chosen = head.chosen(read)
    assert torch.equal(head.chosen(read), chosen), "from the same noise"
    head.begun.copy_(torch.randn_like(head.begun))
    assert (head.chosen(read) - chosen).abs().max() > 1e-3, "and out of it"


def pi0_fast(model: Palme) -> None:
    head, moves = model.heads["act"], torch.linspace(-1, 1, 40)[:, None] * torch.randn(7)
    chunks = torch.stack([moves[at : at + head.horizon] for at in range(0, 40, head.horizon)])
    assert (head.decode(head.encode(chunks)) - chunks).abs().max() <= 0.5 * head.horizon**0.5 / head.scale
    known: dict[str, Any] = {"mean": np.zeros(7), "std": np.ones(7), "rate_hz": 10.0, "count": 40}
    head.fit(Actions(names=EE_DELTA_NAMES, episodes=lambda: [moves.numpy()], **known))
    assert all(len(words) < head.horizon * 7 for words in head.encode(chunks)), "fewer words than numbers"
    assert head.chosen(torch.randn(1, head.ends.in_features)).shape == (1, head.horizon, 7)


def octo(model: Palme) -> None:
    head, goal = model.heads["act"], torch.randn(1, 2, 7)
    for _ in range(3):
        head.begun.copy_(torch.randn_like(head.begun))
        noise = head.begun[None].clone()

        def right(
            read: torch.Tensor, mixture: torch.Tensor, time: torch.Tensor, noise: torch.Tensor = noise
        ) -> torch.Tensor:
            angle = (0.5 * torch.pi * time)[:, None, None]
            return angle.cos() * noise - angle.sin() * goal

        head.expected = right
        torch.testing.assert_close(head.chosen(torch.zeros(1, head.ends.in_features)), goal, atol=1e-4, rtol=1e-4)


def unified_io(model: Palme) -> None:
    encoder = model.encoders["front"]
    assert torch.equal(encoder.nearest(encoder.vectors), torch.arange(512)), "codes round-trip"
    embedded = model.embed([model.sentence(model.senses(sample().observations), [("go", None)])])
    assert embedded.of("front").shape[1] == 64, "each patch is a word"
    assert not [key for key, each in encoder.named_parameters() if each.requires_grad]


def gill(model: Palme) -> None:
    head = model.heads["goal"]
    head.tokenizer = paint(Tokenizer(**OPTIONS))
    head.cells, head.tells = torch.nn.Parameter(head.cells[:4]), head.tells[:1].append(torch.nn.Linear(256, 8))
    hidden = model.read(model.embed([model.sentence(model.senses(sample().observations), [("go", None)])]))
    predicted = head.logits(hidden, *hidden.asked()).argmax(dim=-1)
    drawn = torch.from_numpy(head.answer(hidden))[None]
    assert torch.equal(head.tokenizer.codes(drawn), predicted), "what is drawn has the codes that were predicted"


def uniter(model: Palme) -> None:
    shown = lessons.told([sample(seed) for seed in range(8)], "front", np.random.default_rng(0))
    assert {"matching/itm", "matching/mrc", "matching/mlm"} <= losses(model, shown, [{} for _ in shown]).keys()
    masked = {
        ((told.observations[0].picture("front").rgb == 0).all(axis=2).any(), lessons.UNSAID in command.text)
        for told in (each.told for each in shown)
        for command in told.commands
    }
    assert masked == {(False, False), (False, True), (True, False)}, "a picture or a caption, one at a time"


def viper_gpt(model: Palme) -> None:
    """It calls a tool by its sentence, and what that found changes what is read."""
    language = model.heads["plan"].language
    look = parse_plan("look for any block nearest to green bowl")
    node = language.tree
    for token in language.tokens(look).ids:
        node = node.children[token]
    assert node.plan == look and look.looks
    bowl = Entity(colour="green", kind="bowl", place_m=(0.5, 0.0))
    red, blue = (Entity(colour=c, kind="block", place_m=(0.5, y)) for c, y in (("red", 0.1), ("blue", 0.2)))
    found = [result_of(look, (bowl, each, blue)) for each in (red, replace(red, place_m=(0.5, 0.3)))]
    assert [each.rpartition(": ")[2] for each in found] == ["the red block", "the blue block"]
    said = [joined("", "lift the one by the bowl", [Step(text=each)]) for each in found]
    one, other = (model.read(model.embed([model.sentence({}, [(text, None)])])).states[0, -1] for text in said)
    assert (one - other).abs().max() > 1e-4
    assert model.projectors["front"](torch.zeros(1, 16, 48)).shape[1] == 1, "of the picture itself it reads one token"


def pali_x(model: Palme) -> None:
    """What the encoder makes of the picture's first cell depends on the last word, and the decoder looks at it."""
    senses = model.senses(sample().observations)

    def shown(text: str) -> torch.Tensor:
        return model.embed([model.sentence(senses, [(text, None)])]).of("front")[0]

    assert (shown("lift the blue one")[0] - shown("lift the blue bowl")[0]).abs().max() > 1e-4
    alone, beside = (model.read(model.embed([model.sentence(each, [("go", None)])])) for each in ({}, senses))
    torch.testing.assert_close(beside.states[0, -1], alone.states[0, -1], msg="behind closed gates it does not look")
    for name, parameter in model.fusion.named_parameters():
        if name.endswith("gate"):
            parameter.fill_(0.8)
    looking = model.read(model.embed([model.sentence(senses, [("go", None)])])).states[0, -1]
    assert (looking - alone.states[0, -1]).abs().max() > 1e-3


def qwen2_vl(model: Palme) -> None:
    """Tokens have a row and a column, and words the places that they had."""
    embedded = model.embed([model.sentence(model.senses(sample().observations), [("go", None)])])
    start, end = embedded.spans["front"]
    when, row, column = model.fusion.places(embedded)[:, 0] - embedded.position[0, start]
    assert when[start:end].tolist() == [0] * 4
    assert (row[start:end].tolist(), column[start:end].tolist()) == ([0, 0, 1, 1], [0, 1, 0, 1])
    assert torch.equal(when[end:], row[end:]) and torch.equal(when[end:], column[end:])
    turned, flat = model.read(embedded).states, Early(model.backbone).prefill(model.backbone, embedded, None)
    assert (turned - flat).abs().max() > 1e-4, "keys turn by them"
    plain = model.embed([model.sentence({}, [("lift the blue one", None)])])
    torch.testing.assert_close(model.read(plain).states, Early(model.backbone).prefill(model.backbone, plain, None))


PARTICULAR: dict[str, Callable[[Palme], None]] = {
    "palm_e": palm_e,
    "palm_e_objects": palm_e_objects,
    "flamingo": flamingo,
    "llama_adapter": llama_adapter,
    "cogagent": cogagent,
    "cogvlm": leaves_words_alone,
    "mplug_owl2": leaves_words_alone,
    "xcomposer2": leaves_words_alone,
    "moe_llava": moe_llava,
    "llava": llava,
    "llava_1_5": two_layers,
    "internvl": tokens_of(4),
    "blip2": tokens_of(32),
    "instructblip": instructblip,
    "qwen_vl": tokens_of(64, blocks=1),
    "sphinx": sphinx,
    "clip": clip,
    "prismatic": prismatic,
    "fuyu": fuyu,
    "kosmos_2": kosmos_2,
    "llava_next": llava_next,
    "video_llama": video_llama,
    "qwen_audio": qwen_audio,
    "audio_palm": audio_palm,
    "rt_2": rt_2,
    "openvla": openvla,
    "openvla_oft": openvla_oft,
    "octo": octo,
    "pi0": pi0,
    "unified_io": unified_io,
    "gill": gill,
    "pi0_fast": pi0_fast,
    "uniter": uniter,
    "viper_gpt": viper_gpt,
    "qwen2_vl": qwen2_vl,
    "pali_x": pali_x,
}


@pytest.mark.parametrize("name", SYSTEMS)
@torch.no_grad()
def test_it_is_particular_in_its_way(name: str, built: Callable[[str], Palme]) -> None:
    torch.manual_seed(3)
    PARTICULAR[name](built(name))
