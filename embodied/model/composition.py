# SPDX-License-Identifier: Apache-2.0
"""What a model is made of: the same facts in a YAML file and in a checkpoint's `config.json`."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from embodied.errors import EmbodiedError, check_name, shown
from embodied.files import read_yaml
from embodied.language.looks import LOOKS
from embodied.language.verbs import CANNOT
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS

COMPOSITION = Path(__file__).with_name("palme.yaml")
"""What is trained unless something else is asked for: that of the shipped policy."""

TABLETOP_VERBS = ("touch", "pick_up", "put_in_bowl", "stack", "push_to", "place_relative")
TABLETOP_KINDS = ("block", "bowl", "zone")
"""What a model learns unless it is told otherwise. A trained one speaks what its `config.json` lists."""


@dataclass(frozen=True)
class PartConfig:
    """A part by its registered name, and its options."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SenseConfig:
    """One sense of the model: which reading it takes, and what turns that into tokens."""

    encoder: PartConfig
    reading: str = ""  # empty: the one with the sense's own name
    connector: PartConfig = PartConfig("affine")


@dataclass(frozen=True)
class BaseConfig:
    """The lower layers of the language model, which are never trained and no checkpoint holds."""

    source: str  # package:REQUIREMENT, a folder, or where it once was
    file: str  # of its weights, in there
    layers: int  # the first ones
    sha256: str = ""  # of the file; a checkpoint says it


@dataclass(frozen=True)
class PalmeConfig:
    """A model, besides its language model."""

    senses: Mapping[str, SenseConfig]  # in the order in which the sentence has them
    fusion: PartConfig = PartConfig("early")
    heads: Mapping[str, PartConfig] = field(
        default_factory=lambda: {"plan": PartConfig("plan"), "grounding": PartConfig("grounding", {"sense": "front"})}
    )
    base: BaseConfig | None = None  # that reads the words first
    entities: str = ""  # the sense whose picture's things are named in the sentence
    frozen: tuple[str, ...] = ()  # senses whose encoders are not trained, and BACKBONE where that is not either
    verbs: tuple[str, ...] = TABLETOP_VERBS  # that it may write
    answers: tuple[str, ...] = (CANNOT,)  # that it may write in place of a motion
    looks: tuple[str, ...] = ()  # that it may write before it does anything; most look at `entities`
    kinds: tuple[str, ...] = TABLETOP_KINDS  # of things that it can see and may write
    colours: tuple[str, ...] = COLOURS  # that it can see and may write
    other_colours: tuple[str, ...] = OTHER_COLOURS  # that it may write and never sees

    def reading_of(self, sense: str) -> str:
        """The name of the reading that a sense takes."""
        return self.senses[sense].reading or sense


@dataclass(frozen=True)
class BackboneConfig:
    """Where the language model comes from, when a model is made."""

    name: str = ""  # a folder, or a hub name; that of the base where there is one
    layers: int = 8  # that are kept: the first ones, or the first ones above the base
    gguf_file: str = ""  # weights inside of the folder; empty for safetensors


@dataclass(frozen=True)
class Composition:
    """How a model is made anew: its parts, and what of them is given."""

    backbone: BackboneConfig
    model: PalmeConfig
    pretrained: dict[str, str] = field(default_factory=dict)  # sense, head or ENTITIES -> where its weights are
    given: tuple[str, ...] = ()  # which of WORDS it gives; the others are those of the data


BACKBONE = "backbone"
"""The trained layers of the language model, among what may be frozen."""
ENTITIES = "entities"
"""What names the things in a picture, among what comes pretrained."""
WORDS = ("verbs", "answers", "looks", "kinds", "colours", "other_colours")
_TAKEN = frozenset({BACKBONE, "keys", "values", "items", "pop", "update", "clear", "type", "forward", "training"})
"""Names that a collection of modules has for itself."""
PARTS = ("senses", "fusion", "heads", "base", "entities", "frozen", *WORDS)
"""Keys of a model's configuration."""


def config_from(content: Mapping[str, Any], where: str) -> PalmeConfig:
    """A model's configuration from plain data. Raises EmbodiedError that names the key at fault."""
    _known(content, PARTS, where)
    senses = _mapping(content.get("senses"), f"senses in {where}")
    if not senses:
        raise EmbodiedError(f"senses in {where} must name at least one, as front: {{encoder: conv}}")
    for name in (*senses, *_mapping(content.get("heads", {}), f"heads in {where}")):
        if not isinstance(name, str) or not name.isidentifier() or name in _TAKEN:
            raise EmbodiedError(f"{where}: {name!r} cannot be the name of a sense or head: letters, digits and _ can")
    known: dict[str, Any] = {
        "senses": {name: _sense(each, f"senses.{name} in {where}") for name, each in senses.items()}
    }
    if "fusion" in content:
        known["fusion"] = _part(content["fusion"], f"fusion in {where}")
    if "heads" in content:
        heads = _mapping(content["heads"], f"heads in {where}")
        known["heads"] = {name: _part(each, f"heads.{name} in {where}") for name, each in heads.items()}
    if content.get("base") is not None:
        known["base"] = _base(content["base"], f"base in {where}")
    if not isinstance(entities := content.get("entities", ""), str):
        raise EmbodiedError(f"entities in {where} must be the name of a sense, not {shown(entities)}")
    known["entities"] = entities
    for key in ("frozen", *WORDS):
        if key in content:
            if not isinstance(content[key], list) or not all(isinstance(word, str) for word in content[key]):
                raise EmbodiedError(f"{key} in {where} must be a list of words, not {shown(content[key])}")
            known[key] = tuple(content[key])
    for name in known.get("frozen", ()):
        check_name(f"sense in {where}", name, (*known["senses"], BACKBONE))
    if entities:
        check_name(f"sense in {where}", entities, known["senses"])
    elif known.get("looks"):
        raise EmbodiedError(f"{where} has looks:, which look at things that are told: say in which picture, entities:")
    return PalmeConfig(**known)


