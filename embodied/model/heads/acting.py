# SPDX-License-Identifier: Apache-2.0
"""What all heads share that answer with the next actions of the hand: which actions, their scale, and when it ends."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied.data.sample import Actions, Sample
from embodied.errors import EmbodiedError
from embodied.model.encoders import check_sizes
from embodied.model.heads import Act, Head, Host
from embodied.model.hidden import Hidden
from embodied.motion.actions import CHUNK_RATE_HZ, EE_DELTA_NAMES, MAX_STEP_M, MAX_TURN_RAD, ActionChunk

ACTIONS = len(EE_DELTA_NAMES)
_BOUND = np.array([MAX_STEP_M] * 3 + [MAX_TURN_RAD] * 3 + [1.0], dtype=np.float32)
ENDED = 0.5
"""From this probability on nothing is left to do after the chunk."""


class Acting(Head):
    """`steps` displacements of the hand (ee_delta), from the state at the last word of the command.

    A kind of head says how far it is off the actions that were right, and which ones it would take; both normalised.
    """

    weights = {"chunk": 1.0, "ends": 0.1}  # noqa: RUF012
    mean: Tensor
    std: Tensor
    fitted: Tensor

    def __init__(self, host: Host, *, steps: int = 8, hidden: int = 256) -> None:
        super().__init__(host)
        check_sizes(steps=steps, hidden=hidden)
        self.horizon = steps
        self.register_buffer("mean", torch.zeros(ACTIONS))  # saved: what actions are normalised by
        self.register_buffer("std", torch.ones(ACTIONS))
        self.register_buffer("fitted", torch.tensor(False))
        self.layers = nn.Sequential(nn.Linear(host.dim, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.ends = nn.Linear(hidden, 1)

    @abstractmethod
    def error(self, read: Tensor, wanted: Tensor) -> Tensor:
        """What is to be minimised, (), of what was `read` (N, hidden); `wanted` (N, steps, 7) is normalised."""

    @abstractmethod
    def chosen(self, read: Tensor) -> Tensor:
        """The normalised actions (N, steps, 7) that it would take, the same every time."""

    def fit(self, actions: Actions) -> None:
        """Normalise by mean and standard deviation of the first actions that it is trained on.

        Raises EmbodiedError for actions that are no displacements of the hand at the rate of its chunks.
        """
        if actions.names != EE_DELTA_NAMES or actions.rate_hz != CHUNK_RATE_HZ:
            wanted = f"{', '.join(EE_DELTA_NAMES)} at {CHUNK_RATE_HZ:g} Hz"
            remedy = "record them with: embodied collect action_mode=ee_delta"
            raise EmbodiedError(f"the recorded actions are {actions}, and a chunk is {wanted}; {remedy}")
        if not self.fitted:
            self.mean.copy_(torch.as_tensor(actions.mean))
            # What hardly ever changes must not be blown up.
            self.std.copy_(torch.as_tensor(actions.std).clamp_min(1e-3))
            self.fitted.fill_(True)

    def loss(self, hidden: Hidden, samples: Sequence[Sample]) -> Mapping[str, Tensor]:
        """Its error at the recorded actions, and cross-entropy of whether the episode ends with them."""
        commands = [command for sample in samples for command in sample.commands]
        shown = [i for i, each in enumerate(commands) if each.actions is not None and each.text is not None]
        if not shown:
            return {}
        row, column = hidden.asked()
        read = self.layers(hidden.states[row[shown], column[shown]].float())
        done = [commands[i].actions for i in shown]
        wanted = torch.from_numpy(np.stack([each[: self.horizon] for each in done if each is not None]))
        wanted = (wanted.to(read.device) - self.mean) / self.std
        over = torch.tensor([float(commands[i].ends) for i in shown], device=read.device)
        return {
            "chunk": self.error(read, wanted),
            "ends": nn.functional.binary_cross_entropy_with_logits(self.ends(read).squeeze(-1), over),
        }

    def answer(self, hidden: Hidden) -> Act:
        """The chunk, within what one action may be."""
        row, column = hidden.asked()
        read = self.layers(hidden.states[row[:1], column[:1]].to(self.ends.weight.dtype))
        actions = self.chosen(read)[0].float() * self.std.float() + self.mean.float()
        rows = actions.cpu().numpy().clip(-_BOUND, _BOUND)
        return Act(motion=ActionChunk(ee_delta=rows), done=float(self.ends(read)[0, 0].float().sigmoid()) > ENDED)
