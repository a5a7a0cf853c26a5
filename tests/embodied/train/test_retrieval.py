# SPDX-License-Identifier: Apache-2.0
"""Scores are 1 for who knows, about chance for who guesses, and nothing for who sees nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from embodied.data.sample import Seen
from embodied.errors import EmbodiedError
from embodied.report import wilson
from embodied.train import retrieval
from embodied.train.captions import Words, stands_alone
from embodied.train.grounding_data import GroundingData
from tests.embodied.train.scenes import COLOURS, KINDS, write_scenes

NAMES = [(colour, kind) for colour in COLOURS for kind in KINDS]
SHOWN = [0, 4, 8, 1, 5, 6, 2, 7]
"""One thing a scene; the next scene's differs in both colour and kind."""


@pytest.fixture
def data(tmp_path: Path) -> GroundingData:
    """Scene i is of one brightness, 10 (i + 1), and has one thing in its middle."""
    write_scenes(tmp_path, [[(*divmod(name, len(KINDS)), 0.5, 0.5)] for name in SHOWN], seed=0)
    return GroundingData(tmp_path)


def knowing(words: Words) -> Any:
    """A model that tells by the brightness of a picture what stands there."""
    named = torch.eye(len(NAMES) + 1)

    def pictures(shown: Tensor) -> tuple[Tensor, Tensor]:
        scene = (shown.mean(dim=(1, 2, 3)) / 10).round().long() - 1
        meant = named[[SHOWN[number] if number >= 0 else len(NAMES) for number in scene.tolist()]]
        return meant, meant[:, None]

    def texts(ids: Tensor) -> tuple[Tensor, Tensor]:
        said = [[bool((row == words.ids([word])[0, 0]).any()) for word in (*COLOURS, *KINDS)] for row in ids]
        numbers = [
            next(
                n
                for n, (colour, kind) in enumerate(NAMES)
                if each[COLOURS.index(colour)] and each[3 + KINDS.index(kind)]
            )
            for each in said
        ]
        return named[numbers], named[numbers][:, None]

    def matcher(seen: Tensor, told: Tensor, ids: Tensor) -> Tensor:
        return (seen * told).sum(dim=(1, 2)) - 0.5

    return SimpleNamespace(pictures=pictures, texts=texts, matcher=matcher)


def test_who_knows_has_everything_right_and_who_sees_another_picture_nothing(data: GroundingData) -> None:
    words = Words(data.colours, data.kinds)
    measured = retrieval.scores(knowing(words), words, data)
    share = {(row["score"], row["picture"]): row["share"] for row in measured["rows"]}
    assert len(share) == len(measured["rows"]) == 3 * 9
    assert {value for (_, picture), value in share.items() if picture == "own"} == {1.0}
    assert {value for (_, picture), value in share.items() if picture == "another scene's"} == {0.0}
    assert all(value <= 0.5 for (_, picture), value in share.items() if picture == "zeroed")
    assert measured["scenes"] == len(SHOWN)
    assert sum(n for name, (_, n) in measured["each"].items() if name in KINDS) == len(SHOWN)
    assert all(right == n for right, n in measured["each"].values())
    for row in measured["rows"]:
        assert row["ci95"] == list(wilson(row["right"], row["n"])) and row["share"] == row["right"] / row["n"]
        assert 0 < row["chance"] < 1


def test_the_table_has_a_line_for_each_score(data: GroundingData, capsys: pytest.CaptureFixture[str]) -> None:
    words = Words(data.colours, data.kinds)
    retrieval.print_scores(retrieval.scores(knowing(words), words, data))
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if "zero-shot colour" in line]
    assert "100 [68, 100]" in line and "33.3" in line
    assert "8 held-out scenes" in printed


def test_who_guesses_is_right_about_as_often_as_by_chance() -> None:
    torch.manual_seed(0)
    things = [Seen(colour=NAMES[i % 9][0], kind=NAMES[i % 9][1], u=0.5, v=0.5) for i in range(3000)]
    right = retrieval.named(torch.randn(3000, 9), NAMES, things)
    assert all(float(each.float().mean()) == pytest.approx(1 / 3, abs=0.03) for each in right.values())
    ranks = retrieval.rank(torch.randn(500, 500), torch.eye(500, dtype=torch.bool)).float()
    assert float(ranks.mean()) == pytest.approx(249.5, abs=25)
    assert float((ranks < 5).float().mean()) == pytest.approx(0.01, abs=0.012)


def test_a_rank_counts_wrong_ones_alone_and_what_is_as_similar_as_the_right_one() -> None:
    similarity = torch.tensor([[0.9, 0.9, 0.1], [0.5, 0.4, 0.3], [0.2, 0.2, 0.2]])
    apart = torch.eye(3, dtype=torch.bool)
    assert retrieval.rank(similarity, apart).tolist() == [1, 1, 2], "who tells nothing apart has found nothing"
    same = apart.clone()
    same[0, 1] = same[1, 0] = True
    assert retrieval.rank(similarity, same).tolist() == [0, 0, 2], "an equal caption is as right"


def test_a_thing_among_others_or_of_no_colour_is_not_asked_for() -> None:
    block, near = (Seen(colour="red", kind="block", u=u, v=0.5) for u in (0.5, 0.55))
    far = Seen(colour=None, kind="block", u=0.9, v=0.9)
    held = replace(near, u=0.1, on=0)
    assert stands_alone(0, (block, far))
    assert not stands_alone(0, (block, near, far))
    assert not stands_alone(1, (block, far))
    assert not stands_alone(0, (block, held)), "it holds something"


def test_too_few_scenes_are_refused(tmp_path: Path) -> None:
    write_scenes(tmp_path, [[(0, 0, 0.5, 0.5)]] * 2, seed=0)
    data = GroundingData(tmp_path)
    words = Words(data.colours, data.kinds)
    with pytest.raises(EmbodiedError, match="2 scenes are too few"):
        retrieval.scores(knowing(words), words, data)
