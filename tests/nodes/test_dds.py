# SPDX-License-Identifier: Apache-2.0
"""Shared memory: what a process that was killed has left is given back, and nothing that is in use."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy")

from nodes import dds

NODE = """
import time
from nodes.dds import use_local_transport
use_local_transport()
import rclpy
rclpy.init()
node = rclpy.create_node("somebody")
print("up", flush=True)
time.sleep(600)
"""


def segments_of(pid: int) -> set[Path]:
    """The segments that a process has made, by the locks that it holds open."""
    held = (os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink())
    return {Path(path.removesuffix("_el")) for path in held if re.search(r"/fastdds_[0-9a-f]{16}_el$", path)}


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_uses_stays(ros: Any) -> None:
    dead, living = (ros.start("-c", NODE) for _ in range(2))
    for process in (dead, living):
        process.wait_for("up")
    left, used = segments_of(dead.pid), segments_of(living.pid)
    assert left and used and left.isdisjoint(used) and all(path.stat().st_size > 1e6 for path in left)
    dead.send(signal.SIGKILL)
    dead.wait()
    assert all(path.exists() for path in left), "nobody else gives it back"
    dds.sweep()
    assert all(path.exists() for path in left), "what is so young may be of somebody who begins"
    for path in left | used:
        os.utime(f"{path}_el", (0, 0))
    dds.sweep()
    assert not any(path.exists() or Path(f"{path}_el").exists() for path in left)
    assert all(path.exists() and Path(f"{path}_el").exists() for path in used)


TALKERS = {
    "say_": "from nodes.say import say; say('done')",
    "announce_node": "import sys; sys.argv = ['announce']; from nodes.announce_node import main; main()",
}


@pytest.mark.parametrize("name", TALKERS)
def test_who_only_talks_shares_no_memory(ros: Any, wait_until: Any, name: str) -> None:
    """What an agent that was killed has left in there must not make the next one unheard."""
    process = ros.start("-c", TALKERS[name])
    wait_until(lambda: name in ros.run("node", "list")[1])
    assert not segments_of(process.pid)


def test_what_lies_there_to_hold_it_up_does_not(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a link to somebody's file, and no folder at all."""
    os.mkfifo(tmp_path / f"fastdds_{16 * 'a'}_el")
    kept = tmp_path / "kept"
    kept.write_text("")
    os.utime(kept, (0, 0))
    (tmp_path / f"fastdds_{16 * 'b'}_el").symlink_to(kept)
    dds.sweep(tmp_path)
    assert kept.exists() and len(list(tmp_path.iterdir())) == 3
    dds.sweep(tmp_path / "none")
