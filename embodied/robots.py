# SPDX-License-Identifier: Apache-2.0
"""The arms that this project knows: their URDF and their features."""

from functools import cache
from pathlib import Path

import numpy as np

from embodied.arm import ArmFeatures
from embodied.kinematics import Chain

PANDA_URDF = Path(__file__).parent / "assets" / "panda.urdf"

# Retracted, hand pointing down 45 cm above the table: hides nothing of it from the front camera.
_PANDA_HOME_RAD = (0.0, -0.828, 0.0, -2.471, 0.0, 1.643, 0.785398)


@cache
def panda_chain() -> Chain:
    """Kinematics of the Panda from its base to the tool centre point."""
    return Chain.from_urdf(PANDA_URDF)


def _panda() -> ArmFeatures:
    chain = panda_chain()
    return ArmFeatures(
        joint_names=chain.joint_names,
        lower_rad=chain.lower_rad,
        upper_rad=chain.upper_rad,
        max_velocity_rad_s=chain.max_velocity_rad_s,
        # The maker's data sheet.
        max_acceleration_rad_s2=np.array([15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]),
        max_gripper_width_m=0.08,
        home_rad=np.array(_PANDA_HOME_RAD),
        cameras=("front", "wrist"),
    )


PANDA: ArmFeatures = _panda()
