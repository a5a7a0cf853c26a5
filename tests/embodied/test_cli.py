# SPDX-License-Identifier: Apache-2.0
"""The command: what it answers, and with which exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from embodied import cli
from embodied.errors import CheckpointError
from embodied.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("ask", "bench", "collect", "doctor", "draw", "eval", "film", "say", "tasks", "train")


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == cli.OK
    lines = capsys.readouterr().out.splitlines()
    for name in COMMANDS:
        assert name in cli.COMMANDS
        [line] = [line for line in lines if line.startswith(f"  {name} ")]
        # The summary is the first line of the module, which was not imported for it.
        assert len(line.split(maxsplit=1)[1]) > 20


def test_no_command_is_a_mistake_that_is_answered_with_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == cli.USAGE
    assert "usage: embodied" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_keys(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) if name != "train" else _no_exit() as caught:
        cli.main([name, "--help"])
    assert caught is None or caught.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: embodied {name}" in text
    assert "=" in text


class _no_exit:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        return None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate"], "Did you mean 'eval'?"),
        (["os:system", "echo called"], "unknown command 'os:system'"),
        (["eval", "arm=pandas"], "Did you mean 'panda'?"),
        (["eval", "until=succes"], "Did you mean 'success'?"),
        (["eval", "policy=palme", "split=no_visions"], "Did you mean 'no_vision'?"),
        (["eval", "policy=oracle", "split=no_vision"], "has no option no_vision"),
        (["draw", "out=house.png"], ".svg"),
        (["eval", "episods=3"], "Did you mean 'episodes'?"),
        (["eval", "episodes=many"], "a whole number"),
        (["eval", "policy=palm"], "Did you mean 'palme'?"),
        (["eval", "task=put_in_bowel"], "Did you mean 'put_in_bowl'?"),
        (["eval", "suite=table"], "tabletop"),
        (["eval", "split=seen,pears"], "Did you mean 'pair'?"),
        (["eval", "action_mode=skil"], "Did you mean 'skill'?"),
        (["eval", "episodes=0"], "at least 1"),
        (["eval", "out=runs/table.csv"], ".json"),
        (["collect", "task=nap"], "put_in_bowl"),
        (["collect", "seed=999999", "episodes=2"], "for evaluation and never for training"),
        (["train"], "recipe=..."),
        (["train", "recipe=vison"], "Did you mean 'vision'?"),
    ],
)
def test_mistakes_exit_with_2_and_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.USAGE
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.startswith("embodied: ")
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""


def fake_command(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def main(arguments: Sequence[str]) -> int:
        raise error

    commands: Registry[cli.Main] = Registry("command")
    commands.register("fake", main)
    monkeypatch.setattr(cli, "COMMANDS", commands)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CheckpointError("model.safetensors is damaged"), cli.FAILED, "is damaged"),
        (ModuleNotFoundError("No module", name="rclpy"), cli.FAILED, "needs the module 'rclpy'"),
        (KeyboardInterrupt(), cli.INTERRUPTED, "stopped"),
    ],
)
def test_failures_are_one_line_without_a_traceback(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_command(monkeypatch, error)
    assert cli.main(["fake"]) == code
    message = capsys.readouterr().err
    assert words in message
    assert len(message.strip().splitlines()) == 1


def test_one_that_is_terminated_ends_as_by_ctrl_c() -> None:
    """What it has started is put in order: `timeout`, which sends it twice, and service managers send this signal."""
    code = """
import os, signal, sys
from embodied import cli

def fake(arguments):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        print("in order")

cli.COMMANDS.register("fake", fake)
sys.argv[1:] = ["fake"]
sys.exit(cli.main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (cli.INTERRUPTED, "in order\n", "embodied: stopped\n")


def test_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_command(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(["fake"])


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from embodied import cli; cli.main(['--help']);"
        "print('HEAVY', [m for m in ('torch', 'numpy', 'omegaconf', 'rich') if m in sys.modules])"
    )
    assert "HEAVY []" in run_python(code)


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_that_of_the_manifest(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([flag]) == cli.OK
    version = capsys.readouterr().out.strip()
    assert f"<version>{version}</version>" in (ROOT / "package.xml").read_text()


@pytest.mark.parametrize("arguments", [["--help"], ["tasks"], ["eval", "--help"]], ids=" ".join)
def test_a_reader_that_goes_away_is_answered_with_silence(arguments: list[str]) -> None:
    """As in `embodied tasks | head -1`."""
    command = [sys.executable, "-m", "embodied.cli", *arguments]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    errors = child.stderr.read()
    child.wait()
    assert "Traceback" not in errors and "BrokenPipe" not in errors, errors


def test_a_command_that_cannot_be_read_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, source in (("sound", '"""Make a sound."""'), ("broken", "def (")):
        (tmp_path / f"{name}.py").write_text(source)
    metadata = tmp_path / "others-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    lines = ["[embodied.commands]", "sound = sound:main", "broken = broken:main", "gone = gone.deep:main"]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert cli.main(["--help"]) == cli.OK
    text = capsys.readouterr().out
    assert "  sound    Make a sound\n" in text and "  eval     Measure" in text
    assert text.count("(not importable)") == 2
    assert cli.main(["gone"]) == cli.FAILED
    assert "there is no module 'gone'" in capsys.readouterr().err


def test_the_help_of_eval_loads_no_torch() -> None:
    code = (
        "import sys\nfrom embodied import cli\n"
        "try: cli.main(['eval', '--help'])\n"
        "except SystemExit: pass\n"
        "print('HEAVY', [m for m in ('torch', 'pybullet', 'gymnasium') if m in sys.modules])"
    )
    assert "HEAVY []" in run_python(code)


def test_a_mistake_is_told_before_a_model_is_loaded() -> None:
    code = (
        "import sys\nfrom embodied import cli\n"
        "mistakes = ('arm=pandas', 'episodes=0', 'split=pears', 'out=a.csv')\n"
        "codes = [cli.main(['eval', mistake]) for mistake in mistakes]\n"
        "print(codes, 'HEAVY', [m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    assert "[2, 2, 2, 2] HEAVY []" in run_python(code)


def test_tasks_lists_every_family_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tasks", "seed=3"]) == cli.OK
    text = capsys.readouterr().out
    for words in ("put_in_bowl", "Embodied/PlaceRelative-v0", "paraphrase", "suite=tabletop", "palme"):
        assert words in text
