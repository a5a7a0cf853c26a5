# SPDX-License-Identifier: Apache-2.0
"""Pointing, grounded in words.

What comes out of the language model at a picture token is read as words ("red", "block"); what comes out at a noun of
the plan is read as words too. Both readings live among the language model's own word embeddings, and a noun points at
the picture token that carries the same words. The pointer sees coarse position through the language model alone; inside
the chosen cell a small regressor adds the offset to the object's centre. One thing stands in or on another: `layered`,
a picture token is read twice, as what is on the table there, and as what is in or on that.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from embodied.data.sample import Sample, Seen
from embodied.language.nouns import Noun
from embodied.model.encoders import grid_of
from embodied.model.heads import HEADS, Host
from embodied.model.heads.grid import Labels, around, in_layers, labels, naming_losses, point_of
from embodied.model.heads.pointing import Named, Pointer, Sight
from embodied.model.hidden import Hidden

SEEN_PROBABILITY = 0.5
"""A picture token counts as seeing a thing from this probability of its words on."""
NOTHING = "nothing"


class Reading(NamedTuple):
    """Vectors read as words: unit vectors (..., D) and logits over the words, "nothing" last."""

    colour: Tensor
    kind: Tensor
    colour_logits: Tensor  # (..., colours + 1)
    kind_logits: Tensor  # (..., kinds + 1)


class Grounding(Pointer):
    """The pointer and the two readings that it matches. `sense` is the picture that it points in."""

    weights = {"point": 1.0, "token": 0.5, "input": 0.2, "query": 0.3, "offset": 2.0}  # noqa: RUF012
    colour_words: Tensor
    kind_words: Tensor

    def __init__(self, host: Host, *, sense: str = "front", hidden: int = 256, layered: bool = False) -> None:
        super().__init__(host)
        self.sense = self.picture = sense
        self.grid = grid_of(host.encoders, sense, "point")
        encoder, config = host.encoders[sense], host.config
        self.colours, self.kinds = config.colours, config.kinds
        self.things = [Noun(colour, kind) for colour in config.colours for kind in config.kinds]
        """Everything that a picture token can name."""
        dim = host.dim
        self.register_buffer("colour_words", torch.zeros(len(self.colours) + 1, dim))
        self.register_buffer("kind_words", torch.zeros(len(self.kinds) + 1, dim))
        self.token_maps = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(2))
        self.upper_maps = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(2 if layered else 0))
        self.query_maps = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(2))
        self.centre = nn.Linear(dim, 1)
        self.sharpness = nn.Parameter(torch.tensor(12.0))
        self.offset = nn.Sequential(
            nn.Linear(2 * dim + encoder.feature_dim, hidden), nn.SiLU(), nn.Linear(hidden, 2), nn.Tanh()
        )
        self.set_words(_mean_embeddings(host, self.colours), _mean_embeddings(host, self.kinds))

    def set_words(self, colour_embeddings: Tensor, kind_embeddings: Tensor) -> None:
        """Take word embeddings (words, D) as the anchors; centred, so that words differ by meaning."""
        centre = torch.cat([colour_embeddings, kind_embeddings]).mean(dim=0)
        self.colour_words.copy_(nn.functional.normalize(colour_embeddings - centre, dim=-1))
        self.kind_words.copy_(nn.functional.normalize(kind_embeddings - centre, dim=-1))

    def read_tokens(self, hidden: Tensor) -> tuple[Reading, ...]:
        """What each picture token says, (..., D) hidden states to words; where it is layered, what is on the table
        there, and what is in or on that."""
        maps = (self.token_maps, self.upper_maps) if len(self.upper_maps) else (self.token_maps,)
        return tuple(self._read(colour(hidden), kind(hidden)) for colour, kind in maps)

    def read_queries(self, hidden: Tensor) -> Reading:
        """What each noun of the plan looks for: (..., D) hidden states to words."""
        return self._read(self.query_maps[0](hidden), self.query_maps[1](hidden))

    def read_inputs(self, tokens: Tensor) -> Reading:
        """What each picture token says before the language model: (..., D) tokens to words."""
        return self._read(tokens, tokens)

    def bare(self, tokens: Tensor) -> Tensor:
        return self.read_inputs(tokens).kind_logits.float().softmax(dim=-1)[..., -1]

    def match(self, tokens: Sequence[Reading], queries: Reading, hidden: Tensor) -> Tensor:
        """Pointing logits (B, Q, T): how well token t carries the words that query q looks for, in one of its
        readings."""
        same = [
            torch.einsum("bqd,btd->bqt", queries.colour, each.colour)
            + torch.einsum("bqd,btd->bqt", queries.kind, each.kind)
            for each in tokens
        ]
        logits: Tensor = self.sharpness * torch.stack(same).amax(dim=0) + self.centre(hidden).transpose(1, 2)
        return logits

    def offsets(self, token_hidden: Tensor, features: Tensor, query_hidden: Tensor) -> Tensor:
        """(..., 2) from a cell's centre to the object's, in cells, each within 1.5."""
        offset: Tensor = self.offset(torch.cat([token_hidden, features, query_hidden], dim=-1))
        return 1.5 * offset

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """What picture tokens say, what nouns look for, and where they point."""
        if any(sample.things is None for sample in samples):
            return {}
        things = [sample.things or () for sample in samples]
        token_hidden = hidden.of(self.sense).float()
        tokens, inputs = self.read_tokens(token_hidden), self.read_inputs(hidden.sentence.of(self.sense).float())
        layers = zip(*map(in_layers, things), strict=True) if len(tokens) > 1 else [things]
        naming = [self._naming(reading, shown) for reading, shown in zip(tokens, layers, strict=True)]
        parts = {"token": torch.stack(naming).sum(), "input": self._naming(inputs, things)}
        named = self.named(hidden, samples)
        return parts | self._pointing(hidden, tokens, named) if named else parts

    def _naming(self, reading: Reading, things: Sequence[Sequence[Seen]]) -> Tensor:
        """How far tokens are from saying what is there; `things` of each picture."""
        grounds = [labels(each, self.grid, self.colours, self.kinds) for each in things]
        device = reading.colour_logits.device
        batch = Labels(*(torch.stack(each).to(device) for each in zip(*grounds, strict=True)))
        colour, kind = naming_losses(reading.colour_logits, reading.kind_logits, batch, empty=0.1)
        return colour + kind

    def _pointing(self, hidden: Hidden, tokens: Sequence[Reading], named: Sequence[Named]) -> dict[str, Tensor]:
        device = hidden.states.device
        words = [(self.colours.index(each.noun.colour), self.kinds.index(each.noun.kind)) for each in named]
        places = [around(each.seen.u, each.seen.v, self.grid) for each in named]
        row, position = torch.tensor([(each.row, each.position) for each in named], device=device).unbind(dim=1)
        colour, kind = torch.tensor(words, device=device).unbind(dim=1)
        cells, weights, wanted = (torch.stack(each).to(device) for each in zip(*places, strict=True))
        token_hidden, query_hidden = hidden.of(self.sense).float(), hidden.states[row, position].float()
        queries = self.read_queries(query_hidden)
        entropy = nn.functional.cross_entropy
        parts = {"query": entropy(queries.colour_logits, colour) + entropy(queries.kind_logits, kind)}

        seen = [Reading(*(each[row] for each in reading)) for reading in tokens]
        asked = Reading(*(each[:, None] for each in queries))
        match = self.match(seen, asked, token_hidden[row])[:, 0]
        parts["point"] = -(match.log_softmax(dim=-1).gather(1, cells) * weights).sum(dim=1).mean()
        near = (match.argmax(dim=-1, keepdim=True) == cells) & (weights > 0.05)
        parts["point_accuracy"] = near.any(dim=1).float().mean().detach()

        offsets = self.offsets(
            token_hidden[row[:, None], cells],
            hidden.sentence.features[self.sense][row[:, None], cells].float(),
            query_hidden[:, None].expand(-1, cells.shape[1], -1),
        ).float()
        error = nn.functional.smooth_l1_loss(offsets, wanted, beta=0.05, reduction="none").sum(dim=-1)
        parts["offset"] = (error * (weights + 0.05)).sum(dim=1).mean()
        distance = (offsets - wanted).norm(dim=-1).gather(1, weights.argmax(dim=1, keepdim=True))
        parts["offset_cells"] = distance.median().detach()
        return parts

    def visible(self, hidden: Hidden, looked: Tensor) -> tuple[Sight, ...]:
        """The surest token of every thing that some token names."""
        best, index = looked.max(dim=0)
        cells = self._cells(hidden).to(looked.device)
        return tuple(
            Sight(
                noun=thing,
                point=point_of(int(cells[i]), (0.0, 0.0), self.grid),
                probability=float(probability),
                several=self._are_several(cells[column > SEEN_PROBABILITY]),
            )
            for thing, i, probability, column in zip(self.things, index, best, looked.T, strict=True)
            if probability > SEEN_PROBABILITY
        )

    def _are_several(self, cells: Tensor) -> bool:
        """Whether (K,) cells that bear one name lie further apart than those around the middle of one thing.

        However large it is, the four cells around its middle are taught its name.
        """
        places = torch.stack([cells // self.grid[1], cells % self.grid[1]])
        return bool((places.amax(dim=1) - places.amin(dim=1)).max() > 1)

    def looked(self, hidden: Hidden) -> Tensor:
        """(T, things) probability that each picture token names each of `things`."""
        names = list[Tensor]()
        for reading in self.read_tokens(hidden.of(self.sense)):
            colour = reading.colour_logits[0].float().softmax(dim=-1)[:, :-1]
            kind = reading.kind_logits[0].float().softmax(dim=-1)[:, :-1]
            names.append((colour[:, :, None] * kind[:, None, :]).flatten(1))
        return torch.stack(names).amax(dim=0)

    def point(
        self, hidden: Hidden, looked: Tensor, nouns: Sequence[Noun], positions: Sequence[int]
    ) -> tuple[Sight, ...]:
        token_hidden, query_hidden = hidden.of(self.sense), hidden.states[:, list(positions)]
        cells = self._cells(hidden)
        queries, tokens = self.read_queries(query_hidden), self.read_tokens(token_hidden)
        column = {thing: looked[:, i] for i, thing in enumerate(self.things)}  # (T,) each
        nowhere = torch.zeros_like(looked[:, 0])
        rows = torch.stack([column.get(noun, nowhere) for noun in nouns])  # (Q, T)
        # A cell between two things may match one and lie on the other: its own words must agree.
        match = self.match(tokens, queries, token_hidden)[0].float() + rows.clamp_min(1e-6).log()
        best = match.argmax(dim=-1)  # (Q,)
        features = hidden.sentence.features[self.sense].to(token_hidden.dtype)
        offsets = self.offsets(token_hidden[0, best], features[0, best], query_hidden[0])
        return tuple(
            Sight(noun=noun, point=point_of(int(cells[i]), offset.tolist(), self.grid), probability=float(row[i]))
            for noun, i, offset, row in zip(nouns, best, offsets, rows, strict=True)
        )

    def _cells(self, hidden: Hidden) -> Tensor:
        """(T,) which cells of the grid the sentence has tokens of."""
        kept = hidden.sentence.kept.get(self.sense)
        return torch.arange(self.grid[0] * self.grid[1]) if kept is None else kept

    def _read(self, colour: Tensor, kind: Tensor) -> Reading:
        colour, kind = nn.functional.normalize(colour, dim=-1), nn.functional.normalize(kind, dim=-1)
        return Reading(
            colour=colour,
            kind=kind,
            colour_logits=self.sharpness * colour @ self.colour_words.T,
            kind_logits=self.sharpness * kind @ self.kind_words.T,
        )


def _mean_embeddings(host: Host, words: Sequence[str]) -> Tensor:
    """(words + 1, D): the mean embedding of each word's tokens; the last row is "nothing"."""
    tokens = [host.tokenizer.encode(f" {word}", add_special_tokens=False) for word in (*words, NOTHING)]
    return torch.stack([host.words(ids).mean(dim=0) for ids in tokens])


HEADS.register("grounding", Grounding)
