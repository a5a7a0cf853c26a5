# SPDX-License-Identifier: Apache-2.0
"""What many episodes say: intervals, percentiles and rows are right."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embodied.episode import EpisodeResult
from embodied.report import cells, draw_figure, ending_of, percentile, print_table, summarise, wilson


@given(st.integers(1, 3000), st.data())
def test_the_interval_holds_the_rate_and_mirrors(episodes: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, episodes))
    low, high = wilson(successes, episodes)
    assert 0 <= low <= successes / episodes <= high <= 1
    assert high - low > 0
    mirrored = wilson(episodes - successes, episodes)
    assert mirrored == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("successes", "episodes", "interval"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (50, 100, (0.4038, 0.5962)), (1, 1, (0.2065, 1.0))],
)
def test_the_interval_is_wilsons(successes: int, episodes: int, interval: tuple[float, float]) -> None:
    assert wilson(successes, episodes) == pytest.approx(interval, abs=5e-5)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_percentiles_are_numpys(values: list[float], percent: float) -> None:
    assert percentile(values, percent) == pytest.approx(np.percentile(values, percent), rel=1e-6, abs=1e-6)


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(percentile([], 50))


def result(
    task: str, split: str, seed: int, success: bool, original: bool | None = None, **ended: bool | None
) -> EpisodeResult:
    return EpisodeResult(
        task=task,
        split=split,
        seed=seed,
        instruction="",
        answer="",
        success=success,
        score=float(success),
        steps=seed,
        decision_ms=[float(seed)],
        original_success=original,
        **{"wrong": False, "refused": False} | ended,
    )


def test_rows_stand_in_the_order_that_is_asked_for_and_count_their_own_episodes() -> None:
    results = [result("b", "seen", 1, True), result("a", "seen", 2, True), result("a", "seen", 4, False)]
    results.append(result("a", "swapped", 3, True, original=False))
    rows = summarise(results, [("a", "swapped"), ("a", "seen"), ("c", "seen"), ("b", "seen")])
    assert [(row["task"], row["split"], row["successes"]) for row in rows] == [
        ("a", "swapped", 1),
        ("a", "seen", 1),
        ("b", "seen", 1),
        ("all", "swapped", 1),
        ("all", "seen", 2),
    ]
    assert rows[1]["ci95"] == pytest.approx(wilson(1, 2))
    assert (rows[1]["steps_mean"], rows[1]["score_mean"]) == (3.0, 0.5)
    assert rows[1]["decision_ms"] == {"p50": 3.0, "p95": pytest.approx(3.9)}
    assert rows[0]["original_success"] == 0.0 and "original_success" not in rows[1]


def test_what_went_wrong_and_what_was_refused_is_counted_with_intervals_and_over_all_tasks() -> None:
    results = [result("a", "seen", seed, False, wrong=seed < 3, refused=seed == 3) for seed in range(4)]
    results += [result("b", "seen", seed, True) for seed in range(6)]
    a, b, both = summarise(results, [("a", "seen"), ("b", "seen")])
    assert (a["wrong"], a["refused"]) == (0.75, 0.25)
    assert (a["wrong_ci95"], a["refused_ci95"]) == (list(wilson(3, 4)), list(wilson(1, 4)))
    assert (b["wrong"], b["refused"], b["wrong_ci95"]) == (0.0, 0.0, list(wilson(0, 6)))
    # Pooled by episodes and not by tasks.
    assert (both["task"], both["episodes"], both["successes"]) == ("all", 10, 6)
    assert (both["wrong"], both["refused"], both["wrong_ci95"]) == (0.3, 0.1, list(wilson(3, 10)))
    assert [row["task"] for row in summarise(results, [("a", "seen"), ("b", "pair")])] == ["a"], "there is but one task"


def test_what_nobody_has_judged_did_not_go_right(capsys: pytest.CaptureFixture[str]) -> None:
    results = [result("a", "seen", 1, True, wrong=None), result("b", "seen", 1, True)]
    a, b, both = summarise(results, [("a", "seen"), ("b", "seen")])
    assert a["wrong"] is a["wrong_ci95"] is both["wrong"] is both["wrong_ci95"] is None
    assert (b["wrong"], both["refused"]) == (0.0, 0.0)
    assert cells(a) == ["100 [21, 100]", "-", "0 [0, 79]"]
    assert cells({"success": 0.998, "ci95": [0.991, 1.0]}) == ["99.8 [99, 100]", "-", "-"], "a file of before"
    print_table([a], "")
    assert "100 [21, 100] │" in capsys.readouterr().out


def test_rows_are_printed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = summarise([result("a", "seen", 2, True), result("a", "pair", 2, False)], [("a", "seen"), ("a", "pair")])
    print_table(rows, "how it went")
    text = capsys.readouterr().out
    assert "how it went" in text and "100 [21, 100]" in text and "0 [0, 79]" in text
    assert "wrong, %" in text and "refused, %" in text
    draw_figure(rows, tmp_path / "deep" / "rows.png", "how it went")
    assert (tmp_path / "deep" / "rows.png").stat().st_size > 1000


def test_a_row_tells_how_it_ended_and_what_was_noticed() -> None:
    ways = [(True, False, [(True, True), (False, False)]), (False, True, [(False, True)])]
    results = [
        replace(result("a", "seen", seed, True), early=early, late=late, noticed=steps)
        for seed, (early, late, steps) in enumerate(ways)
    ]
    [row] = summarise(results, [("a", "seen")])
    assert (row["early"], row["late"], row["noticed"]["failed"]) == (0.5, 0.5, 2)
    assert "2 of 3 steps came to nothing, 1 of them were noticed" in ending_of(row)
    [plain] = summarise([result("a", "seen", 1, True)], [("a", "seen")])
    assert not {"early", "late", "noticed"} & plain.keys() and ending_of(plain) == ""
