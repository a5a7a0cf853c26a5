# SPDX-License-Identifier: Apache-2.0
"""A graph of real processes to be hurt: sim.launch.py in a ROS domain and a folder of its own, and a saboteur."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from embodied.errors import EmbodiedError
from nodes import launched


def free_domain() -> int:
    """A ROS domain in which nobody listens on this machine."""
    # 1..101 are the domains whose ports are below the ephemeral ones.
    for domain in random.SystemRandom().sample(range(1, 102), 101):
        if all(_is_free(7400 + 250 * domain + 10 + 2 * participant) for participant in range(8)):
            return domain
    raise EmbodiedError("all ROS domains of this machine are taken")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Graph:
    """The processes, while the `with` block lasts.

    Args:
        policy: what decides.
        rate: simulated seconds in one second.
        relayed: whether the saboteur stands between the nodes.
        log: file for what they print.
    """

    def __init__(self, *, policy: str, rate: float, relayed: bool, log: Path) -> None:
        self.domain, self.log = free_domain(), log
        self._folder = tempfile.mkdtemp(prefix="embodied-faults-")
        ours = ("ROS_", "FASTDDS_", "FASTRTPS_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        # The distribution and where its logs go are the machine's; domain and transport are ours.
        self.env |= {name: os.environ[name] for name in ("ROS_DISTRO", "ROS_LOG_DIR") if name in os.environ}
        self.env |= {"ROS_DOMAIN_ID": str(self.domain), "XDG_RUNTIME_DIR": self._folder, "PYTHONUNBUFFERED": "1"}
        self._what = ["embodied", "faults.launch.py" if relayed else "sim.launch.py"]
        self._what += [f"policy:={policy}", f"rate:={rate}"]
        self._relay = ["relay"] if relayed else []
        self._others: list[subprocess.Popen[bytes]] = []
        self._launch: subprocess.Popen[bytes] | None = None

    @property
    def latch_file(self) -> Path:
        """Where the gate keeps the emergency stop."""
        return Path(self._folder) / "embodied" / f"emergency_stop.{self.domain}"

    def __enter__(self) -> Graph:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._launch = launched.launch(self._what, self.log, self.env)
        self.start("nodes.faults.saboteur", *self._relay)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._others:
            self.end(process)
        assert self._launch is not None
        launched.end(self._launch)
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, module: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Start one more process in the same domain; it ends with the graph."""
        process = launched.begin([sys.executable, "-m", module, *arguments], self.log, self.env | env)
        self._others.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End what `start` began."""
        launched.kill(process)
        self._others = [other for other in self._others if other is not process]

    def check(self) -> None:
        """Raises EmbodiedError where the graph has ended."""
        if self._launch is None or self._launch.poll() is not None:
            raise EmbodiedError(f"the graph has ended ({self.log}): {launched.last_words(self.log)}")

    def pid(self, node: str) -> int | None:
        """The process of `gate`, `agent` or `sim`, and not the younger one that stands by; None while there is none."""
        own, found = f"XDG_RUNTIME_DIR={self._folder}".encode(), []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
                if f"nodes.{node}_node".encode() in words and own in (place / "environ").read_bytes().split(b"\0"):
                    found.append((int(_facts(int(place.name))[19]), int(place.name)))  # when it began
            except OSError:
                continue  # it has ended meanwhile
        return min(found)[1] if found else None

    def parent(self, pid: int) -> int:
        """The process that started `pid`: of a node, its supervisor."""
        return int(_facts(pid)[1])

    def signal(self, node: str, number: signal.Signals) -> int:
        """Send a signal to a node; returns its pid. Raises EmbodiedError where it does not run."""
        pid = self.pid(node)
        if pid is None:
            raise EmbodiedError(f"{node}_node does not run; see {self.log}")
        os.kill(pid, number)
        return pid


def _facts(pid: int) -> list[str]:
    """What Linux says of a process after its name (proc(5), stat): its state, its parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
