# SPDX-License-Identifier: Apache-2.0
"""Laws of sound: what a recording becomes, that it is heard where and when it is, and that a model learns from it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from embodied.data.sample import Command, Sample
from embodied.errors import ObservationError
from embodied.language.verbs import parse_plan
from embodied.model.composition import PartConfig, SenseConfig
from embodied.model.encoders.mel import MelEncoder, edges_hz, mel_filters
from embodied.model.palme import Palme
from embodied.types import Observation, Vector

RATE_HZ = 16000


def heard(samples: np.ndarray) -> Vector:
    return Vector(values=samples, names=tuple(map(str, range(len(samples)))), stamp_s=0.0)


def tone(hz: float, seconds: float = 1.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    return 0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def log_mel(samples: np.ndarray, **options: int) -> np.ndarray:
    return MelEncoder(width=8, **options).log_mel(torch.from_numpy(samples)).numpy()


@pytest.mark.parametrize("hz", [150.0, 440.0, 997.0, 1500.0, 3100.0, 6800.0])
@pytest.mark.parametrize("bands", [40, 80])
def test_a_tone_is_loudest_in_the_band_whose_centre_is_nearest(hz: float, bands: int) -> None:
    centres_hz = edges_hz(bands, RATE_HZ)[1:-1]
    found = log_mel(tone(hz), bands=bands)
    assert found.shape == (100, bands)
    assert set(found[2:-2].argmax(axis=1)) == {np.abs(centres_hz - hz).argmin()}, "in every frame"


def test_the_scale_is_slaneys() -> None:
    edges = edges_hz(80, RATE_HZ)
    assert (edges[0], edges[-1]) == (0.0, pytest.approx(RATE_HZ / 2))
    low, high = edges[edges < 1000.0], edges[edges > 1000.0]
    assert np.diff(low) == pytest.approx(np.diff(low)[0]), "linear"
    assert high[1:] / high[:-1] == pytest.approx(high[1] / high[0]), "logarithmic"
    steps = np.diff(low)[0] * 3 / 200  # mel from one to the next
    assert high[1] / high[0] == pytest.approx(6.4 ** (steps / 27)), "27 steps are a factor of 6.4"


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_between_the_first_and_the_last_centre_every_frequency_counts_once(rate_hz: int) -> None:
    filters, edges = mel_filters(80, rate_hz, 1024), edges_hz(80, rate_hz)
    at = np.linspace(0.0, rate_hz / 2, 513)
    assert filters.min() == 0.0 and filters.max() <= 1.0
    assert filters.sum(axis=0)[(at >= edges[1]) & (at <= edges[-2])] == pytest.approx(1.0)


def test_ten_times_as_loud_adds_a_constant() -> None:
    noise = 0.01 * np.random.default_rng(0).normal(size=RATE_HZ)
    assert log_mel(10 * noise) - log_mel(noise) == pytest.approx(2.0, abs=1e-6), "twenty decibels"


def test_silence_is_finite_and_the_loudest_sound_is_no_large_number() -> None:
    encoder = MelEncoder(width=8)
    assert torch.equal(encoder.prepare([heard(np.zeros(RATE_HZ))]), torch.zeros(100, 80))
    loud = encoder.prepare([heard(10 * tone(1000.0))])
    assert loud.dtype == torch.float32 and 1.9 < loud.max() < 2.1


def test_it_is_what_numpy_says() -> None:
    """Frame 50 by hand: 25 ms of sound around half a second, its spectrum by numpy, its bands one by one."""
    rng = np.random.default_rng(1)
    sound = 0.1 * rng.normal(size=RATE_HZ)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft(sound[7800:8200] * window, 1600) / window.sum()) ** 2
    at, edges = np.fft.rfftfreq(1600, 1 / RATE_HZ), edges_hz(80, RATE_HZ)
    by_hand = [power @ np.interp(at, edges[n : n + 3], [0.0, 1.0, 0.0]) for n in range(80)]
    assert log_mel(sound)[50] == pytest.approx(np.log10(by_hand), abs=1e-9)


@torch.no_grad()
def test_a_sound_is_in_the_tokens_of_its_time() -> None:
    torch.manual_seed(0)
    encoder = MelEncoder(width=16)
    quiet = encoder(encoder.prepare([heard(np.zeros(RATE_HZ))])[None])[0]
    for start_s in (0.1, 0.42, 0.9):
        sound = np.zeros(RATE_HZ)
        sound[round(start_s * RATE_HZ) :][:480] = tone(700.0, 0.03)
        change = (encoder(encoder.prepare([heard(sound)])[None])[0] - quiet).norm(dim=1)
        assert len(change) == 25 and abs(0.04 * int(change.argmax()) - start_s) <= 0.04
        assert (change > 0).sum() <= 4, "and in no others"


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(8000), "seconds x rate_hz = 16000 samples, and not 8000"),
        (np.full(RATE_HZ, np.nan), "finite and from -1 to 1"),
        (32768 * tone(400.0), "divide those of 16 bits by 32768"),
    ],
)
def test_what_is_no_such_recording_is_refused(samples: np.ndarray, words: str) -> None:
    with pytest.raises(ObservationError, match=words):
        MelEncoder(width=8).prepare([heard(samples)])


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rate_hz": 100}, "from 4000 to"), ({"seconds": 1e9}, "from 0.1 to 30"), ({"bands": 10**6}, "at most 128")],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MelEncoder(**options)


def test_a_model_learns_to_answer_by_a_tone(make_tiny: Callable[..., Palme], learn: Callable[..., list[float]]) -> None:
    """The words are the same: which plan is right is in the sound alone."""
    sense = SenseConfig(PartConfig("mel", {"seconds": 0.1, "bands": 40, "width": 16}))
    model = make_tiny(senses={"sound": sense}, heads={"plan": PartConfig("plan")})
    plans = {"low": parse_plan("touch red block"), "high": parse_plan("lift blue block")}

    def sample(pitch: str, hz: float) -> Sample:
        seen = Observation(readings={"sound": heard(tone(hz, 0.1))})
        return Sample(observations=(seen,), commands=(Command(text="do it", plan=plans[pitch]),))

    falls = learn(model, [sample("low", 300.0), sample("high", 2000.0)], "plan/plan", to=0.001, steps=300)
    assert falls[-1] <= 0.001 * falls[0], "it learns"
    for pitch, hz in (("low", 330.0), ("high", 2100.0)):  # that it never heard
        senses = model.senses(sample(pitch, hz).observations)
        hidden = model.read(model.embed([model.sentence(senses, [("do it", None)])]), remember=True)
        assert model.heads["plan"].answer(hidden) == plans[pitch]
