# SPDX-License-Identifier: Apache-2.0
"""Real processes on a ROS domain of their own, ended with the test that started them; and tiny random models."""

from __future__ import annotations

import contextlib
import gc
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from embodied.data.sample import Sample
    from embodied.model.palme import Palme

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0
"""For what should take a second: a loaded machine is no failure."""

_ALONE, _PATIENT = ("tests/launch/", "tests/nodes/"), "tests/ros2/"
"""Where arms move in real time, and where nodes only talk."""


def pytest_configure() -> None:
    """Workers that share the cores compute with one thread each."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a graph, or an arm that moves in real time."""
    for item in items:
        place, graph = item.path.relative_to(ROOT).as_posix(), "ros" in getattr(item, "fixturenames", ())
        if place.startswith(_ALONE) or (graph and not place.startswith(_PATIENT)):
            item.add_marker("alone")
    # What takes longest begins first, or one worker waits for the other in the end.
    items.sort(key=lambda item: item.path.name != "test_quality.py")


class Process:
    """A child whose lines are kept, in order."""

    def __init__(self, command: Sequence[str], env: dict[str, str], cwd: Path = ROOT) -> None:
        self.lines: list[str] = []
        self._child = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.pid = self._child.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, part: str, *, after: int = 0, timeout_s: float = PATIENCE_S) -> int:
        """Wait for a line that contains `part`; returns the number of lines up to and with it."""
        end = time.monotonic() + timeout_s
        seen = after
        while True:
            while seen < len(self.lines):
                seen += 1
                if part in self.lines[seen - 1]:
                    return seen
            assert time.monotonic() < end, f"no {part!r} in:\n{self.text}"
            assert self._child.poll() is None or self._reader.is_alive(), f"ended, no {part!r} in:\n{self.text}"
            time.sleep(0.02)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end; returns the exit code."""
        code = self._child.wait(timeout_s)
        self._reader.join(timeout_s)
        return code

    def send(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def end(self) -> None:
        """End it and all that it started in its session; a launch gets the time to end its own."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(30.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()


class Ros:
    """A ROS domain of its own, on this machine only."""

    def __init__(self) -> None:
        ours = ("ROS_", "FASTDDS_", "FASTRTPS_", "AMENT_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        # 1..101 are the domains whose ports are below the ephemeral ones; those of another worker are not ours.
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        domains = range(1 + worker, 102, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
        self.env |= {"ROS_DOMAIN_ID": str(random.SystemRandom().choice(domains)), "PYTHONPATH": str(ROOT)}
        # No emergency stop of an earlier launch.
        self._run_folder = tempfile.mkdtemp(prefix="embodied-test-")
        self.env |= {"PYTHONUNBUFFERED": "1", "XDG_RUNTIME_DIR": self._run_folder, "TMPDIR": self._run_folder}
        self._processes: list[Process] = []

    def start(self, *command: str, cwd: Path = ROOT) -> Process:
        """Start `python <command>` in the background."""
        process = Process([sys.executable, *command], self.env, cwd)
        self._processes.append(process)
        return process

    def ros2(self, *arguments: str, cwd: Path = ROOT) -> Process:
        """Start the `ros2` command in the background."""
        return self.start("-m", "nodes.ros2.main", *arguments, cwd=cwd)

    def run(self, *arguments: str, timeout_s: float = PATIENCE_S) -> tuple[int, str]:
        """Run the `ros2` command to its end; returns exit code and output."""
        process = self.ros2(*arguments)
        code = process.wait(timeout_s)
        return code, process.text

    def end(self) -> None:
        for process in reversed(self._processes):
            process.end()
        shutil.rmtree(self._run_folder, ignore_errors=True)


@pytest.fixture(scope="module")
def ros() -> Iterator[Ros]:
    pytest.importorskip("rclpy")
    # What earlier tests have loaded stays. To look through all of it for garbage takes a second or so, in which an arm
    # or an agent that lives in this process stands still.
    gc.collect()
    gc.freeze()
    domain = Ros()
    yield domain
    domain.end()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Waits for a condition; the test fails if it does not come true."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, "it did not come true in time"
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend)


@pytest.fixture
def make_tiny(tokenizer: PreTrainedTokenizerFast) -> Callable[..., Palme]:
    """Builds a tiny model; the options are those of its configuration."""
    import torch

    torch.set_num_threads(1)  # for so little to do, threads only wait for each other
    from transformers import LlamaConfig

    from embodied.model.backbone import Backbone, Int8Embedding
    from embodied.model.composition import PalmeConfig, PartConfig, SenseConfig
    from embodied.model.encoders import ENCODERS
    from embodied.model.encoders.mlp import MlpEncoder
    from embodied.model.palme import Palme

    if "object" not in ENCODERS:
        # A sense of the test's own: as many tokens as there are objects.
        class ObjectEncoder(MlpEncoder):
            def forward(self, value: torch.Tensor) -> torch.Tensor:
                return super().forward(value).squeeze(-2)

        ENCODERS.register("object", ObjectEncoder)

    def build(**options: Any) -> Palme:
        torch.manual_seed(0)
        config = LlamaConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=len(tokenizer),
        )
        backbone = Backbone(config, Int8Embedding.quantise(torch.randn(len(tokenizer), 32)))
        senses = {
            "front": SenseConfig(PartConfig("conv", {"size_px": 32, "width": 8})),
            "state": SenseConfig(PartConfig("mlp", {"size": 8, "hidden": 16}), reading="joints"),
            "objects": SenseConfig(PartConfig("object", {"size": 5, "hidden": 16})),
        }
        return Palme(PalmeConfig(**{"senses": senses} | options), backbone, tokenizer).eval()

    return build


@pytest.fixture
def tiny(make_tiny: Callable[..., Palme]) -> Palme:
    return make_tiny()


@pytest.fixture
def learn() -> Callable[..., list[float]]:
    """Trains a model on all of some samples at once; gives the loss of the first part, step by step."""
    import torch

    from embodied.train.palme import losses, weights_of

    def train(model: Palme, samples: Sequence[Sample], *parts: str, to: float, steps: int = 800) -> list[float]:
        """Minimise `parts` until the first has fallen to the share `to` of what it was, in at most `steps`."""
        optimizer = torch.optim.AdamW([p for p in model.train().parameters() if p.requires_grad], lr=5e-3)
        weights, falls = weights_of(model), list[float]()
        while len(falls) < steps and (not falls or falls[-1] > to * falls[0]):
            found = losses(model, samples, [{} for _ in samples])
            falls.append(float(found[parts[0]].detach()))
            optimizer.zero_grad()
            torch.stack([weights[name] * found[name] for name in parts]).sum().backward()
            optimizer.step()
        model.eval()
        return falls

    return train
