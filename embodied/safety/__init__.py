# SPDX-License-Identifier: Apache-2.0
"""What stands between a decision and an arm. Plain numpy: nothing here learns, nothing imports torch."""

from embodied.safety.clocks import ClockScale, Stall, Watchdog
from embodied.safety.following import Following
from embodied.safety.gate import ActionGate, ArmState, GateLimits
from embodied.safety.hold import hold
from embodied.safety.latch import Latch
from embodied.safety.rest import RestWatch
from embodied.safety.streamer import Piece, Streamer

__all__ = [
    "ActionGate",
    "ArmState",
    "ClockScale",
    "Following",
    "GateLimits",
    "Latch",
    "Piece",
    "RestWatch",
    "Stall",
    "Streamer",
    "Watchdog",
    "hold",
]
