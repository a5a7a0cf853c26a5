# SPDX-License-Identifier: Apache-2.0
"""The transport: pictures arrive, and nothing listens outside of this machine."""

import os
import re
from pathlib import Path

import pytest

from nodes.dds import PROFILE, local_transport, use_local_transport

STREAM = Path(__file__).with_name("stream_node.py")
LOOPBACK = re.compile(r"[0-9A-F]{6}7F:|0{24}01000000:|0{16}FFFF0000[0-9A-F]{6}7F:")


def listening(pid):
    """Local addresses of the process's UDP sockets and listening TCP sockets, as the kernel prints them."""
    folder = Path(f"/proc/{pid}")
    links = {os.readlink(link) for link in (folder / "fd").iterdir() if link.is_symlink()}
    found = []
    for protocol in ("udp", "udp6", "tcp", "tcp6"):
        for line in (folder / "net" / protocol).read_text().splitlines()[1:]:
            columns = line.split()
            if f"socket:[{columns[9]}]" in links and (protocol.startswith("udp") or columns[3] == "0A"):
                found.append(columns[1])
    return found


@pytest.mark.skipif(not Path("/proc/self/net/udp").exists(), reason="needs Linux")
def test_a_camera_stream_arrives_and_stays_on_this_machine(ros):
    counter = ros.start(str(STREAM), "count")
    counter.wait_for("listening")
    sockets = listening(counter.pid)
    assert sockets, "no UDP socket: how would the processes find one another?"
    assert [address for address in sockets if not LOOPBACK.match(address)] == []
    publisher = ros.start(str(STREAM), "publish")
    publisher.wait_for("sent 90")
    assert counter.wait() == 0
    received = int(counter.lines[-1].removeprefix("received "))
    assert received >= 86, f"{received} of 90 pictures arrived"


def test_a_network_is_an_explicit_choice():
    environment = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}
    use_local_transport(environment)
    assert environment == {"ROS_AUTOMATIC_DISCOVERY_RANGE": "SUBNET"}


@pytest.mark.parametrize(
    ("distro", "variable"),
    [("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"), (None, "FASTDDS_DEFAULT_PROFILES_FILE")],
)
def test_the_profile_is_named_as_the_distribution_wants_it(distro, variable):
    assert local_transport(distro)[variable] == str(PROFILE)
    assert PROFILE.is_file()
