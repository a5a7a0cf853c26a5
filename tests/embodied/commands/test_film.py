# SPDX-License-Identifier: Apache-2.0
"""The film: it shows what happened, and fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embodied.commands.film import main, write_gif
from embodied.config import ConfigError
from embodied.errors import UnknownNameError


def test_the_oracle_is_filmed_with_its_words_under_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "arm.gif"
    assert main(["policy=oracle", "task=pick_up", "size_px=120", f"out={out}"]) == 0
    assert "pick_up" in capsys.readouterr().out
    with Image.open(out) as film:
        assert film.n_frames > 8
        assert film.width == 120 < film.height
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB")).astype(int)
    strip = first[120:]
    assert strip.min() < 100 < strip.max(), "words are dark on a light strip"
    assert np.abs(first[:120] - last[:120]).max() > 50, "something moved"
    np.testing.assert_allclose(first[122:], last[122:], atol=40)


def test_a_film_looks_as_it_is_asked_to(tmp_path: Path) -> None:
    out = tmp_path / "arm.gif"
    assert main(["policy=oracle", "task=touch", "size_px=120", "appearance=table:black", f"out={out}"]) == 0
    with Image.open(out) as film:
        assert np.asarray(film.convert("RGB"))[:120].mean() < 90
    with pytest.raises(UnknownNameError, match="Did you mean 'black'"):
        main(["policy=oracle", "task=touch", "appearance=table:blac", f"out={out}"])


def test_a_film_that_is_too_large_is_made_smaller(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (200, 200, 3), dtype=np.uint8) for _ in range(2)]
    out = tmp_path / "noise.gif"
    width = write_gif([("do it", noise)], out, 160, max_mb=0.05)
    assert 120 <= width < 160
    assert out.stat().st_size <= 0.05e6
    with pytest.raises(ConfigError, match="max_mb"):
        write_gif([("do it", noise)], tmp_path / "none.gif", 130, max_mb=0.001)
    assert list(tmp_path.iterdir()) == [out]


def test_a_refusal_makes_no_film(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing moved: the policy answered '.*' to '"):
        main(["policy=colour_blob", "task=refuse", "seed=1", "size_px=120", f"out={tmp_path / 'arm.gif'}"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argument", ["size_px=10", "max_mb=0", "out=film.mp4"])
def test_mistakes_are_told_before_anything_is_filmed(argument: str) -> None:
    with pytest.raises(ConfigError, match=r"size_px must be .* out= must end in \.gif"):
        main(["policy=oracle", argument])
