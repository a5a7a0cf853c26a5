# SPDX-License-Identifier: Apache-2.0
"""The PaLM-E core: sensor tokens interleaved with words inside a causal language model.

x_i is a word embedding where token i is a word and a projected sensor feature where it belongs to a
reading (Driess et al. 2023, equation 3). The language model answers with a plan in words, and its
outputs at the picture tokens and at the plan's nouns point at things.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from embodied.errors import CheckpointError, UnknownNameError, check_name
from embodied.language.verbs import VERBS
from embodied.language.vocabulary import COLOURS, OTHER_COLOURS
from embodied.model import checkpoint
from embodied.model.backbone import Backbone, config_from_dict, encode, load_tokenizer, save_tokenizer
from embodied.model.encoders import Projector, make_encoder
from embodied.model.heads import Grounding
from embodied.model.plan_tokens import PlanLanguage
from embodied.model.sentence import PREFIX, Sentence, Text
from embodied.things import THINGS

TOKENIZER_FOLDER = "tokenizer"
NOTHING = "nothing"
STATE = "state"
"""The modality of proprioception."""
FORMAT = 2
"""Version of `config.json`; 1 did not say which verbs, things and colours a model knows."""

TABLETOP_VERBS = ("touch", "pick_up", "put_in_bowl", "stack", "push_to", "place_relative")
TABLETOP_KINDS = ("block", "bowl", "zone")
"""What a model learns unless it is told otherwise. A trained one speaks what its `config.json` lists."""


@dataclass(frozen=True)
class ModalityConfig:
    """One sensor: the registered name of its encoder and the encoder's options."""

    encoder: str
    options: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PalmeConfig:
    """What a model is made of, besides its language model."""

    modalities: Mapping[str, ModalityConfig]
    picture: str = "front"  # the modality, and the camera, that the pointer points in
    verbs: tuple[str, ...] = TABLETOP_VERBS  # that it may write
    kinds: tuple[str, ...] = TABLETOP_KINDS  # of things that it can see and may write
    colours: tuple[str, ...] = COLOURS  # that it can see and may write
    other_colours: tuple[str, ...] = OTHER_COLOURS  # that it may write and never sees


@dataclass(frozen=True)
class Embedded:
    """A sentence as the language model reads it; L tokens."""

    embeddings: Tensor  # (1, L, D)
    branch: Tensor  # (1, L), see sentence.allowed
    reading: Tensor  # (1, L)
    position: Tensor  # (1, L), of each token in the whole sentence
    spans: tuple[tuple[int, int], ...]  # [start, end) of each segment
    features: tuple[Tensor | None, ...]  # (1, T, F) encoder features of each sensor segment

    def thinned(self, segment: int, tokens: Tensor) -> Self:
        """The sentence with only some of the tokens of one sensor segment, each at its old position.

        `tokens` is (K,) int, increasing, counted from the segment's first.
        """
        start, end = self.spans[segment]
        every = torch.arange(self.branch.shape[1], device=self.branch.device)
        kept = torch.cat([every[:start], start + tokens, every[end:]])
        gone = end - start - len(tokens)
        spans = [(a - gone, b - gone) if a >= end else (a, b) for a, b in self.spans]
        spans[segment] = (start, end - gone)
        feature = self.features[segment]
        assert feature is not None, "only a sensor's tokens can be thinned"
        features = list(self.features)
        features[segment] = feature[:, tokens]
        return replace(
            self,
            embeddings=self.embeddings[:, kept],
            branch=self.branch[:, kept],
            reading=self.reading[:, kept],
            position=self.position[:, kept],
            spans=tuple(spans),
            features=tuple(features),
        )


