# SPDX-License-Identifier: Apache-2.0
"""`embodied faults`: what it keeps, refuses, and says of a graph that is really hurt; and `embodied soak`."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy")

from embodied.config import ConfigError
from embodied.errors import EmbodiedError, UnknownNameError
from embodied.safety.latch import LATCHED, Latch
from nodes.faults.command import DOCS_BEGIN, DOCS_END, main
from nodes.faults.graph import free_domain
from nodes.soak import slope_with_interval

HEAD = {"policy": "palme", "seed": 1_000_000}


def trial(number: int, **more: Any) -> dict[str, Any]:
    """A finished trial as the journal keeps it."""
    usual = {
        "ok": True,
        "checks": {"limits": True},
        "values": {"rest_ms": 100.0 + number, "share_jerk": 0.5},
        "note": "",
    }
    return {"family": "stop", "fault": "plain", "number": number, "broken": False, "took_s": 1.0} | usual | more


def journal(folder: Path, *lines: dict[str, Any], cut: str = "") -> Path:
    path = folder / "faults.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + cut)
    return path


def test_finished_trials_are_kept_and_need_no_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = trial(1, ok=False, checks={"limits": False, "at_rest": True}, note="beyond the limit: jerk")
    journal(tmp_path, HEAD, trial(0), bad, cut='{"family": "st')
    out = tmp_path / "faults.json"
    assert main(["only=stop.plain", "trials=2", f"out={out}"]) == 1
    [row] = json.loads(out.read_text())["results"]
    assert (row["trials"], row["good"], row["broken_checks"]) == (2, 1, {"limits": 1})
    assert row["values"]["rest_ms"]["p50"] == 100.5 and row["limits"] == {"jerk": 0.5}
    assert "stop.plain 1: not limits. beyond the limit: jerk" in capsys.readouterr().out

    page = tmp_path / "page.md"
    page.write_text(f"before\n{DOCS_BEGIN}\nold\n{DOCS_END}\nafter\n")
    assert main([f"table={out}", f"page={page}"]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| stop plain | 1 of 2 (9.5 to 90.5) | rest_ms 100.5 / 101 | jerk 0.50 | limits 1 |" in text


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (["only=stop.plain", "policy=random"], ConfigError, "holds trials of"),
        (["only=fire"], UnknownNameError, "unknown fault 'fire'"),
        (["only=stop.plain", "trials=-1"], ConfigError, "must be 0 or more"),
        (["only=rogue.second_agent", "short=true"], ConfigError, "nothing is left to run"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_starts(
    tmp_path: Path, arguments: list[str], error: type[EmbodiedError], words: str
) -> None:
    path = journal(tmp_path, HEAD, trial(0))
    before = path.read_text()
    with pytest.raises(error, match=words):
        main([*arguments, f"out={tmp_path / 'faults.json'}"])
    assert path.read_text() == before


def test_a_file_that_is_no_report_and_a_page_without_marks_are_refused(tmp_path: Path) -> None:
    wrong, page = tmp_path / "wrong.json", tmp_path / "page.md"
    page.write_text("no marks")
    wrong.write_text('{"results": 3}')
    with pytest.raises(EmbodiedError, match="is no report"):
        main([f"table={wrong}", f"page={page}"])
    wrong.write_text('{"results": [], "protocol": {"policy": "palme", "seed": 0, "cores": 2}}')
    with pytest.raises(EmbodiedError, match="has no place for the table"):
        main([f"table={wrong}", f"page={page}"])


@pytest.mark.timeout(300)
def test_a_graph_that_is_hurt_is_judged_on_what_the_arm_is_told(ros: Any, tmp_path: Path) -> None:
    out = tmp_path / "faults.json"
    faults = "only=stop.plain,stop.disk_full,kill.gate"
    process = ros.start("-m", "nodes.faults.command", faults, "trials=1", "policy=colour_blob", f"out={out}")
    process.wait(240.0)
    report = json.loads(out.read_text())
    assert [row["fault"] for row in report["results"]] == ["plain", "disk_full", "gate"], process.text
    for each in report["trials"]:
        assert each["values"]["share_velocity"] > 0.1, "nothing moved"
        for check in ("answered", "latched", "nothing_moves", "released", "back", "still", "recovered", "limits"):
            assert each["checks"].get(check, True), (check, each)


def test_a_stop_that_nobody_hears_is_written_to_the_file(ros: Any) -> None:
    folder = Path(ros.env["XDG_RUNTIME_DIR"]) / "embodied"
    latch = Latch(folder / f"emergency_stop.{ros.env['ROS_DOMAIN_ID']}")
    nobody = ros.start("-m", "embodied.cli", "say", "stop")
    assert nobody.wait() == 2
    assert "no launch has left a file" in nobody.text and not os.path.lexists(str(latch.path))
    assert not latch.release()
    assert latch.read() == ""
    nobody = ros.start("-m", "embodied.cli", "say", "stop")
    assert nobody.wait() == 2
    assert f"{latch.path} says stopped" in nobody.text and "gate_node/resume" in nobody.text
    assert latch.read() == LATCHED


def test_a_domain_is_free_where_nobody_listens() -> None:
    assert 1 <= free_domain() <= 101


def test_a_slope_is_known_as_well_as_the_noise_allows() -> None:
    times = np.linspace(0.0, 1.0, 120)
    noise = np.random.default_rng(0).normal(0.0, 1.0, 120)
    slope, half = slope_with_interval(times, 5.0 + noise)
    assert abs(slope) < half
    slope, half = slope_with_interval(times, 5.0 + 10.0 * times + noise)
    assert slope - half > 5.0 and slope + half < 15.0
    assert slope_with_interval(times[:2], times[:2])[1] == np.inf
