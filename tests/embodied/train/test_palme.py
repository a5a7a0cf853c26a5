# SPDX-License-Identifier: Apache-2.0
"""Laws of the training job: it learns, and a run that was cut short ends as one that was not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embodied.data import layout
from embodied.data.layout import Feature
from embodied.data.sample import Actions
from embodied.data.writer import DatasetWriter
from embodied.errors import CheckpointError, EmbodiedError
from embodied.inputs import state_names
from embodied.language.nouns import Noun
from embodied.model.checkpoint import save_tensors
from embodied.model.codes import Tokenizer
from embodied.model.composition import PartConfig, read_composition
from embodied.model.encoders.conv import ConvEncoder
from embodied.model.entities import Entities
from embodied.model.heads.grid import around, labels
from embodied.model.palme import Palme
from embodied.motion.actions import EE_DELTA_NAMES
from embodied.train import palme, run
from embodied.train.grounding_data import GroundingData
from tests.tokenizers import OPTIONS, paint

SIZE_PX = 32


@pytest.fixture
def options(tiny, tmp_path: Path) -> dict:
    """A tiny model to start from, and four scenes of noise with one red block each."""
    tiny.config = replace(tiny.config, frozen=("front",))
    tiny.save_pretrained(tmp_path / "init")
    data = tmp_path / "data"
    data.mkdir()
    rng = np.random.default_rng(0)
    np.save(data / "pictures.npy", rng.integers(0, 255, (4, SIZE_PX, SIZE_PX, 3), dtype=np.uint8))
    commands = [["touch the red block", "touch red block"], ["lift the red block", "lift red block"]] * 2
    scenes = [{"objects": [[0, 0, 9.0 + i, 20.0, 0.5, 0.0, None]], "commands": commands} for i in range(4)]
    (data / "scenes.jsonl").write_text("".join(json.dumps(scene) + "\n" for scene in scenes))
    words = {name: getattr(tiny.config, name) for name in ("verbs", "answers", "kinds", "colours", "other_colours")}
    (data / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8} | words))
    return {
        "data": [str(data)],
        "init": str(tmp_path / "init"),
        "steps": 6,
        "save_every": 3,
        "batch": 2,
        "commands": 4,
    }


def test_a_run_that_was_cut_short_ends_as_one_that_was_not(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "whole"), **options))
    cut = palme.PalmeTrainConfig(out=str(tmp_path / "cut"), **options)
    with monkeypatch.context() as patch:
        saved = run.save_progress

        def save_and_die(*arguments):
            saved(*arguments)
            raise KeyboardInterrupt

        patch.setattr(run, "save_progress", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            palme.train(cut)
    resumed = palme.train(cut)
    a, b = (Palme.from_pretrained(folder).state_dict() for folder in (whole, resumed))
    assert a.keys() == b.keys()
    for name, value in a.items():
        assert torch.allclose(value.float(), b[name].float(), atol=1e-5), name


def test_training_lowers_the_loss_and_keeps_what_is_frozen(options: dict, tmp_path: Path):
    out = tmp_path / "run"
    steps = options | {"steps": 41}
    made = palme.train(palme.PalmeTrainConfig(out=str(out), **steps))
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["grounding/token"] < 0.9 * rows[0]["grounding/token"]
    before, after = (Palme.from_pretrained(folder).state_dict() for folder in (options["init"], made))
    for name, value in before.items():
        if name.startswith(("encoders.front", "backbone.embedding")):
            assert torch.equal(value, after[name]), name


def test_only_what_is_named_learns(options: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    only = ["projectors.front", "grounding.token_maps"]
    made = palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), only=only, **options))
    before, after = (Palme.from_pretrained(folder).state_dict() for folder in (options["init"], made))
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {".".join(name.split(".")[:2]) for name in moved} == set(only)
    for wrong in ("projector", "grounding.token", "encoders.front", "backbone.embedding"):
        with pytest.raises(EmbodiedError, match=rf"only={wrong}: no weights that learn .* begin with: .*projectors, "):
            palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "other"), only=[wrong], **options))
    share = next(line for line in capsys.readouterr().out.splitlines() if "weights learn" in line)
    assert float(share.split()[-2]) < 50.0


def test_data_that_is_not_there_says_how_to_make_it(options: dict, tmp_path: Path):
    missing = options | {"data": [str(tmp_path / "nowhere")]}
    with pytest.raises(EmbodiedError, match="embodied collect task=grounding"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **missing))


def test_data_of_an_older_kind_say_so(options: dict, tmp_path: Path):
    (Path(options["data"][0]) / "meta.json").write_text(json.dumps({"seed": 0, "state": [0.0] * 8}))
    with pytest.raises(EmbodiedError, match=r"lacks 'verbs': it is of an older kind; render again"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options))


def test_labels_name_things_as_the_data_list_them(options: dict):
    data = GroundingData(options["data"][0])
    sample = data.sample(0, np.random.default_rng(0), commands=3, history=1, horizon=0)
    named = labels(sample.things, (2, 2), data.colours, data.kinds)
    there = named.weight > 0
    assert there.any() and (named.colour[there] == 0).all() and (named.kind[there] == 0).all()
    assert (named.colour[~there] == len(data.colours)).all() and (named.kind[~there] == len(data.kinds)).all()
    red = sample.find(Noun("red", "block"))
    assert (red.u, red.v) == (9.0 / SIZE_PX, 20.0 / SIZE_PX)
    assert sample.find(Noun("blue", "block")) is None
    assert around(red.u, red.v, (2, 2)).weights.sum() == pytest.approx(1.0)
    assert len(sample.commands) == 3


def test_data_without_anything_to_learn_from_are_refused(options: dict, tmp_path: Path, make_tiny):
    """Rendered scenes show no actions: a model that only acts learns nothing from them."""
    make_tiny(heads={"chunk": PartConfig("chunk")}).save_pretrained(tmp_path / "acts")
    config = palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options | {"init": str(tmp_path / "acts")})
    with pytest.raises(
        EmbodiedError, match="the data show nothing that the model learns; it learns chunk/chunk, chunk/ends"
    ):
        palme.train(config)


def composed(folder: Path, tiny: Palme, text: str) -> str:
    """A composition in a file, whose language model is a tiny one."""
    from transformers import LlamaForCausalLM

    LlamaForCausalLM(tiny.backbone.config).save_pretrained(folder / "lm")
    tiny.tokenizer.save_pretrained(folder / "lm")
    (folder / "mine.yaml").write_text(f"backbone: {{name: {folder / 'lm'}, layers: 2}}\n{text}\n")
    return str(folder / "mine.yaml")


FRONT = "front: {encoder: conv, options: {size_px: 32, width: 8}}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            f"senses: {{{FRONT}, wrist: {{reading: wirst, encoder: conv}}}}",
            "sense 'wrist' .* nothing of 'wirst' .* front",
        ),
        (
            f"senses: {{{FRONT}, s: {{reading: joints, encoder: mlp, options: {{size: 7}}}}}}",
            "sense 's' .*encoder's size",
        ),
        (f"senses: {{{FRONT}}}\nheads: {{plan: plan, chunk: chunk}}", "nothing that the head 'chunk' learns"),
        (
            f"senses: {{{FRONT}}}\nverbs: [stack]",
            "the plan 'touch red block', of which the model",
        ),
    ],
)
def test_what_the_data_do_not_show_is_told_before_the_first_step(
    text: str, words: str, options: dict, tiny: Palme, tmp_path: Path
):
    given = options | {"init": "", "model": composed(tmp_path, tiny, text)}
    with pytest.raises(EmbodiedError, match=words) as caught:
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))
    assert "\n" not in str(caught.value)


def test_two_heads_of_one_kind_learn_both(options: dict, tiny: Palme, tmp_path: Path):
    text = f"senses: {{{FRONT}}}\nheads: {{plan: plan, left: {{name: grounding}}, right: {{name: grounding}}}}"
    given = options | {"init": "", "model": composed(tmp_path, tiny, text), "steps": 2}
    palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))
    row = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[0])
    assert {"left/point", "right/point", "plan/plan"} <= row.keys()


def test_scenes_are_told_in_captions_where_a_head_learns_of_them(options: dict, tiny: Palme, tmp_path: Path):
    text = f"senses: {{{FRONT}}}\nfrozen: [front]\nheads: {{plan: plan, belongs: matching}}"
    given = options | {"init": "", "model": composed(tmp_path, tiny, text)}
    palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))
    sources = {options["data"][0]: GroundingData(options["data"][0])}
    model, config = Palme.from_pretrained(tmp_path / "run" / "checkpoint"), palme.PalmeTrainConfig(batch=4)
    drawn = [palme.draw(each, sources, {}, config, np.random.default_rng(0))[0] for each in (model, tiny)]
    assert all(sample.told is not None for sample in drawn[0]) and not any(sample.told for sample in drawn[1])
    assert [each.commands for each in drawn[0]] == [each.commands for each in drawn[1]], "commands are as without"
    parts = set[str]()
    for seed in range(5):  # whole pictures and holes are drawn
        samples, known = palme.draw(model, sources, {}, config, np.random.default_rng(seed))
        parts |= palme.losses(model, samples, known).keys()
    assert {"plan/plan", "belongs/itm", "belongs/mlm", "belongs/mrc"} <= parts


def test_things_that_the_model_has_no_word_for_are_told_before_training(options: dict, tmp_path: Path):
    meta = Path(options["data"][0]) / "meta.json"
    words = json.loads(meta.read_text())
    meta.write_text(json.dumps(words | {"kinds": ["teapot", *words["kinds"][1:]]}))
    with pytest.raises(
        EmbodiedError, match=r"shows things of the kind teapot, for which the model has no word; it has: "
    ):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options))


def test_an_encoder_of_a_hub_is_taken_whole_and_told_in_the_checkpoint(options: dict, tiny: Palme, tmp_path: Path):
    from transformers import SiglipVisionConfig, SiglipVisionModel

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    theirs = SiglipVisionModel(SiglipVisionConfig(image_size=64, patch_size=8, **sizes))
    theirs.save_pretrained(tmp_path / "theirs")
    (tmp_path / "theirs" / "preprocessor_config.json").write_text(
        '{"image_mean": [0.4, 0.5, 0.6], "image_std": [1, 1, 2]}'
    )
    front = "senses: {front: {encoder: pretrained, options: {size_px: 32, std: [1, 1, 1]}}}"
    model = composed(tmp_path, tiny, f"{front}\nfrozen: [front]\npretrained: {{front: {tmp_path / 'theirs'}}}")
    given = options | {"init": "", "model": model, "steps": 1}
    made = Palme.from_pretrained(palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given)))
    said = made.config.senses["front"].encoder.options
    assert said["config"]["model_type"] == "siglip_vision_model" and said["size_px"] == 32
    assert said["mean"] == [0.4, 0.5, 0.6] and said["std"] == [1, 1, 1], "what is given goes before what is said"
    weights = made.encoders["front"].model.state_dict()
    assert all(torch.equal(value.bfloat16(), weights[name].bfloat16()) for name, value in theirs.state_dict().items())
    model = composed(tmp_path, tiny, f"{front}\npretrained: {{front: {tmp_path / 'nowhere'}}}")
    with pytest.raises(CheckpointError, match="no vision model at"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "other"), **options | {"init": "", "model": model}))


def test_words_for_actions_are_learned_of_recorded_episodes(tiny: Palme, tmp_path: Path):
    numbers = {layout.STATE: state_names([f"joint{i}" for i in range(7)]), layout.ACTION: EE_DELTA_NAMES}
    features = {key: Feature(dtype="float32", shape=(len(names),), names=names) for key, names in numbers.items()}
    with DatasetWriter(tmp_path / "data", fps=10, robot_type="test", features=features, made_with={}) as writer:
        for phase in range(3):
            wave = np.sin(np.arange(20)[:, None] / 4 + phase) * np.linspace(0.01, 0.04, 7)
            writer.add_episode("go", {layout.STATE: np.zeros((20, 8), np.float32), layout.ACTION: np.float32(wave)})
    act = "heads: {act: {name: fast, options: {steps: 4, hidden: 32, words: 200}}}"
    model = composed(
        tmp_path, tiny, f"senses: {{state: {{reading: joints, encoder: mlp, options: {{size: 8}}}}}}\n{act}"
    )
    given = {"data": [str(tmp_path / "data")], "model": model, "steps": 30, "batch": 8, "out": str(tmp_path / "run")}
    made = palme.train(palme.PalmeTrainConfig(new_learning_rate=1e-2, **given))
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["act/chunk"] < 0.8 * rows[0]["act/chunk"]
    head = Palme.from_pretrained(made).heads["act"]
    assert (head.merges >= 0).all() and head.fitted
    chunk = (torch.tensor(wave[3:7], dtype=torch.float32) - head.mean) / head.std
    assert len(head.encode(chunk[None])[0]) < 28 / 2, "fewer words than numbers"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("steps", 0),
        ("batch", 0),
        ("commands", -1),
        ("save_every", 0),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
    ],
)
def test_an_option_out_of_range_is_refused(option: str, value: float, options: dict, tmp_path: Path):
    with pytest.raises(EmbodiedError, match=f"{option}={value}: it must be above 0"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options | {option: value}))


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_what_was_saved(
    options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    losses, steps = palme.losses, []

    def spoilt(*given):
        steps.append(0)
        parts = losses(*given)
        return {**parts, "plan/plan": parts["plan/plan"] * float("nan")} if len(steps) > 4 else parts

    monkeypatch.setattr(palme, "losses", spoilt)
    with pytest.raises(EmbodiedError, match="the loss is not finite at step 4: plan/plan; what was saved before stays"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **options))
    assert Palme.from_pretrained(tmp_path / "run" / "checkpoint")


def test_weights_of_another_encoder_are_refused(options: dict, tiny: Palme, tmp_path: Path):
    for number, content in enumerate((b"junk", (next((tmp_path / "init").glob("*.safetensors"))).read_bytes())):
        (tmp_path / "other.safetensors").write_bytes(content)
        text = f"senses: {{{FRONT}}}\npretrained: {{front: {tmp_path / 'other.safetensors'}}}"
        given = options | {"init": "", "model": composed(tmp_path, tiny, text)}
        with pytest.raises(EmbodiedError, match="holds no weights of the encoder of 'front'") as caught:
            palme.train(palme.PalmeTrainConfig(out=str(tmp_path / f"run{number}"), **given))
        assert "\n" not in str(caught.value)


def test_the_weights_of_a_checkpoint_go_into_another_composition_and_other_words(
    options: dict, tiny: Palme, tmp_path: Path
):
    """It learns on from them, with every word of the data, and encoders of no file."""
    meta = tmp_path / "data" / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"answers": ["cannot", "done"]}))
    text = f"senses: {{{FRONT}}}\npretrained: {{front: nowhere.safetensors}}"
    given = options | {"model": composed(tmp_path, tiny, text), "learning_rate": 1e-9, "new_learning_rate": 1e-9}
    palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))
    made = Palme.from_pretrained(tmp_path / "run" / "checkpoint")
    before, after = Palme.from_pretrained(options["init"]).state_dict(), made.state_dict()
    assert "done" in made.config.answers
    same = {name for name, value in after.items() if name in before and value.shape == before[name].shape}
    assert any(name.startswith("encoders.front") for name in same) and any("backbone" in name for name in same)
    for name in same:
        if after[name].is_floating_point():
            assert torch.allclose(after[name], before[name], atol=1e-2), name


def test_what_is_pretrained_comes_from_its_file_and_what_names_things_is_not_trained(
    options: dict, tiny: Palme, tmp_path: Path
):
    torch.manual_seed(3)
    parts = {"front": ConvEncoder(size_px=SIZE_PX, width=8), "entities": None}
    parts["entities"] = Entities((2, 2), parts["front"].feature_dim, tiny.config.colours, tiny.config.kinds)
    for name, module in parts.items():
        save_tensors(module.state_dict(), tmp_path / f"{name}.safetensors", {})
    files = ", ".join(f"{name}: {tmp_path / name}.safetensors" for name in parts)
    text = f"senses: {{{FRONT}}}\nentities: front\nfrozen: [front]\npretrained: {{{files}}}"
    given = options | {"model": composed(tmp_path, tiny, text)}
    palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))
    made = Palme.from_pretrained(tmp_path / "run" / "checkpoint")
    for module, kept in ((parts["front"], made.encoders["front"]), (parts["entities"], made.entities)):
        for name, value in module.state_dict().items():
            assert torch.equal(value.bfloat16().float(), kept.state_dict()[name]), name
    (tmp_path / "entities.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no weights of entities at .*embodied train recipe=vision"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "other"), **given))


def test_what_recipe_codes_makes_comes_from_its_files_and_does_not_learn(options: dict, tiny: Palme, tmp_path: Path):
    sizes = ", ".join(f"{name}: {value}" for name, value in OPTIONS.items())
    senses = f"senses: {{front: {{encoder: codes, options: {{{sizes}}}}}}}"
    heads = f"heads: {{plan: plan, goal: {{name: drawing, options: {{hidden: 16, {sizes}}}}}}}"
    files = {"front": tmp_path / "encoder.safetensors", "goal": tmp_path / "tokenizer.safetensors"}
    tokenizer = paint(Tokenizer(**OPTIONS))
    for path, module in zip(files.values(), (tokenizer.encoder, tokenizer), strict=True):
        save_tensors(module.state_dict(), path, {})

    def built(named: str) -> Palme:
        text = f"{senses}\n{heads}\npretrained: {{{named}}}"
        return palme.build(read_composition(composed(tmp_path, tiny, text)), {})

    both = built(", ".join(f"{name}: {path}" for name, path in files.items()))
    for kept, module in ((both.encoders["front"], tokenizer.encoder), (both.goal.tokenizer, tokenizer)):
        assert all(torch.equal(value, kept.state_dict()[name]) for name, value in module.state_dict().items())
        assert not any(each.requires_grad for each in kept.parameters())
    assert "goal.cells" in {name for name, each in both.named_parameters() if each.requires_grad}
    with pytest.raises(EmbodiedError, match=r"the tokenizer of 'goal' does not learn .*pretrained:.*recipe=codes"):
        built(f"front: {files['front']}")
    with pytest.raises(CheckpointError, match=r"no weights of the encoder of 'front' at nowhere; .*recipe=codes"):
        built("front: nowhere")
    with pytest.raises(CheckpointError, match=r"holds no weights of the encoder of 'front'"):
        built(f"front: {files['goal']}, goal: {files['goal']}")
    with pytest.raises(EmbodiedError, match=r"unknown part with weights of its own 'plan'. .*Valid: front, goal"):
        built(f"plan: {files['goal']}")


def test_the_weights_of_another_language_model_fit_nowhere(options: dict, tiny: Palme, tmp_path: Path):
    tiny.backbone.config.intermediate_size += 8
    given = options | {"model": composed(tmp_path, tiny, f"senses: {{{FRONT}}}")}
    with pytest.raises(CheckpointError, match="has another language model"):
        palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))


@pytest.mark.parametrize(
    ("names", "rate", "words"),
    [
        (("a",) * 7, 10.0, "actions are a, a, a, a, a, a, a at 10 Hz"),
        (EE_DELTA_NAMES, 30.0, "gripper at 30 Hz, and a chunk"),
    ],
)
def test_a_chunk_learns_no_other_actions(names: tuple, rate: float, words: str, make_tiny):
    head = make_tiny(heads={"chunk": PartConfig("chunk")}).heads["chunk"]
    known = {"mean": np.full(7, 0.5), "std": np.full(7, 2.0), "count": 3}
    with pytest.raises(EmbodiedError, match=words):
        head.fit(Actions(names=names, rate_hz=rate, **known))
    head.fit(Actions(names=EE_DELTA_NAMES, rate_hz=10.0, **known))
    head.fit(Actions(names=EE_DELTA_NAMES, rate_hz=10.0, **known | {"mean": np.zeros(7)}))
    assert (head.mean == 0.5).all(), "normalised as it was when it was first trained"


def test_a_frozen_language_model_stays_as_it_is(
    options: dict, tiny: Palme, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tiny.config = replace(tiny.config, frozen=("front", "backbone"))
    tiny.save_pretrained(tmp_path / "still")
    given = options | {"init": str(tmp_path / "still")}
    made = palme.train(palme.PalmeTrainConfig(out=str(tmp_path / "run"), **given))
    before, after = (Palme.from_pretrained(path).state_dict() for path in (tmp_path / "still", made))
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert any(name.startswith("projectors.") for name in changed)
    assert not [name for name in changed if name.startswith(("backbone.", "encoders.front."))]
    learns = sum(
        each.numel() for name, each in tiny.named_parameters() if not name.startswith(("backbone", "encoders.front"))
    )
    assert f"{learns:,} of" in capsys.readouterr().out
