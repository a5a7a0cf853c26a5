# SPDX-License-Identifier: Apache-2.0
"""How fast an arm goes along its path: a rate (1 is as planned, 0 stands) whose slope is continuous.

The slope goes evenly from one value to the next, so that the acceleration of the joints does not jump where the rate
begins or ends to change. Place on the path is the integral of the rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from embodied.types import Float

RAMP_S = 0.02
"""Time in which the slope of the rate changes from none to full."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Knots of a rate over time; the slope is linear between them, and the rate stands still after the last."""

    time_s: Float  # (K,) increasing from 0
    slope_hz: Float  # (K,) change of the rate in a second
    rate: Float  # (K,)
    place_s: Float  # (K,) on the path

    @classmethod
    def over(cls, time_s: Float, slope_hz: Float, rate: float, place_s: float) -> Rate:
        """From a rate and a place at time 0."""
        h, u0, u1 = np.diff(time_s), slope_hz[:-1], slope_hz[1:]
        rates = np.concatenate([[rate], rate + np.cumsum(0.5 * h * (u0 + u1))])
        ways = h * (rates[:-1] + h * (u0 / 3.0 + u1 / 6.0))
        places = np.concatenate([[place_s], place_s + np.cumsum(ways)])
        return cls(time_s=time_s, slope_hz=slope_hz, rate=rates, place_s=places)

    def at(self, time_s: Float) -> tuple[Float, Float, Float]:
        """Place, rate and slope at times (T,); what comes after the last knot stands still or goes on evenly."""
        end = self.time_s[-1]
        inside = np.clip(time_s, 0.0, end)
        i = np.clip(np.searchsorted(self.time_s, inside, side="right") - 1, 0, len(self.time_s) - 2)
        h, tau = self.time_s[i + 1] - self.time_s[i], inside - self.time_s[i]
        u0, bend = self.slope_hz[i], (self.slope_hz[i + 1] - self.slope_hz[i]) / h
        rate = self.rate[i] + tau * (u0 + 0.5 * tau * bend)
        place = self.place_s[i] + tau * (self.rate[i] + tau * (0.5 * u0 + tau * bend / 6.0))
        after = np.maximum(time_s - end, 0.0)
        return place + after * self.rate[-1], rate, np.where(after > 0.0, 0.0, u0 + tau * bend)


def change(rate: float, slope_hz: float, to: float, length_s: float) -> tuple[Float, Float]:
    """Times (4,) and slopes (4,) that bring a rate with a slope to the rate `to`, even by then, in `length_s`."""
    ramp_s = min(RAMP_S, 0.4 * length_s)
    steady = (to - rate - 0.5 * ramp_s * slope_hz) / (length_s - ramp_s)
    return (
        np.array([0.0, ramp_s, length_s - ramp_s, length_s]),
        np.array([slope_hz, steady, steady, 0.0]),
    )
