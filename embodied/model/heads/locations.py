# SPDX-License-Identifier: Apache-2.0
"""Pointing by location bins: where a thing is, across and down, is one of so many places (Pix2Seq, Chen et al. 2022;
Kosmos-2, Peng et al. 2023).

These write the bins as words, one after the other; here both are read at once, from the noun's last word. No cell of
the picture is looked at, so that any connector and any fusion will do: the language model must find what is named. Of
what is not named it says nothing, so that motions which look for free room, or put on top of others, go without that.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from embodied.data.sample import Sample
from embodied.errors import check_name
from embodied.language.nouns import Noun
from embodied.model.encoders import check_sizes
from embodied.model.heads import HEADS, Host
from embodied.model.heads.pointing import Pointer, Sight
from embodied.model.hidden import Hidden


class Locations(Pointer):
    """`bins` places across the picture of `sense`, and as many down."""

    weights = {"where": 0.5}  # noqa: RUF012

    def __init__(self, host: Host, *, sense: str = "front", bins: int = 48, hidden: int = 256) -> None:
        super().__init__(host)
        check_name("sense", sense, host.config.senses)
        if not host.encoders[sense].sees:
            raise ValueError(f"it points in a picture, and the sense {sense!r} is none")
        check_sizes(bins=bins, hidden=hidden)
        if bins < 2:
            raise ValueError(f"bins must be at least 2, not {bins}")
        self.picture, self.count = sense, bins
        self.norm = nn.RMSNorm(host.dim)
        self.read = nn.Sequential(nn.Linear(host.dim, hidden), nn.SiLU(), nn.Linear(hidden, 2 * bins))

    def logits(self, states: Tensor) -> Tensor:
        """(N, 2, bins) of states (N, D): across, and down."""
        read: Tensor = self.read(self.norm(states.to(self.norm.weight.dtype)))
        return torch.unflatten(read.float(), -1, (2, self.count))

    def shares(self, place: Tensor) -> Tensor:
        """(N, 2, bins) how fractions (N, 2) of the picture are shared between the two bins next to each."""
        at = (place * self.count - 0.5).clamp(0, self.count - 1)
        middles = torch.arange(self.count, device=place.device)
        return (1 - (at[..., None] - middles).abs()).clamp_min(0)

    def places(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 2) fractions of the picture, and (N,) how likely it is to be there: within a bin of the likeliest."""
        chance = logits.softmax(dim=-1)
        middles = torch.arange(self.count, device=logits.device)
        near = (middles - chance.argmax(dim=-1, keepdim=True)).abs() <= 1
        mass = (chance * near).sum(dim=-1)
        middle = (chance * near * (middles + 0.5)).sum(dim=-1) / mass
        return middle / self.count, mass.prod(dim=-1)

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of where each thing is that a plan names, and how far off the middle one is, in bins."""
        named = self.named(hidden, samples) if all(sample.things is not None for sample in samples) else []
        if not named:
            return {}
        rows, positions = [each.row for each in named], [each.position for each in named]
        wanted = torch.tensor([(each.seen.u, each.seen.v) for each in named], device=hidden.states.device)
        logits = self.logits(hidden.states[rows, positions])
        found, _ = self.places(logits)
        return {
            "where": -(logits.log_softmax(dim=-1) * self.shares(wanted)).sum(dim=(1, 2)).mean(),
            "off_bins": ((found - wanted).norm(dim=-1).median() * self.count).detach(),
        }

    def looked(self, hidden: Hidden) -> None:
        """Nothing: it looks for what is named."""

    def visible(self, hidden: Hidden, looked: None) -> None:
        return None

    def point(self, hidden: Hidden, looked: None, nouns: Sequence[Noun], positions: Sequence[int]) -> tuple[Sight, ...]:
        places, chances = self.places(self.logits(hidden.states[0, list(positions)]))
        return tuple(
            Sight(noun=noun, point=(u, v), probability=chance)
            for noun, (u, v), chance in zip(nouns, places.tolist(), chances.tolist(), strict=True)
        )


HEADS.register("locations", Locations)
