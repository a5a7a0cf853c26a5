# SPDX-License-Identifier: Apache-2.0
"""The film: it shows what happened, and fits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from embodied.commands import film as command
from embodied.commands.film import Shot, main, write_gif
from embodied.config import ConfigError
from embodied.environments import make_environment
from embodied.errors import UnknownNameError
from embodied.types import Decision, Observation
from policies.oracle import OraclePolicy
from sim.scene import LIGHT
from sim.textures import COLOURS


def test_the_oracle_is_filmed_with_its_words_and_steps_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "arm.gif"
    assert main(["policy=oracle", "task=pick_up", "size_px=120", f"out={out}"]) == 0
    assert "pick_up" in capsys.readouterr().out
    with Image.open(out) as film:
        assert film.n_frames > 8
        assert film.height == 120 < film.width
        first = np.asarray(film.convert("RGB")).astype(int)
        film.seek(film.n_frames - 1)
        last = np.asarray(film.convert("RGB")).astype(int)
    panel = first[:60, 122:]
    assert panel.min() < 100 < panel.max(), "words are dark on a light panel"
    assert np.abs(first[:, :120] - last[:, :120]).max() > 50, "something moved"
    np.testing.assert_allclose(panel, last[:60, 122:], atol=40)


def test_a_film_looks_as_it_is_asked_to(tmp_path: Path) -> None:
    out = tmp_path / "arm.gif"
    assert main(["policy=oracle", "task=touch", "size_px=120", "appearance=table:black", f"out={out}"]) == 0
    with Image.open(out) as film:
        assert np.asarray(film.convert("RGB"))[:, :120].mean() < 90
    with pytest.raises(UnknownNameError, match="Did you mean 'black'"):
        main(["policy=oracle", "task=touch", "appearance=table:blac", f"out={out}"])


def test_a_film_is_drawn_to_be_looked_at_and_the_policy_sees_what_it_always_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[NDArray[np.uint8]] = []
    seen: list[NDArray[np.uint8]] = []

    class Watcher(OraclePolicy):
        needs = (*OraclePolicy.needs, "front")

        def decide(self, observation: Observation) -> Decision:
            seen.append(observation.picture("front").rgb)
            return super().decide(observation)

    def keep(scenes: Sequence[tuple[str, Sequence[Shot]]], *rest: Any) -> int:
        shown.extend(picture for picture, _ in scenes[0][1])
        return write_gif(scenes, *rest)

    monkeypatch.setattr("embodied.controls.make_policy", lambda name, given: Watcher())
    monkeypatch.setattr(command, "write_gif", keep)
    asked = ["task=touch", "size_px=120", "appearance=table:white", "camera=front", f"out={tmp_path / 'arm.gif'}"]
    assert main(asked) == 0
    with closing(make_environment("touch", appearance="table:white", senses=("front",))) as env:
        first, _ = env.reset(seed=1_000_000)
    np.testing.assert_array_equal(seen[0], first["front"])
    assert all(picture.shape == (120, 120, 3) for picture in shown)
    with Image.open(tmp_path / "arm.gif") as gif:
        written = np.asarray(gif.convert("RGB"))[:, :120]
    assert np.abs(written - shown[0].astype(int)).mean() < 2.0, "colours are true"
    # A white table has much grey on it only where there are shadows.
    assert [grey(picture) > 100 for picture in (seen[0][::2, ::2], shown[0])] == [False, True]


def grey(rgb: NDArray[np.uint8]) -> int:
    """How many pixels have the colour of a white table in the shade."""
    shade = 255 * COLOURS["white"][0] * LIGHT.ambient / LIGHT.on_table
    return int((np.abs(rgb - shade) < 6).all(axis=2).sum())


def test_a_film_that_is_too_large_is_made_smaller(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8), ("touch red block",)) for _ in range(2)]
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
