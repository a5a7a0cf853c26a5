# SPDX-License-Identifier: Apache-2.0
"""The truth about a world, as tasks judge it."""

import numpy as np

from sim.tasks import SceneState
from sim.world import World

_AT_HOME_RAD = 0.05


def state_of(world: World) -> SceneState:
    """What is on the table of `world`, and how its arm stands."""
    position_rad, _, width_m = world.joint_state()
    return SceneState(
        objects=world.objects(),
        held=world.held(),
        touched=world.touched(),
        gripper_width_m=width_m,
        at_home=bool(np.abs(position_rad - world.model.home_rad).max() <= _AT_HOME_RAD),
    )