class Palme(nn.Module):
    """Encoders and projectors, one language model, one pointer."""

    def __init__(self, config: PalmeConfig, backbone: Backbone, tokenizer: PreTrainedTokenizerBase) -> None:
        super().__init__()
        check_name("modality", config.picture, config.modalities)
        self.config, self.backbone, self.tokenizer = config, backbone, tokenizer
        encoders = {name: make_encoder(m.encoder, m.options) for name, m in config.modalities.items()}
        self.encoders = nn.ModuleDict(encoders)
        dim, scale = backbone.dim, backbone.text_scale
        self.projectors = nn.ModuleDict(
            {name: Projector(e.feature_dim, dim, text_scale=scale, grid=e.grid) for name, e in encoders.items()}
        )
        self.grounding = Grounding(
            backbone.dim, encoders[config.picture].feature_dim, colours=len(config.colours), kinds=len(config.kinds)
        )
        self.grounding.set_words(self._word_embeddings(config.colours), self._word_embeddings(config.kinds))

    def plan_language(self) -> PlanLanguage:
        """Every plan that this model may write."""
        colours = (*self.config.colours, *self.config.other_colours)
        return PlanLanguage(self.tokenizer, self.config.verbs, self.config.kinds, colours)

    @property
    def state_size(self) -> int:
        """Numbers in the state that the model reads; 0 where it reads none."""
        return int(getattr(self.encoders[STATE], "size", 0)) if STATE in self.encoders else 0

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the picture's tokens."""
        grid = self.encoders[self.config.picture].grid
        assert isinstance(grid, tuple)
        return grid

    @property
    def picture_size_px(self) -> int:
        """Side of the square picture that the model reads."""
        return int(self.encoders[self.config.picture].size_px)  # type: ignore[arg-type]

    def embed(self, sentence: Sentence) -> Embedded:
        """Embed one sentence: words by the table, readings by their encoder and projector.

        Raises UnknownNameError for a modality that the model does not have.
        """
        device = self.backbone.embedding.weight.device
        rows, readings = list[Tensor](), list[int]()
        spans, features = list[tuple[int, int]](), list[Tensor | None]()
        for number, segment in enumerate(sentence):
            if isinstance(segment, Text):
                ids = torch.tensor(encode(self.tokenizer, segment.text), dtype=torch.long, device=device)
                tokens, feature, reading = self.backbone.embedding(ids), None, -1
            else:
                if segment.modality not in self.encoders:
                    raise UnknownNameError("modality", segment.modality, self.encoders)
                feature = self.encoders[segment.modality](segment.value.to(device).unsqueeze(0))
                tokens, reading = self.projectors[segment.modality](feature)[0], number
            start = len(readings)
            readings += [reading] * len(tokens)
            spans.append((start, len(readings)))
            rows.append(tokens.to(self.projector_dtype))
            features.append(feature)
        return Embedded(
            embeddings=torch.cat(rows).unsqueeze(0),
            branch=torch.full((1, len(readings)), PREFIX, device=device),
            reading=torch.tensor([readings], device=device),
            position=torch.arange(len(readings), device=device).unsqueeze(0),
            spans=tuple(spans),
            features=tuple(features),
        )

    @property
    def projector_dtype(self) -> torch.dtype:
        """The floating-point type that the model computes in."""
        return self.grounding.sharpness.dtype

    def save_pretrained(self, directory: str | Path) -> None:
        """Write config, weights and tokenizer; the model card is the recipe's to write."""
        directory = Path(directory)
        config = asdict(self.config) | {"format": FORMAT, "backbone": self.backbone.config_dict()}
        checkpoint.write_config(directory, config)
        checkpoint.save_weights(self.state_dict(), directory)
        save_tokenizer(self.tokenizer, directory / TOKENIZER_FOLDER)

    @classmethod
    def from_pretrained(cls, directory: str | Path) -> Self:
        """Read a checkpoint directory; float32, evaluation mode. Raises CheckpointError with the reason."""
        directory = Path(directory)
        data = checkpoint.read_config(directory)
        if data.get("format") != FORMAT:
            found = data.get("format", 1)
            remedy = f"convert it with: embodied train recipe=convert checkpoint={directory}"
            what = remedy if found == 1 else "it is newer"
            raise CheckpointError(f"{directory} has format {found}, and this reads {FORMAT}; {what}")
        try:
            config = PalmeConfig(
                modalities={name: ModalityConfig(**m) for name, m in data["modalities"].items()},
                picture=data["picture"],
                **{name: tuple(data[name]) for name in ("verbs", "kinds", "colours", "other_colours")},
            )
            _check_installed(directory, config)
            backbone = Backbone(config_from_dict(data["backbone"]))
            model = cls(config, backbone, load_tokenizer(directory / TOKENIZER_FOLDER))
        except (KeyError, TypeError, AttributeError, UnknownNameError) as error:
            raise CheckpointError(f"{directory / checkpoint.CONFIG} does not describe a model: {error}") from error
        checkpoint.load_weights(model, directory)
        return model.eval()

    def _word_embeddings(self, words: tuple[str, ...]) -> Tensor:
        """(words + 1, D): the mean embedding of each word's tokens; the last row is "nothing"."""
        tokens = [torch.tensor(encode(self.tokenizer, f" {word}")) for word in (*words, NOTHING)]
        return torch.stack([self.backbone.embedding(ids).mean(dim=0) for ids in tokens])


def _check_installed(directory: Path, config: PalmeConfig) -> None:
    """Raises CheckpointError where the model speaks of a verb or a thing that is not installed here."""
    for registry, names in ((VERBS, config.verbs), (THINGS, config.kinds)):
        unknown = [name for name in names if name not in registry]
        if unknown:
            what = f"the {registry.what} {', '.join(unknown)}, which is not installed"
            raise CheckpointError(f"{directory} speaks of {what}; there are: {', '.join(registry.names())}")
