# SPDX-License-Identifier: Apache-2.0
"""The PaLM-E core: readings and words in one sentence, read by a causal language model, answered by heads.

What it is made of stands in a composition (see `composition.py`); every part is one file, found by its name.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.errors import CheckpointError, EmbodiedError, UnknownNameError, check_name, shown
from embodied.language.looks import LOOKS
from embodied.language.verbs import VERBS, Plan
from embodied.model import checkpoint
from embodied.model.backbone import (
    Backbone,
    config_from_dict,
    encode,
    first_line,
    load_tokenizer,
    save_tokenizer,
    unset,
)
from embodied.model.base import Base, read_checked
from embodied.model.budget import Budget, check_foreign
from embodied.model.composition import PARTS, PalmeConfig, PartConfig, config_from
from embodied.model.connectors import CONNECTORS, Connector
from embodied.model.encoders import ENCODERS, Encoder, grid_of
from embodied.model.entities import Entities
from embodied.model.entry import TYPICAL, Entry
from embodied.model.fusion import FUSIONS, Fusion, Memory
from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden
from embodied.model.sentence import (
    PADDING,
    PREFIX,
    Embedded,
    Row,
    Sensor,
    Sentence,
    Text,
    Things,
    asking,
    positions,
    seeing,
    sentence,
)
from embodied.model.sums import TOKENIZER
from embodied.registry import Registry
from embodied.things import THINGS
from embodied.types import Observation, Reading

FORMAT = 3
"""Version of `config.json`. 1 did not say which verbs, things and colours a model knows, 2 not which parts it has."""


_NO_MODEL = (
    *(KeyError, TypeError, AttributeError, ValueError, IndexError, ArithmeticError, RuntimeError, MemoryError),
    EmbodiedError,
)
"""What a configuration that describes no model ends in."""


class Palme(nn.Module):
    """Encoders and connectors of its senses, one language model, a fusion, and heads."""

    def __init__(
        self,
        config: PalmeConfig,
        backbone: Backbone,
        tokenizer: PreTrainedTokenizerBase,
        base: Base | None = None,
    ) -> None:
        super().__init__()
        assert (base is None) == (config.base is None)
        self.config, self.backbone, self.tokenizer = config, backbone, tokenizer
        self.base, self.entry = base, None if base is None else Entry(base, encode(tokenizer, TYPICAL))
        encoders: dict[str, Encoder] = {
            name: _build(ENCODERS, sense.encoder, Encoder) for name, sense in config.senses.items()
        }
        self.encoders = nn.ModuleDict(encoders)
        scale = backbone.text_scale if self.entry is None else self.entry.scale
        self.projectors = nn.ModuleDict(
            {
                name: _build(CONNECTORS, sense.connector, Connector, encoders[name], backbone.dim, text_scale=scale)
                for name, sense in config.senses.items()
            }
        )
        self.entities = _entities(config, encoders)
        self.fusion: Fusion = _build(FUSIONS, config.fusion, Fusion, backbone)
        for name in self.fusion.beside:
            check_name("sense", name, config.senses)
        host = Host(dim=backbone.dim, config=config, encoders=encoders, tokenizer=tokenizer, words=backbone.words)
        self.heads: dict[str, Head] = {name: _build(HEADS, part, Head, host) for name, part in config.heads.items()}
        for name, head in self.heads.items():
            if hasattr(self, name):
                raise EmbodiedError(f"a head cannot be called {name!r}: the model has a part of that name")
            self._check_head(name, head)
            self.add_module(name, head)

    @property
    def history(self) -> int:
        """How many of the last observations it reads."""
        return max((self._encoder(name).history for name in self.config.senses), default=1)

    @property
    def reads_words(self) -> bool:
        """Whether tokens of its senses depend on the command, so that a sentence has one."""
        return any(connector.reads_words for connector in self.projectors.values())

    @property
    def horizon(self) -> int:
        """How many of the next actions its heads are trained on."""
        return max((head.horizon for head in self.heads.values()), default=0)

    @property
    def wants_goal(self) -> bool:
        """Whether any of its heads is trained on what was seen at the end."""
        return any(head.wants_goal for head in self.heads.values())

    def senses(self, observations: Sequence[Observation]) -> dict[str, Tensor]:
        """What each sense makes of the last observations, oldest first, at least one; missing readings are left out.

        Training and acting share it. Raises EmbodiedError for a reading of another sort than the encoder's.
        """
        found: dict[str, Tensor] = {}
        for name in self.config.senses:
            encoder, reading = self._encoder(name), self.config.reading_of(name)
            last = observations[-encoder.history :]
            readings: list[Reading] = [each.readings[reading] for each in last if reading in each.readings]
            if not readings:
                continue
            try:
                value = encoder.prepare(readings)
            except EmbodiedError as error:
                raise type(error)(f"sense {name!r} of the model: {error}") from None
            if value is not None:
                found[name] = value
        return found

    def sentence(
        self,
        senses: Mapping[str, Tensor],
        commands: Sequence[tuple[str | None, Plan | None]],
        features: Mapping[str, Tensor] | None = None,
    ) -> Sentence:
        """The sentence of one moment: what its senses made of it, and the commands about it.

        A command is its words, None where its plan is all that is left of it, and its plan, None where that is still
        to be written. `features` are what frozen encoders are known to say of this moment.
        """
        known = features or {}
        for name in senses:
            check_name("sense", name, self.config.senses)
        order = [name for name in self.config.senses if name in senses]
        sensors = {name: Sensor(name, senses[name], known.get(name)) for name in order}
        return sentence(sensors, [asking(text, self._tokens(plan)) for text, plan in commands])

    def embed(self, sentences: Sequence[Sentence], *, zeroed: Sequence[str] = ()) -> Embedded:
        """Embed sentences of one layout: words by the table, readings by their encoder and connector.

        The tokens of `zeroed` senses are zeros, which is a control. Raises UnknownNameError for a sense that the
        model does not have, ValueError where sentences have different senses.
        """
        layouts = {tuple(s.sense if isinstance(s, Sensor) else s.text for s in each.prefix) for each in sentences}
        if len(layouts) != 1:
            raise ValueError(f"sentences of one batch must have the same senses and words in between: {layouts}")
        device, count = self.backbone.embedding.weight.device, len(sentences)
        blocks, readings = list[Tensor](), list[int]()
        spans, features = dict[str, tuple[int, int]](), dict[str, Tensor]()
        for number, segment in enumerate(sentences[0].prefix):
            start = len(readings)
            if isinstance(segment, Text):
                words = self.entered(encode(self.tokenizer, segment.text))
                blocks.append(words.expand(count, -1, -1))
                readings += [-1] * len(words)
                continue
            name = segment.sense
            while name in spans:  # another reading of the same sense
                name = f"{name} again"
            features[name] = self._features([each.prefix[number] for each in sentences])
            tokens = self._connected(segment.sense, features[name], sentences)
            blocks.append(torch.zeros_like(tokens) if segment.sense in zeroed else tokens)
            readings += [number] * tokens.shape[1]
            spans[name] = (start, len(readings))
        things = self._things(features, zeroed, count)
        told = [encode(self.tokenizer, seeing(each or ()).text) if self.entities else () for each in things]
        rows = [Row(len(readings), each) for each in told]
        for row, each in zip(rows, sentences, strict=True):
            for asked in each.branches:
                row.add(encode(self.tokenizer, asked.question.text), asked.answer)
        longest = max(len(row.ids) for row in rows)
        ids_of = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in rows], device=device)
        prefix = [PREFIX] * len(readings)
        branch = [prefix + row.numbers + [PADDING] * (longest - len(row.ids)) for row in rows]
        branch_of = torch.tensor(branch, device=device)
        reading_of = torch.tensor([readings + [-1] * longest], device=device).expand(count, -1)
        blocks.append(self._branch_words(ids_of.long(), rows))
        return Embedded(
            embeddings=torch.cat([block.to(self.dtype) for block in blocks], dim=1),
            branch=branch_of,
            reading=reading_of,
            position=positions(branch_of),
            spans=spans,
            features=features,
            places=tuple(tuple(row.places) for row in rows),
            said=tuple(row.said() for row in rows),
            things=things,
            across={n: c for n, p in self.projectors.items() if isinstance(c := p.columns_across, int) and c},
        )

    def read(self, embedded: Embedded, *, remember: bool = False) -> Hidden:
        """Hidden states of packed sentences. `remember`: words can be written after them (one sentence, one branch)."""
        memory = Memory(self.backbone.new_cache()) if remember else None
        half: list[Tensor] = []
        listening = self.training and any(head.learns_half_way for head in self.heads.values())
        with self.backbone.half_way() if listening else nullcontext(half) as half:
            states = self.fusion.prefill(self.backbone, embedded, memory)
        assert not half or half[0].shape[:2] == embedded.branch.shape, "the fusion reads it in a layout of its own"
        writing = None if memory is None else _Writing(self, memory, embedded.said[0][0])
        return Hidden(states, embedded, self.backbone.words, writing, half[0] if half else None)

    def entered(self, ids: Sequence[int], said: Sequence[int] = ()) -> Tensor:
        """(K, D) words that follow on those that were `said`, as they enter the language model's trained layers."""
        words = self.backbone.words(ids)
        if self.base is None or self.entry is None:
            return words
        return self.entry(self.base.after(said, ids) if said else self.base((), [ids]), words)  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type that the model computes in."""
        return next(self.backbone.trunk.parameters()).dtype  # type: ignore[no-any-return]

    def save_pretrained(self, directory: str | Path) -> None:
        """Write config, weights, tokenizer and their digests; the model card is the recipe's to write."""
        directory = Path(directory)
        config = asdict(self.config) | {"format": FORMAT, "backbone": self.backbone.config_dict()}
        checkpoint.save(directory, config, self.state_dict(), partial(save_tokenizer, self.tokenizer))

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> Self:
        """Read a checkpoint directory; float32, evaluation mode. Raises CheckpointError with the reason."""
        directory = Path(directory)
        checkpoint.check_whole(directory)
        data = checkpoint.read_config(directory)
        if data.get("format") != FORMAT:
            found = data.get("format", 1)
            remedy = f"convert it with: embodied train recipe=convert checkpoint={directory}"
            what = remedy if found in range(1, FORMAT) else "it is newer, or damaged"
            raise CheckpointError(f"{directory} has format {found!r}, and this reads {FORMAT}; {what}")
        if not (directory / TOKENIZER).is_dir():  # its name must not be looked for anywhere else
            raise CheckpointError(f"no tokenizer at {directory / TOKENIZER}; a checkpoint brings its own")
        shapes = checkpoint.shapes_in(directory)
        path = directory / checkpoint.CONFIG
        base: Base | None = None
        try:
            config = config_from({key: data[key] for key in PARTS if key in data}, str(path))
            _check_installed(directory, config)
            check_foreign({key: data[key] for key in ("backbone", "senses")}, len(shapes))
        except _NO_MODEL as error:
            raise CheckpointError(f"{path} does not describe a model: {first_line(error)}") from error
        if config.base is not None:
            base = read_checked(config.base, str(path))
        try:
            with Budget(sum(map(math.prod, shapes.values()))), unset():
                backbone = Backbone(config_from_dict(data["backbone"]), None if base is None else base.embedding)
                model = cls(config, backbone, load_tokenizer(directory / TOKENIZER), base)
        except _NO_MODEL as error:
            raise CheckpointError(f"{path} does not describe a model: {first_line(error)}") from error
        checkpoint.load_weights(model, directory)
        return model.eval()

    def _tokens(self, plan: Plan | None) -> tuple[int, ...]:
        """The words of a known plan, for a model that writes plans."""
        written = (head.tokens(plan) for head in self.heads.values()) if plan is not None else ()
        return next((tokens for tokens in written if tokens), ())

    def _check_head(self, name: str, head: Head) -> None:
        """Raises EmbodiedError for a head that looks at cells which nobody gives it: merged ones, or unread ones."""
        if head.sense and not self.projectors[head.sense].keeps_cells:
            whose = f"the head {name!r} looks at the cells of {head.sense!r}"
            what = f"which the connector {self.config.senses[head.sense].connector.name!r} merges"
            raise EmbodiedError(f"{whose}, {what}; choose affine or mlp, or another head")
        if head.learns_half_way and not self.fusion.reads_senses:
            whose = f"the head {name!r} learns of what layers make of a picture's tokens"
            what = f"which with the fusion {self.config.fusion.name!r} go through none"
            raise EmbodiedError(f"{whose}, {what}; leave the head out, or choose fusion: early")

    def _encoder(self, sense: str) -> Encoder:
        encoder = self.encoders[sense]
        assert isinstance(encoder, Encoder)
        return encoder

    def _features(self, sensors: Sequence[Any]) -> Tensor:
        """(B, T, F) of one sense; what is not known yet goes through the encoder together."""
        name, device = sensors[0].sense, self.backbone.embedding.weight.device
        if name not in self.encoders:
            raise UnknownNameError("sense", name, self.encoders)
        if all(each.features is not None for each in sensors):
            return torch.stack([each.features for each in sensors]).to(device=device, dtype=self.dtype)
        values = torch.stack([each.value for each in sensors]).to(device)
        # An encoder of anyone's meets numbers of the type of its weights, whichever the model computes in.
        features: Tensor = self._encoder(name)(values.to(self.dtype) if values.is_floating_point() else values)
        return features

    def _connected(self, sense: str, features: Tensor, sentences: Sequence[Sentence]) -> Tensor:
        """(B, T', D) tokens of one sense; with the words of the command, for a connector that reads them."""
        connector: Any = self.projectors[sense]
        if not connector.reads_words:
            return connector(features)  # type: ignore[no-any-return]
        if (shared := max(len(each.branches) for each in sentences)) > 1:
            what = f"the connector {self.config.senses[sense].connector.name!r} of {sense!r} reads the command"
            raise EmbodiedError(f"{what}, and {shared} commands share a sentence; make one for each")
        asked = [[encode(self.tokenizer, said.question.text) for said in each.branches] for each in sentences]
        words = [self.entered(ids[0]).unsqueeze(0) if ids else None for ids in asked]
        return torch.cat([connector(*pair) for pair in zip(torch.split(features, 1), words, strict=True)])

    def _things(self, features: Mapping[str, Tensor], zeroed: Sequence[str], count: int) -> Things:
        """What is seen in each picture; None without one, or of a model that does not name things."""
        known = None if (sense := self.config.entities) in zeroed else features.get(sense)
        return (None,) * count if self.entities is None or known is None else tuple(self.entities.found(known))

    def _branch_words(self, ids: Tensor, rows: Sequence[Row]) -> Tensor:
        """(B, K, D) the words of all rows, filled up to K."""
        words = self.backbone.words(ids)
        if self.base is None or self.entry is None:
            return words
        read = torch.zeros_like(words)
        for number, row in enumerate(rows):
            read[number, : len(row.ids)] = self.base(row.seen, row.branches).to(words.dtype)
        return self.entry(read, words)  # type: ignore[no-any-return]


