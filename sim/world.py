# SPDX-License-Identifier: Apache-2.0
"""The PyBullet world: a table, a Panda, blocks, bowls and zones. The one file that imports pybullet."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pybullet
import pybullet_data
from pybullet_utils import bullet_client

from embodied.errors import EmbodiedError, UnknownNameError, UnsafeCommandError
from embodied.robots import PANDA, PANDA_URDF
from embodied.types import CameraFrame, Float, ObjectState
from sim import scene

PHYSICS_HZ = 240
GRIPPER_SPEED_M_S = 0.25
TOUCH_MARGIN_M = 0.003
"""Fingers this near to a block or a bowl touch it."""
POINTED_HEIGHT_M = 0.03
"""A tool centre point lower than this inside of a bowl's or a zone's outline touches it: paint and the
hollow of a bowl cannot push back."""

_ARM = tuple(range(7))
_HAND, _LEFT, _RIGHT, _TOOL = 8, 9, 10, 11
_DRIVEN = [*_ARM, _LEFT, _RIGHT]
# Stiff servos: the maker's inertias are rough, and torque at its limit would swing about the target.
_FORCES = [400.0] * 7 + [20.0, 20.0]
_POSITION_GAINS = [0.4] * 7 + [0.1] * 2
_VELOCITY_GAINS = [1.0] * 9
_NEAR_M, _FAR_M = 0.02, 4.0
_TABLE_PIXEL = np.array([round(255 * value) for value in scene.TABLE_RGB], dtype=np.uint8)


class _Client(bullet_client.BulletClient):  # type: ignore[misc]
    """A physics client. The class above always passes options, and PyBullet prints these to stdout."""

    def __init__(self, mode: int) -> None:
        self._shapes: dict[int, int] = {}
        self._pid = os.getpid()
        self._client = pybullet.connect(mode)


class World:
    """One simulated tabletop; several live side by side in a process.

    `gui` opens PyBullet's window. `stock_visuals` draws PyBullet's own Panda meshes, ground plane and
    shadows: slow, for comparison only.
    """

    def __init__(self, *, gui: bool = False, stock_visuals: bool = False) -> None:
        if gui and sys.platform == "linux" and not os.environ.get("DISPLAY"):
            # PyBullet would end the whole process.
            raise EmbodiedError("PyBullet's window needs a screen: DISPLAY is not set; leave gui off")
        self._client: Any = _Client(pybullet.GUI if gui else pybullet.DIRECT)
        self._gui = gui
        self._stock_visuals = stock_visuals
        self._open = True
        self.scene_number = 0
        """Counts the scenes that this world has shown."""
        self.set_objects(())

    def set_objects(self, objects: Sequence[ObjectState]) -> None:
        """Start a fresh scene: the arm at home with open fingers, and `objects` on the table.

        The whole world is rebuilt, so nothing of an earlier scene can change the next one. A block
        stands at its x, y, z; bowls and zones stand on the table whatever their z. Raises ValueError
        for positions that are not finite and for names that are not unique.
        """
        for item in objects:
            _refuse_nonfinite(f"position of {item.name!r}", np.append(item.position_m, item.yaw_rad))
        if len({item.name for item in objects}) != len(objects):
            raise ValueError(f"names of objects are not unique: {[item.name for item in objects]}")
        client = self._client
        client.resetSimulation()
        client.setGravity(0.0, 0.0, -9.81)
        client.setTimeStep(1.0 / PHYSICS_HZ)
        client.setPhysicsEngineParameter(deterministicOverlappingPairs=1, numSolverIterations=40)
        self.scene_number += 1
        self._steps = 0
        self._touched: set[str] = set()
        self._objects: dict[str, tuple[int, ObjectState]] = {}
        self._add_table()
        self._arm = self._add_arm()
        self.reset_arm(PANDA.home_rad, PANDA.max_gripper_width_m)
        for item in objects:
            self._objects[item.name] = (self._add_object(item), item)

    def _add_table(self) -> None:
        client = self._client
        (x0, x1), (y0, y1) = scene.TABLE_X_M, scene.TABLE_Y_M
        half = [0.5 * (x1 - x0), 0.5 * (y1 - y0), 0.05]
        # Pictures paint the plain table behind what the renderer drew, which is many times as fast; the
        # table's own visual is then out of sight, and in its place only in PyBullet's window.
        seen = self._gui and not self._stock_visuals
        visual = client.createVisualShape(
            client.GEOM_BOX,
            halfExtents=half,
            rgbaColor=[*scene.TABLE_RGB, 1.0],
            specularColor=[0, 0, 0],
            visualFramePosition=[0.0, 0.0, 0.0 if seen else -50.0],
        )
        if self._stock_visuals:
            plane = str(Path(pybullet_data.getDataPath()) / "plane.urdf")
            client.loadURDF(plane, basePosition=[0.0, 0.0, -0.001])
        table = client.createMultiBody(
            baseCollisionShapeIndex=client.createCollisionShape(client.GEOM_BOX, halfExtents=half),
            baseVisualShapeIndex=visual,
            basePosition=[0.5 * (x0 + x1), 0.5 * (y0 + y1), -0.05],
        )
        client.changeDynamics(table, -1, lateralFriction=0.8)

    def _add_arm(self) -> int:
        client = self._client
        path = PANDA_URDF
        if self._stock_visuals:
            path = Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf"
        arm: int = client.loadURDF(str(path), useFixedBase=True, flags=client.URDF_USE_INERTIA_FROM_FILE)
        for finger in (_LEFT, _RIGHT):
            client.changeDynamics(arm, finger, lateralFriction=1.5, spinningFriction=0.02)
        return arm

    def _add_object(self, item: ObjectState) -> int:
        client = self._client
        if item.colour not in scene.RGB:
            raise UnknownNameError("colour", item.colour, scene.RGB)
        rgba = [*scene.RGB[item.colour], 1.0]
        x, y, z = (float(value) for value in item.position_m)
        mass, collision = 0.0, -1
        if item.kind == "block":
            half = [0.5 * scene.BLOCK_SIDE_M] * 3
            mass = scene.BLOCK_MASS_KG
            collision = client.createCollisionShape(client.GEOM_BOX, halfExtents=half)
            visual = client.createVisualShape(
                client.GEOM_BOX, halfExtents=half, rgbaColor=rgba, specularColor=[0, 0, 0]
            )
        elif item.kind == "bowl":
            z = 0.0
            collision = self._bowl_collision()
            vertices, triangles = scene.bowl_mesh()
            visual = client.createVisualShape(
                client.GEOM_MESH,
                vertices=vertices,
                indices=triangles,
                rgbaColor=rgba,
                specularColor=[0, 0, 0],
            )
        elif item.kind == "zone":
            z = 0.5 * scene.ZONE_HEIGHT_M
            half = [0.5 * scene.ZONE_SIDE_M, 0.5 * scene.ZONE_SIDE_M, z]
            visual = client.createVisualShape(
                client.GEOM_BOX, halfExtents=half, rgbaColor=rgba, specularColor=[0, 0, 0]
            )
        else:
            raise UnknownNameError("kind of object", item.kind, ("block", "bowl", "zone"))
        body: int = client.createMultiBody(
            baseMass=mass,
            baseCollisionShapeIndex=collision,
            baseVisualShapeIndex=visual,
            basePosition=[x, y, z],
            baseOrientation=client.getQuaternionFromEuler([0.0, 0.0, item.yaw_rad]),
        )
        if collision >= 0:
            client.changeDynamics(
                body,
                -1,
                lateralFriction=0.8,
                spinningFriction=0.002,
                rollingFriction=0.0,
                restitution=0.0,
                linearDamping=0.04,
                angularDamping=0.1,
            )
        return body

    def _bowl_collision(self) -> int:
        """A floor and a ring of boxes that lean outwards: convex pieces, so a block rests in it."""
        client = self._client
        floor, rim, height = scene.BOWL_FLOOR_RADIUS_M, scene.BOWL_RADIUS_M, scene.BOWL_HEIGHT_M
        lean = float(np.arctan2(rim - floor, height))
        middle = 0.5 * (floor + rim) - 0.5 * scene.BOWL_WALL_M
        slant = 0.5 * float(np.hypot(rim - floor, height))
        wide = 1.05 * rim * float(np.tan(np.pi / scene.BOWL_SIDES))
        half = [[0.72 * floor, 0.72 * floor, 0.5 * scene.BOWL_FLOOR_M]] * 2
        centres = [[0.0, 0.0, 0.5 * scene.BOWL_FLOOR_M]] * 2
        turns = [[0.0, 0.0, 0.0, 1.0], client.getQuaternionFromEuler([0.0, 0.0, 0.25 * np.pi])]
        for k in range(scene.BOWL_SIDES):
            angle = 2.0 * np.pi * k / scene.BOWL_SIDES
            half.append([0.5 * scene.BOWL_WALL_M, wide, slant])
            centres.append([middle * np.cos(angle), middle * np.sin(angle), 0.5 * height])
            turns.append(client.getQuaternionFromEuler([0.0, lean, angle]))
        shape: int = client.createCollisionShapeArray(
            shapeTypes=[client.GEOM_BOX] * len(half),
            halfExtents=half,
            collisionFramePositions=centres,
            collisionFrameOrientations=turns,
        )
        return shape

    def paint(self, name: str, rgb: tuple[float, float, float]) -> None:
        """Give the object `name` another colour, red, green and blue in [0, 1], until the next scene."""
        body, _ = self._objects[name]
        self._client.changeVisualShape(body, -1, rgbaColor=[*rgb, 1.0])

    @property
    def time_s(self) -> float:
        """Simulated seconds since the scene began."""
        return self._steps / PHYSICS_HZ

    def reset_arm(self, position_rad: Float, gripper_width_m: float) -> None:
        """Put the arm (7,) and the fingers there at once, at rest, and hold."""
        _refuse_nonfinite("joint position", np.append(position_rad, gripper_width_m))
        for joint, value in zip(_DRIVEN, _driven(position_rad, gripper_width_m), strict=True):
            self._client.resetJointState(self._arm, joint, value)
        self._width_m = gripper_width_m
        self._drive(position_rad, np.zeros(7), gripper_width_m)

    def step(
        self, position_rad: Float, velocity_rad_s: Float, gripper_width_m: float, steps: int = 1
    ) -> None:
        """Drive the arm towards `position_rad` (7,) at `velocity_rad_s` (7,) for `steps` of 1/240 s.

        Raises UnsafeCommandError for numbers that are not finite: PyBullet would take them and lose
        the whole world.
        """
        command = np.concatenate([position_rad, velocity_rad_s, [gripper_width_m]])
        if not np.isfinite(command).all():
            raise UnsafeCommandError(f"a motor command is not finite: {command.tolist()}")
        # Fingers slide at their own speed: a jump would knock the block away.
        reach = GRIPPER_SPEED_M_S * steps / PHYSICS_HZ
        self._width_m += float(np.clip(gripper_width_m - self._width_m, -reach, reach))
        self._drive(position_rad, velocity_rad_s, self._width_m)
        for _ in range(steps):
            self._client.stepSimulation()
        self._steps += steps

    def _drive(self, position_rad: Float, velocity_rad_s: Float, gripper_width_m: float) -> None:
        self._client.setJointMotorControlArray(
            self._arm,
            _DRIVEN,
            pybullet.POSITION_CONTROL,
            targetPositions=_driven(position_rad, gripper_width_m),
            targetVelocities=[*velocity_rad_s.tolist(), 0.0, 0.0],
            forces=_FORCES,
            positionGains=_POSITION_GAINS,
            velocityGains=_VELOCITY_GAINS,
        )

    def joint_state(self) -> tuple[Float, Float, float]:
        """Joint angles (7,) in rad, velocities (7,) in rad/s, and the width between the fingers in m."""
        states = self._client.getJointStates(self._arm, _DRIVEN)
        position = np.array([state[0] for state in states])
        velocity = np.array([state[1] for state in states[:7]])
        return position[:7], velocity, float(max(0.0, position[7] + position[8]))

    def objects(self) -> dict[str, ObjectState]:
        """Where every object is now, by name."""
        found = {}
        for name, (body, item) in self._objects.items():
            position, turn = self._client.getBasePositionAndOrientation(body)
            if item.kind != "block":
                position = (position[0], position[1], 0.0)
            found[name] = ObjectState(
                name=name,
                kind=item.kind,
                colour=item.colour,
                position_m=np.array(position, dtype=np.float64),
                yaw_rad=float(self._client.getEulerFromQuaternion(turn)[2]),
            )
        return found

    def held(self) -> str | None:
        """The block that both fingers press on, clear of the table."""
        for name, (body, item) in self._objects.items():
            if item.kind != "block":
                continue
            if all(self._client.getContactPoints(self._arm, body, finger, -1) for finger in (_LEFT, _RIGHT)):
                position, _ = self._client.getBasePositionAndOrientation(body)
                if position[2] > scene.BLOCK_SIDE_M:
                    return name
        return None

    def touched(self) -> frozenset[str]:
        """Names of all objects that fingers or hand have touched since the scene began."""
        return frozenset(self._touched)

    def note_touches(self) -> None:
        """Add what the fingers and the hand touch at this instant to `touched`."""
        client = self._client
        for name, (body, item) in self._objects.items():
            if name in self._touched:
                continue
            touching = item.kind != "block" and self._points_into(body, item.kind)
            if not touching and item.kind != "zone":
                touching = any(
                    client.getClosestPoints(self._arm, body, TOUCH_MARGIN_M, link, -1)
                    for link in (_LEFT, _RIGHT, _HAND)
                )
            if touching:
                self._touched.add(name)

    def _points_into(self, body: int, kind: str) -> bool:
        tool = self._client.getLinkState(self._arm, _TOOL, computeForwardKinematics=True)[4]
        if tool[2] >= POINTED_HEIGHT_M:
            return False
        position, turn = self._client.getBasePositionAndOrientation(body)
        x, y = tool[0] - position[0], tool[1] - position[1]
        if kind == "bowl":
            return float(np.hypot(x, y)) < scene.BOWL_RADIUS_M
        yaw = self._client.getEulerFromQuaternion(turn)[2]
        c, s = np.cos(yaw), np.sin(yaw)
        return float(max(abs(c * x + s * y), abs(c * y - s * x))) < 0.5 * scene.ZONE_SIDE_M

    def render(self, name: str, size_px: int = 224) -> CameraFrame:
        """A square picture of `size_px` from the camera `name`, with its exact geometry."""
        if name not in scene.CAMERAS:
            raise UnknownNameError("camera", name, scene.CAMERAS)
        if not 1 <= size_px <= 4096:
            raise ValueError(f"a picture is 1 to 4096 pixels wide, not {size_px}")
        camera = scene.CAMERAS[name]
        pose = self._hand_pose() @ camera.mount if camera.on_hand else camera.mount
        view = np.linalg.inv(pose @ np.diag([1.0, -1.0, -1.0, 1.0]))
        focal = 1.0 / np.tan(0.5 * camera.field_of_view_rad)
        depth = _NEAR_M - _FAR_M
        projection = np.zeros((4, 4))
        projection[0, 0] = projection[1, 1] = focal
        projection[2, 2], projection[2, 3] = (_FAR_M + _NEAR_M) / depth, 2.0 * _FAR_M * _NEAR_M / depth
        projection[3, 2] = -1.0
        shot = self._client.getCameraImage(
            size_px,
            size_px,
            viewMatrix=view.T.ravel().tolist(),
            projectionMatrix=projection.T.ravel().tolist(),
            lightDirection=[0.6, 0.5, 1.6],
            lightColor=[1.0, 1.0, 1.0],
            lightAmbientCoeff=0.62,
            lightDiffuseCoeff=0.42,
            lightSpecularCoeff=0.0,
            shadow=1 if self._stock_visuals else 0,
            renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
        )
        rgba = np.asarray(shot[2], dtype=np.uint8).reshape(size_px, size_px, 4)
        rgb = rgba[:, :, :3].copy()
        empty = np.asarray(shot[3]).reshape(size_px, size_px) >= 1.0
        rgb[empty] = _TABLE_PIXEL
        return CameraFrame(
            rgb=rgb,
            intrinsics_px=camera.intrinsics_px(size_px),
            world_from_camera=pose,
            stamp_s=self.time_s,
        )

    def _hand_pose(self) -> Float:
        state = self._client.getLinkState(self._arm, _HAND, computeForwardKinematics=True)
        pose = np.eye(4)
        pose[:3, :3] = np.reshape(self._client.getMatrixFromQuaternion(state[5]), (3, 3))
        pose[:3, 3] = state[4]
        return pose

    def close(self) -> None:
        """Free the physics client; closing twice is fine."""
        if self._open:
            self._open = False
            self._client.disconnect()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _driven(position_rad: Float, gripper_width_m: float) -> list[float]:
    half = 0.5 * min(max(gripper_width_m, 0.0), PANDA.max_gripper_width_m)
    return [*np.asarray(position_rad, dtype=np.float64).tolist(), half, half]


def _refuse_nonfinite(what: str, values: Float) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"the {what} is not finite: {np.asarray(values).tolist()}")