def read_composition(path: str | Path) -> Composition:
    """The composition in a YAML file. Raises EmbodiedError or UnknownNameError with what is wrong in it."""
    path = Path(path)
    content = dict(_mapping(read_yaml(path, "composition of a model"), str(path)))
    backbone = content.pop("backbone", None)
    if isinstance(backbone, str):
        backbone = {"name": backbone}
    backbone = _mapping(backbone, f"backbone in {path}")
    pretrained = _mapping(content.pop("pretrained", {}), f"pretrained in {path}")
    model = config_from(content, str(path))
    for sense, weights in pretrained.items():
        named = (*model.senses, *model.heads, *([ENTITIES] if model.entities else []))
        check_name(f"sense or head in {path}", str(sense), named)
        if not isinstance(weights, str):
            raise EmbodiedError(
                f"pretrained.{sense} in {path} must be a file, a folder or a hub name, not {shown(weights)}"
            )
    for name in model.looks:
        check_name(f"look in {path}", name, LOOKS.names())
    source: BackboneConfig = _fill(BackboneConfig, backbone, f"backbone in {path}")
    if bool(source.name or source.gguf_file) == (model.base is not None):
        raise EmbodiedError(f"{path} needs the name of a language model in backbone: or in base:, and not in both")
    if not (isinstance(source.name, str) and isinstance(source.gguf_file, str) and type(source.layers) is int):
        raise EmbodiedError(
            f"backbone in {path} must be a name, a whole number of layers and a file, not {shown(source)}"
        )
    return Composition(
        backbone=source,
        model=model,
        pretrained=dict(pretrained),
        given=tuple(key for key in WORDS if key in content),
    )


def _sense(content: Any, where: str) -> SenseConfig:
    """`{reading, encoder, options, connector}`; options are the encoder's, where it is given by its name."""
    content = _mapping(content, where)
    _known(content, ("reading", "encoder", "options", "connector"), where)
    if "encoder" not in content:
        raise EmbodiedError(f"{where} needs an encoder, as encoder: conv")
    encoder = content["encoder"]
    if isinstance(encoder, str):
        encoder = {"name": encoder, "options": content.get("options", {})}
    connector, reading = content.get("connector", "affine"), content.get("reading", "")
    if not isinstance(reading, str):
        raise EmbodiedError(f"reading of {where} must be a word, not {shown(reading)}")
    return SenseConfig(
        encoder=_part(encoder, f"encoder of {where}"),
        reading=reading,
        connector=_part(connector, f"connector of {where}"),
    )


def _base(content: Any, where: str) -> BaseConfig:
    base: BaseConfig = _fill(BaseConfig, _mapping(content, where), where)
    words = (base.source, base.file, base.sha256)
    if not all(isinstance(word, str) for word in words) or type(base.layers) is not int or base.layers < 1:
        raise EmbodiedError(f"{where} must be a source, a file and a whole number of layers, not {shown(content)}")
    if Path(base.file).name != base.file:
        raise EmbodiedError(f"the file of {where} must be the name of one, not {shown(base.file)}")
    return base


def _part(content: Any, where: str) -> PartConfig:
    """A name, or `{name, options}`."""
    if isinstance(content, str):
        return PartConfig(content)
    part: PartConfig = _fill(PartConfig, _mapping(content, where), where)
    if not isinstance(part.name, str):
        raise EmbodiedError(f"the name of {where} must be a word, not {shown(part.name)}")
    return PartConfig(part.name, dict(_mapping(part.options, f"options of {where}")))


def _fill(cls: type[Any], content: Mapping[str, Any], where: str) -> Any:
    names = {each.name: each for each in fields(cls)}
    _known(content, names, where)
    lacks = [name for name, each in names.items() if each.default is MISSING and each.default_factory is MISSING]
    lacks = [name for name in lacks if name not in content]
    if lacks:
        raise EmbodiedError(f"{where} lacks {', '.join(lacks)}")
    return cls(**content)


def _known(content: Mapping[str, Any], names: Any, where: str) -> None:
    for key in content:
        check_name(f"key of {where}", str(key), tuple(names))


def _mapping(content: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise EmbodiedError(f"{where} must be `key: value` lines, not {shown(content)}")
    return content