class _Writing:
    """Writes after one sentence of one branch."""

    def __init__(self, model: Palme, memory: Memory, said: Sequence[int]) -> None:
        self._model, self._memory, self._said = model, memory, tuple(said)

    def extend(self, ids: Sequence[int]) -> Tensor:
        """Hidden states (1, K, D) of K more words."""
        model = self._model
        words = model.entered(ids, self._said).unsqueeze(0).to(model.dtype)
        self._said = (*self._said, *ids)
        return model.fusion.extend(model.backbone, words, self._memory)

    def take_back(self, count: int) -> None:
        """Forget the last words that were written."""
        self._memory.take_back(count)
        if self._model.base is not None:
            self._model.base.take_back(self._said, count)
        self._said = self._said[:-count]


def _entities(config: PalmeConfig, encoders: Mapping[str, Encoder]) -> Entities | None:
    """What names the things in a picture, where the model has that. Raises EmbodiedError for a sense without a grid."""
    if not config.entities:
        return None
    grid = grid_of(encoders, config.entities, "name things")
    return Entities(grid, encoders[config.entities].feature_dim, config.colours, config.kinds)


def _build(registry: Registry[Callable[..., Any]], part: PartConfig, kind: type[Any], *given: Any, **more: Any) -> Any:
    """The part that a composition names. Raises EmbodiedError for options that it does not take."""
    if ":" in part.name:  # a checkpoint comes from anywhere, and must not name code to run
        what = f"a model's parts are named, and {part.name!r} is code"
        raise EmbodiedError(f"{what}; register it, or install it with an entry point. Valid: {registry.names()}")
    make = registry.get(part.name)
    try:
        built = make(*given, **more, **part.options)
    except (TypeError, ValueError, RuntimeError) as error:
        raise EmbodiedError(f"{registry.what} {part.name!r} with the options {shown(part.options)}: {error}") from None
    if not isinstance(built, kind):
        raise EmbodiedError(f"{registry.what} {part.name!r} is no {kind.__module__}.{kind.__name__}")
    return built


def _check_installed(directory: Path, config: PalmeConfig) -> None:
    """Raises CheckpointError where the model speaks of, or is made of, what is not installed here."""
    parts: defaultdict[Registry[Any], list[str]] = defaultdict(list)
    parts[VERBS], parts[THINGS], parts[LOOKS] = list(config.verbs), list(config.kinds), list(config.looks)
    parts[FUSIONS] = [config.fusion.name]
    parts[HEADS] = [part.name for part in config.heads.values()]
    parts[ENCODERS] = [sense.encoder.name for sense in config.senses.values()]
    parts[CONNECTORS] = [sense.connector.name for sense in config.senses.values()]
    for registry, names in parts.items():
        unknown = [name for name in names if name not in registry]
        if unknown:
            what = f"the {registry.what} {', '.join(unknown)}, which is not installed"
            raise CheckpointError(f"{directory} speaks of {what}; there are: {', '.join(sorted(registry))}")
