# SPDX-License-Identifier: Apache-2.0
"""A few numbers to one feature: PaLM-E's state encoder, for joints and for any other vector."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied.errors import ObservationError
from embodied.inputs import prepare_state
from embodied.model.encoders import ENCODERS, Encoder, check_sizes, expect
from embodied.types import Joints, Reading, Vector


class MlpEncoder(Encoder):
    """A vector to one feature: (B, `size`) to (B, 1, `hidden`)."""

    def __init__(self, *, size: int, hidden: int = 128) -> None:
        super().__init__()
        check_sizes(size=size, hidden=hidden)
        self.size, self.feature_dim = size, hidden
        self.layers = nn.Sequential(nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, hidden))

    def prepare(self, readings: Sequence[Reading]) -> Tensor | None:
        """(size,) float32; None for another number of joints or values than the model was trained with.

        An observation does not name its arm, so that the angles of any arm with as many joints are read
        like those of the trained one.
        """
        reading = readings[-1]
        expect(reading, Joints, Vector)
        if isinstance(reading, Joints):
            values = prepare_state(reading)
        else:
            assert isinstance(reading, Vector)
            # Of any unit: large numbers are compressed, small ones stay (symlog, Hafner et al. 2023).
            values = (np.sign(reading.values) * np.log1p(np.abs(reading.values))).astype(np.float32)
        if not np.isfinite(values).all():
            raise ObservationError(f"the reading holds a number that is not finite: {values.tolist()}")
        return torch.from_numpy(values) if len(values) == self.size else None

    def forward(self, value: Tensor) -> Tensor:
        features: Tensor = self.layers(value.to(self.layers[0].weight.dtype))  # type: ignore[arg-type]
        return features.unsqueeze(-2)


ENCODERS.register("mlp", MlpEncoder)
