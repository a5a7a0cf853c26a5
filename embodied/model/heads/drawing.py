# SPDX-License-Identifier: Apache-2.0
"""How the table should look: a picture of what is wanted, drawn from hidden states (GILL, Koh et al. 2023; Emu).

Queries, one for each cell of the picture, look at the sentence up to the command's last word, as in GILL's mapper, and
say all codes at once: one step of parallel decoding, where MaskGIT (Chang et al. 2022) takes several, as OpenVLA-OFT
says actions. So a cell does not know what the others chose. A tokenizer that does not learn draws the codes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from embodied.data.sample import Sample
from embodied.errors import check_name
from embodied.model.codes import Tokenizer
from embodied.model.encoders import check_sizes
from embodied.model.heads import HEADS, Head, Host
from embodied.model.hidden import Hidden
from embodied.model.sentence import PREFIX
from embodied.types import Observation


class Drawing(Head):
    """The picture that `sense` will read when the command is done; the sizes up to `dim` are those of its tokenizer."""

    weights = {"codes": 1.0}  # noqa: RUF012
    wants_goal: ClassVar[bool] = True
    pretrained: ClassVar[str] = "tokenizer"

    def __init__(
        self,
        host: Host,
        *,
        sense: str = "front",
        size_px: int = 160,
        patch_px: int = 8,
        width: int = 16,
        codes: int = 512,
        dim: int = 32,
        hidden: int = 256,
        depth: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__(host)
        check_name("sense", sense, host.config.senses)
        if not host.encoders[sense].sees:
            raise ValueError(f"it draws a picture, and the sense {sense!r} is none")
        check_sizes(hidden=hidden, depth=depth, heads=heads)
        if hidden % heads:
            raise ValueError(f"hidden must be a multiple of heads={heads}, not {hidden}")
        self.reading = host.config.reading_of(sense)
        self.tokenizer = Tokenizer(size_px=size_px, patch_px=patch_px, width=width, codes=codes, dim=dim)
        rows, columns = self.tokenizer.grid
        self.cells = nn.Parameter(torch.randn(rows * columns, hidden))
        self.norm = nn.RMSNorm(host.dim)
        self.shows, self.asks = nn.Linear(host.dim, hidden), nn.Linear(host.dim, hidden)
        options: dict[str, Any] = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(hidden, heads, 4 * hidden, **options) for _ in range(depth)
        )
        self.tells = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, codes))

    def logits(self, hidden: Hidden, rows: Tensor, columns: Tensor) -> Tensor:
        """(N, T, K) of the codes of each cell when N commands are done, whose last words stand at rows and columns."""
        branch = hidden.sentence.branch[rows]
        own = branch.gather(1, columns[:, None])
        said = torch.arange(branch.shape[1], device=branch.device) <= columns[:, None]
        visible = ((branch == PREFIX) | (branch == own)) & said
        states = self.norm(hidden.states[rows, : branch.shape[1]].to(self.norm.weight.dtype))
        shown = self.shows(states)
        cells = self.cells + self.asks(states[torch.arange(len(rows)), columns])[:, None]
        for layer in self.layers:
            cells = layer(cells, shown, memory_key_padding_mask=~visible)
        told: Tensor = self.tells(cells).float()
        return told

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Cross-entropy of the codes of what was seen at the end; for the log, the share that is right, and that among
        those that are not as they were."""
        commands = [(sample.observations[-1], each) for sample in samples for each in sample.commands]
        shown = [
            (number, now, command.goal)
            for number, (now, command) in enumerate(commands)
            if command.text is not None
            and command.goal is not None
            and self.reading in now.readings
            and self.reading in command.goal.readings
        ]
        if not shown:
            return {}
        chosen, now, goal = zip(*shown, strict=True)
        rows, columns = hidden.asked()
        logits = self.logits(hidden, rows[list(chosen)], columns[list(chosen)])
        wanted, before = (self._codes(each, logits.device) for each in (goal, now))
        right, changed = logits.argmax(dim=-1) == wanted, wanted != before
        return {
            "codes": nn.functional.cross_entropy(logits.flatten(0, 1), wanted.flatten()),
            "right": right.float().mean(),
            "right_where_changed": (right & changed).sum() / changed.sum().clamp_min(1),
        }

    def answer(self, hidden: Hidden) -> NDArray[np.uint8]:
        """The picture, (S, S, 3)."""
        rows, columns = hidden.asked()
        codes = self.logits(hidden, rows[:1], columns[:1]).argmax(dim=-1)
        drawn: NDArray[np.uint8] = self.tokenizer.drawn(codes)[0].cpu().numpy()
        return drawn

    def _codes(self, seen: Sequence[Observation], device: torch.device) -> Tensor:
        """(N, T) of what was seen."""
        pictures = [self.tokenizer.encoder.prepare([each.readings[self.reading]]) for each in seen]
        return self.tokenizer.codes(torch.stack(pictures).to(device))


HEADS.register("drawing", Drawing)
