# SPDX-License-Identifier: Apache-2.0
"""The transport that every process of the graph shares: pictures arrive, and nothing leaves the machine."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import MutableMapping
from pathlib import Path

PROFILE = Path(__file__).with_name("fastdds.xml")
"""Fast DDS profile: a shared-memory segment large enough for pictures, and UDP on 127.0.0.1 alone."""

UDP_PROFILE = PROFILE.with_name("fastdds_udp.xml")
"""The same without shared memory."""

_YOUNG_S = 10.0


def local_transport(ros_distro: str | None = None) -> dict[str, str]:
    """The variables that select the profile, for a ROS distribution; None: one newer than Jazzy."""
    old = ros_distro in ("humble", "iron", "jazzy")  # they bring Fast DDS 2
    return {
        "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE": str(PROFILE),
        # The profile alone says where to listen; for LOCALHOST the RMW would add a UDP transport that binds
        # every interface.
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "SYSTEM_DEFAULT",
    }


def use_local_transport(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the profile in `environment`, before the first `rclpy.init`.

    A network, or a profile of one's own, is an explicit choice: where any of the variables is already set,
    all stay as they are.
    """
    wanted = local_transport(environment.get("ROS_DISTRO"))
    if not any(name in environment for name in wanted):
        environment.update(wanted)


def share_no_memory(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the profile without shared memory in `environment`, where it would be ours.

    For the gate, and for whoever only talks: a process that dies or hangs while it holds a lock in there must hold
    neither them, nor the one that is started in its place and writes to them.
    """
    use_local_transport(environment)
    for name, value in local_transport(environment.get("ROS_DISTRO")).items():
        if value == str(PROFILE) and environment.get(name) == value:
            environment[name] = str(UDP_PROFILE)


def sweep(folder: Path = Path("/dev/shm")) -> None:
    """Remove the shared memory of processes that were killed: 35 MB each, which nobody else would ever give back.

    Who lives holds a lock on the file beside its segment; what is younger than `_YOUNG_S` may not have it yet.
    """
    for lock in folder.glob("fastdds_????????????????_el"):
        with contextlib.suppress(OSError):
            # Everybody may write there: nothing that waits is opened, and nothing of another user is touched.
            file = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                about = os.fstat(file)
                ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid()
                if ours and time.time() - about.st_mtime > _YOUNG_S:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    lock.with_name(lock.name.removesuffix("_el")).unlink(missing_ok=True)
                    lock.unlink()
            finally:
                os.close(file)
