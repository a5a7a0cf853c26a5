# SPDX-License-Identifier: Apache-2.0
"""close_hand: the fingers are open; they close."""

from sim.tasks import Episode, SceneState, Task, register

CLOSED_M = 0.004


@register
class CloseHand(Task):
    """Success: the fingers are CLOSED_M apart or less."""

    name = "close_hand"
    verb = "close_hand"

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.gripper_width_m <= CLOSED_M
