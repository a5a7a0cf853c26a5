# SPDX-License-Identifier: Apache-2.0
"""push: slide something over the table with nearly closed fingers."""

import numpy as np

from embodied.motion.hand import HandPose
from embodied.motion.skills import APPROACH_SPEED_M_S, Route, Skill, above, register
from embodied.types import Float

WIDTH_M = 0.025
CONTACT_M = 0.029
"""From the tool centre point to the centre of a block that the fingers push: half of each."""
RUN_UP_M = 0.065
RETREAT_M = 0.03
SPEED_M_S = 0.15


@register
class Push(Skill):
    """Point 0: the centre of what is pushed. Point 1: where its centre should end."""

    name = "push"
    points = 2

    def move(self, route: Route, points_m: Float) -> None:
        start, goal = points_m
        way = goal[:2] - start[:2]
        length = float(np.linalg.norm(way))
        # A push that is already done still touches down behind the block, from the arm's side.
        along = way / length if length > 1e-6 else np.array([1.0, 0.0])
        direction = np.append(along, 0.0)
        # The hand looks the same after half a turn: take the nearer of the two.
        yaw = float(np.arctan2(along[1], along[0]))
        yaw -= np.pi * np.round(yaw / np.pi)
        height = np.array([0.0, 0.0, start[2]])
        begin = np.append(start[:2], 0.0) - RUN_UP_M * direction + height
        end = np.append(goal[:2], 0.0) - CONTACT_M * direction + height
        if float((end - begin) @ direction) < 0.0:
            end = begin
        back = end - RETREAT_M * direction
        route.begin(WIDTH_M)
        route.add(above(begin, yaw))
        for place, speed in ((begin, APPROACH_SPEED_M_S), (end, SPEED_M_S), (back, SPEED_M_S)):
            # Short stops keep the corners sharp: a rounded one would lift the fingers off the block.
            route.add(HandPose.down(place, yaw), speed_m_s=speed, dwell_s=0.05)
        route.add(above(back, yaw), speed_m_s=APPROACH_SPEED_M_S)
