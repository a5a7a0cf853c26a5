# SPDX-License-Identifier: Apache-2.0
"""A recording as how loud each pitch is over time, read along time by convolutions (Whisper, Radford et al. 2022)."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied.errors import ObservationError
from embodied.model.encoders import ENCODERS, Encoder, check_sizes, expect
from embodied.types import Float, Reading, Vector

_WINDOW_S, _HOP_S = 0.025, 0.01
"""How much sound a frame has, and when the next one comes."""
FRAMES = 4
"""Of which a token is made."""
_FLOOR = 1e-10
"""Energy that counts as silence: 100 dB below the full scale."""
_BREAK_HZ, _BREAK_MEL, _STEP_HZ, _LOG_STEP = 1000.0, 15.0, 200.0 / 3.0, math.log(6.4) / 27.0
"""Of Slaney's mel scale (Auditory Toolbox, 1998): it is linear below a frequency, and above that logarithmic."""


class Sound(Encoder):
    """(B, frames, `bands`) log-mel energies to (B, `tokens`, `feature_dim`), a token for four frames, which are 40 ms.

    A `Vector` does not say its rate: the microphone must have `rate_hz`.
    """

    def __init__(self, *, rate_hz: int, seconds: float, bands: int) -> None:
        super().__init__()
        check_sizes(rate_hz=rate_hz, bands=bands)
        if not 4000 <= rate_hz <= 192_000:
            raise ValueError(f"rate_hz must be from 4000 to 192000, not {rate_hz}")
        if not 0.1 <= seconds <= 30.0:
            raise ValueError(f"seconds must be from 0.1 to 30, not {seconds}")
        if bands > 128:
            raise ValueError(f"bands must be at most 128, not {bands}")
        self.samples = round(seconds * rate_hz)
        self._hop, window = round(_HOP_S * rate_hz), round(_WINDOW_S * rate_hz)
        self._frames = self.samples // self._hop
        self.tokens = math.ceil(self._frames / FRAMES)
        # Neither is a weight: computed in double, which no type of the model makes coarse, and no checkpoint has them.
        self._window = torch.from_numpy(np.hanning(window + 1)[:-1].copy())
        self._filters = torch.from_numpy(mel_filters(bands, rate_hz, 4 * window))

    def prepare(self, readings: Sequence[Reading]) -> Tensor:
        """(frames, bands) float32, the newest recording: 0 where it is silent, which is also what convolutions find
        beyond its ends, and about 2 for a tone at the full scale.

        Raises ObservationError for another number of samples, and for numbers that are none of sound.
        """
        recording = readings[-1]
        expect(recording, Vector)
        assert isinstance(recording, Vector)
        values = recording.values
        if len(values) != self.samples:
            raise ObservationError(f"a recording is seconds x rate_hz = {self.samples} samples, and not {len(values)}")
        if not np.abs(values).max() <= 2.0:  # resampled ones may be a little above 1; whole numbers are far above
            raise ObservationError("samples of sound are finite and from -1 to 1; divide those of 16 bits by 32768")
        return (self.log_mel(torch.from_numpy(values.astype(np.float64))) / 5.0 + 2.0).float()

    def log_mel(self, samples: Tensor) -> Tensor:
        """(frames, bands) the logarithm to base 10 of the energy in each band, of (N,) samples in double."""
        fft = 2 * (self._filters.shape[1] - 1)  # longer than the window, so that no low band falls between two bins
        window, around = self._window, "constant"
        spectrum = torch.stft(samples, fft, self._hop, len(window), window, pad_mode=around, return_complex=True)
        power = (spectrum[:, : self._frames].abs() / window.sum()).square()
        return (self._filters @ power).clamp_min(_FLOOR).log10().T


class MelEncoder(Sound):
    """Convolutions over what is heard. Whisper's second one halves the steps, and Qwen-Audio pools two and two of what
    comes out; here both halve, and the language model is what looks around."""

    def __init__(self, *, rate_hz: int = 16000, seconds: float = 1.0, bands: int = 80, width: int = 128) -> None:
        super().__init__(rate_hz=rate_hz, seconds=seconds, bands=bands)
        check_sizes(width=width)
        self.feature_dim = width
        self.layers = nn.Sequential(
            *(nn.Conv1d(bands, width, 3, stride=2, padding=1), nn.GELU()),
            *(nn.Conv1d(width, width, 3, stride=2, padding=1), nn.GELU()),
        )
        self.place = nn.Parameter(0.02 * torch.randn(self.tokens, width))

    def forward(self, value: Tensor) -> Tensor:
        features: Tensor = self.layers(value.to(self.place.dtype).transpose(1, 2))
        return features.transpose(1, 2) + self.place


def edges_hz(bands: int, rate_hz: int) -> Float:
    """(bands + 2,) frequencies equally far apart on the mel scale, up to half the rate: those between are centres."""
    highest = rate_hz / 2.0
    top = _BREAK_MEL + math.log(highest / _BREAK_HZ) / _LOG_STEP
    mel = np.linspace(0.0, top, bands + 2)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, _STEP_HZ * mel, above)


def mel_filters(bands: int, rate_hz: int, fft: int) -> Float:
    """(bands, fft / 2 + 1) triangles of height 1, each from the centre before to the centre behind its own."""
    edges = edges_hz(bands, rate_hz)[:, None]
    rises = (np.linspace(0.0, rate_hz / 2.0, fft // 2 + 1) - edges[:-1]) / np.diff(edges, axis=0)
    return np.minimum(rises[:-1], 1.0 - rises[1:]).clip(min=0.0)


ENCODERS.register("mel", MelEncoder)
