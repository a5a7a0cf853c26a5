# SPDX-License-Identifier: Apache-2.0
"""The PyBullet world: a table, one arm, whatever things are declared. The one file that imports pybullet."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pybullet
import pybullet_data
from numpy.typing import NDArray
from pybullet_utils import bullet_client

from embodied.arm import ROBOTS, ArmModel
from embodied.errors import EmbodiedError, UnsafeCommandError, check_name
from embodied.things import Thing, Triple, Urdf, thing_of
from embodied.types import Depth, Float, ObjectState, Picture
from sim import scene, shadows
from sim.appearance import USUAL, Appearance
from sim.bodies import collision_of, visual_of
from sim.pictures import FAR_M, NEAR_M, Painter, Shot, metres

PHYSICS_HZ = 240
GRIPPER_SPEED_M_S = 0.25
TOUCH_MARGIN_M = 0.003
"""Fingers this near to a thing touch it."""
TOUCHED_BELOW_M = 0.03
"""A tool centre point lower than this inside of a flat thing's outline touches it: paint and the hollow of a
bowl cannot push back."""
LIFTED_M = 0.02
"""What is held is this much higher than it stands on the table."""

_MAKERS: Mapping[Path, str] = {ROBOTS / "panda.urdf": "franka_panda/panda.urdf"}
"""URDF of an arm -> one of pybullet_data with the same joints and links, and the maker's meshes."""

# Stiff servos: makers' inertias are rough, and torque at its limit would swing about the target.
_ARM_SERVO, _FINGER_SERVO = (400.0, 0.4), (20.0, 0.1)  # largest force (N m, N) and position gain


class _Client(bullet_client.BulletClient):  # type: ignore[misc]
    """A physics client. The class above always passes options, and PyBullet prints these to stdout."""

    def __init__(self, mode: int) -> None:
        self._shapes: dict[int, int] = {}
        self._pid = os.getpid()
        self._client = pybullet.connect(mode)


class World:
    """One simulated tabletop with the arm of `model`; several live side by side in a process.

    `gui` opens PyBullet's window. `detailed` draws it to be looked at, not to be learned from: with the meshes of
    the arm's maker, where there are any, and with shadows. That is slow.
    """

    def __init__(self, model: ArmModel, *, gui: bool = False, detailed: bool = False) -> None:
        if gui and sys.platform == "linux" and not os.environ.get("DISPLAY"):
            # PyBullet would end the whole process.
            raise EmbodiedError("PyBullet's window needs a screen: DISPLAY is not set; leave gui off")
        self.model = model
        self._client: Any = _Client(pybullet.GUI if gui else pybullet.DIRECT)
        self._gui = gui
        self._detailed = detailed
        self.scene_number = 0
        """Counts the scenes that this world has shown."""
        self.set_objects(())

    def set_objects(self, objects: Sequence[ObjectState], appearance: Appearance = USUAL) -> None:
        """Start a fresh scene: the arm at home with open fingers, and `objects` on the table, which looks as told.

        The whole world is rebuilt, so nothing of an earlier scene can change the next one. What can be
        moved stands at its x, y, z; the rest stands on the table whatever its z. Raises ValueError for
        positions that are not finite and for names that are not unique, UnknownNameError for a kind of
        thing or a colour that does not exist, EmbodiedError for a scale that cannot be.
        """
        for item in objects:
            _refuse_nonfinite(f"position of {item.name!r}", np.append(item.position_m, item.orientation))
        if len({item.name for item in objects}) != len(objects):
            raise ValueError(f"names of objects are not unique: {[item.name for item in objects]}")
        client = self._client
        client.resetSimulation()
        client.setGravity(0.0, 0.0, -9.81)
        client.setTimeStep(1.0 / PHYSICS_HZ)
        client.setPhysicsEngineParameter(deterministicOverlappingPairs=1, numSolverIterations=40)
        self.scene_number += 1
        self._steps = 0
        self._appearance, self._painter = appearance, Painter(appearance)
        self._shots: dict[tuple[str, int], Shot] = {}
        self._touched: set[str] = set()
        self._objects: dict[str, tuple[int, ObjectState, Thing]] = {}
        self._painted: dict[str, Triple] = {}
        self._followed: tuple[World, int] | None = None
        self._add_table()
        self._arm = self._add_arm()
        self.reset_arm(self.model.home_rad, self.model.gripper_width_m)
        for item in objects:
            thing = thing_of(item)
            self._objects[item.name] = (self._add_object(item, thing), item, thing)
        for piece in appearance.clutter:  # to be seen only: nothing can touch it
            client.createMultiBody(
                baseVisualShapeIndex=visual_of(client, piece.shape, piece.rgb),
                basePosition=piece.position_m.tolist(),
                baseOrientation=piece.orientation.tolist(),
            )

    def _add_table(self) -> None:
        client = self._client
        (x0, x1), (y0, y1) = scene.TABLE_X_M, scene.TABLE_Y_M
        half = [0.5 * (x1 - x0), 0.5 * (y1 - y0), 0.05]
        # Pictures paint the plain table behind what the renderer drew, which is many times as fast; the
        # table's own visual is then out of sight, and in its place only in PyBullet's window.
        visual = client.createVisualShape(
            client.GEOM_BOX,
            halfExtents=half,
            rgbaColor=[*scene.TABLE_RGB, 1.0],
            specularColor=[0, 0, 0],
            visualFramePosition=[0.0, 0.0, 0.0 if self._gui else -50.0],
        )
        table = client.createMultiBody(
            baseCollisionShapeIndex=client.createCollisionShape(client.GEOM_BOX, halfExtents=half),
            baseVisualShapeIndex=visual,
            basePosition=[0.5 * (x0 + x1), 0.5 * (y0 + y1), -0.05],
        )
        client.changeDynamics(table, -1, lateralFriction=0.8)

    def _add_arm(self) -> int:
        client = self._client
        path, model = self.model.urdf, self.model
        if self._detailed and path in _MAKERS:
            path = Path(pybullet_data.getDataPath()) / _MAKERS[path]
        arm: int = client.loadURDF(str(path), useFixedBase=True, flags=client.URDF_USE_INERTIA_FROM_FILE)
        infos = [client.getJointInfo(arm, joint) for joint in range(client.getNumJoints(arm))]
        joints = {info[1].decode(): int(info[0]) for info in infos}
        links = {info[12].decode(): int(info[0]) for info in infos}
        self._driven = [joints[name] for name in (*model.joint_names, *model.gripper_joints)]
        self._fingers = (joints[model.gripper_joints[0]], joints[model.gripper_joints[1]])
        self._hand, self._tool = links[model.hand], links[model.tip]
        servos = [_ARM_SERVO] * model.joints + [_FINGER_SERVO] * 2
        self._forces, self._gains = [force for force, _ in servos], [gain for _, gain in servos]
        for finger in self._fingers:
            client.changeDynamics(arm, finger, lateralFriction=1.5, spinningFriction=0.02)
        return arm

    def _add_object(self, item: ObjectState, thing: Thing) -> int:
        client = self._client
        check_name("colour", item.colour, scene.RGB)
        x, y, z = (float(value) for value in item.position_m)
        place = [x, y, z if thing.mass_kg > 0.0 else thing.origin_m]
        turn = np.asarray(item.orientation, dtype=np.float64).tolist()
        if isinstance(thing.shape, Urdf):
            body: int = client.loadURDF(str(thing.shape.file), place, turn, useFixedBase=thing.mass_kg <= 0.0)
            return body
        body = client.createMultiBody(
            baseMass=thing.mass_kg,
            baseCollisionShapeIndex=collision_of(client, thing.collision),
            baseVisualShapeIndex=visual_of(client, thing.shape, scene.RGB[item.colour]),
            basePosition=place,
            baseOrientation=turn,
        )
        if thing.collision:
            friction = {"lateralFriction": 0.8, "spinningFriction": 0.002, "rollingFriction": 0.004 * thing.rolls}
            client.changeDynamics(body, -1, **friction, linearDamping=0.04, angularDamping=0.1)
        return body

    def move(self, name: str, to: ObjectState) -> None:
        """Put the object `name` at rest where `to` is."""
        position, turn = to.position_m.tolist(), to.orientation.tolist()
        self._client.resetBasePositionAndOrientation(self._objects[name][0], position, turn)
        self._shots.clear()

    def paint(self, name: str, rgb: Triple) -> None:
        """Give the object `name` another colour, red, green and blue in [0, 1], until the next scene."""
        body = self._objects[name][0]
        self._client.changeVisualShape(body, -1, rgbaColor=[*rgb, 1.0])
        self._painted[name] = rgb
        self._shots.clear()

    def follow(self, other: "World") -> None:
        """Stand as `other` stands now: its scene and appearance, arm, fingers, things and time."""
        if self._followed != (other, other.scene_number):
            self.set_objects([*other.objects().values()], other._appearance)
            self._followed = other, other.scene_number
        self._take_joints(self._arm, self._driven, other, other._arm, other._driven)
        for name, (theirs, _, _) in other._objects.items():
            mine = self._objects[name][0]
            self._client.resetBasePositionAndOrientation(mine, *other._client.getBasePositionAndOrientation(theirs))
            joints = range(self._client.getNumJoints(mine))
            self._take_joints(mine, joints, other, theirs, joints)
        for name, rgb in other._painted.items():
            self.paint(name, rgb)
        self._steps = other._steps
        self._shots.clear()

    def _take_joints(self, mine: int, joints: Sequence[int], other: "World", theirs: int, those: Sequence[int]) -> None:
        for joint, that in zip(joints, those, strict=True):
            position, velocity, *_ = other._client.getJointState(theirs, that)
            self._client.resetJointState(mine, joint, position, velocity)

    @property
    def time_s(self) -> float:
        """Simulated seconds since the scene began."""
        return self._steps / PHYSICS_HZ

    def reset_arm(self, position_rad: Float, gripper_width_m: float) -> None:
        """Put the arm (N,) and the fingers there at once, at rest, and hold."""
        _refuse_nonfinite("joint position", np.append(position_rad, gripper_width_m))
        for joint, value in zip(self._driven, self._targets(position_rad, gripper_width_m), strict=True):
            self._client.resetJointState(self._arm, joint, value)
        self._shots.clear()
        self._width_m = gripper_width_m
        self._drive(position_rad, np.zeros(self.model.joints), gripper_width_m)

    def step(self, position_rad: Float, velocity_rad_s: Float, gripper_width_m: float, steps: int = 1) -> None:
        """Drive the arm towards `position_rad` (N,) at `velocity_rad_s` (N,) for `steps` of 1/240 s.

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
        self._shots.clear()

    def _drive(self, position_rad: Float, velocity_rad_s: Float, gripper_width_m: float) -> None:
        self._client.setJointMotorControlArray(
            self._arm,
            self._driven,
            pybullet.POSITION_CONTROL,
            targetPositions=self._targets(position_rad, gripper_width_m),
            targetVelocities=[*velocity_rad_s.tolist(), 0.0, 0.0],
            forces=self._forces,
            positionGains=self._gains,
            velocityGains=[1.0] * len(self._driven),
        )

    def _targets(self, position_rad: Float, gripper_width_m: float) -> list[float]:
        half = 0.5 * min(max(gripper_width_m, 0.0), self.model.gripper_width_m)
        return [*np.asarray(position_rad, dtype=np.float64).tolist(), half, half]

    def joint_state(self) -> tuple[Float, Float, float]:
        """Joint angles (N,) in rad, velocities (N,) in rad/s, and the width between the fingers in m."""
        states = self._client.getJointStates(self._arm, self._driven)
        position = np.array([state[0] for state in states])
        velocity = np.array([state[1] for state in states[:-2]])
        return position[:-2], velocity, float(max(0.0, position[-2] + position[-1]))

    def objects(self) -> dict[str, ObjectState]:
        """Where every object is now, by name."""
        found = {}
        for name, (body, item, thing) in self._objects.items():
            position, turn = self._client.getBasePositionAndOrientation(body)
            found[name] = replace(
                item,
                position_m=np.array(position),
                orientation=np.array(turn),
                joint_position=self._joints_of(body) if isinstance(thing.shape, Urdf) else {},
            )
        return found

    def _joints_of(self, body: int) -> dict[str, float]:
        client = self._client
        names = [client.getJointInfo(body, joint)[1].decode() for joint in range(client.getNumJoints(body))]
        return {name: float(client.getJointState(body, joint)[0]) for joint, name in enumerate(names)}

    def held(self) -> str | None:
        """What both fingers press on, clear of the table."""
        for name, (body, _, thing) in self._objects.items():
            if thing.grasp is None:
                continue
            if all(self._client.getContactPoints(self._arm, body, finger) for finger in self._fingers):
                position, _ = self._client.getBasePositionAndOrientation(body)
                if position[2] > thing.origin_m + LIFTED_M:
                    return name
        return None

    def touched(self) -> frozenset[str]:
        """Names of all objects that fingers or hand have touched since the scene began."""
        return frozenset(self._touched)

    def note_touches(self) -> None:
        """Add what the fingers and the hand touch at this instant to `touched`."""
        client = self._client
        links = (*self._fingers, self._hand)
        for name, (body, _, thing) in self._objects.items():
            solid = thing.collision or isinstance(thing.shape, Urdf)
            if name not in self._touched and (
                (thing.flat and self._points_into(body, thing))
                or (solid and any(client.getClosestPoints(self._arm, body, TOUCH_MARGIN_M, n) for n in links))
            ):
                self._touched.add(name)

    def _points_into(self, body: int, thing: Thing) -> bool:
        tool = self._client.getLinkState(self._arm, self._tool, computeForwardKinematics=True)[4]
        if tool[2] >= TOUCHED_BELOW_M:
            return False
        position, turn = self._client.getBasePositionAndOrientation(body)
        x, y = tool[0] - position[0], tool[1] - position[1]
        if not thing.square:
            return float(np.hypot(x, y)) < thing.outline_m
        yaw = self._client.getEulerFromQuaternion(turn)[2]
        c, s = np.cos(yaw), np.sin(yaw)
        return float(max(abs(c * x + s * y), abs(c * y - s * x))) < thing.outline_m

    def render(self, name: str, size_px: int = 224) -> Picture:
        """A square picture of `size_px` from the camera `name`, with its exact geometry."""
        return self._painter.picture(name, self._shoot(name, size_px))

    def depth(self, name: str, size_px: int = 224) -> Depth:
        """What a depth camera at the place of the camera `name` measures; the bare table is seen as well."""
        return self._painter.depth(name, self._shoot(name, size_px))

    def _shoot(self, name: str, size_px: int) -> Shot:
        """What the camera `name` sees; what did not move is not drawn again."""
        check_name("camera", name, scene.CAMERAS)
        if not 1 <= size_px <= 4096:
            raise ValueError(f"a picture is 1 to 4096 pixels wide, not {size_px}")
        if (name, size_px) in self._shots:
            return self._shots[name, size_px]
        camera = scene.CAMERAS[name]
        pose = self._hand_pose() @ camera.mount if camera.on_hand else self._appearance.pose_of(camera.mount)
        view = np.linalg.inv(pose @ np.diag([1.0, -1.0, -1.0, 1.0])).astype(np.float64)
        view_deg = float(np.degrees(camera.field_of_view_rad))
        projection = np.reshape(self._client.computeProjectionMatrixFOV(view_deg, 1.0, NEAR_M, FAR_M), (4, 4)).T
        rgba, buffer = self._draw((size_px, size_px), view, projection, shadow=int(self._detailed))
        lit = self._lit() if self._detailed else None
        shot = Shot(rgba, buffer, camera.intrinsics_px(size_px), pose, self.time_s, lit)
        self._shots[name, size_px] = shot
        return shot

    def _lit(self) -> Float:
        """How bright each cell of the table is; see `sim.shadows`."""
        light = self._appearance.light
        _, buffer = self._draw(shadows.SHAPE, shadows.light_view(light), shadows.light_projection(NEAR_M, FAR_M))
        return shadows.lit_share(light, metres(buffer))

    def _draw(
        self, shape: tuple[int, int], view: Float, projection: Float, *, shadow: int = 0
    ) -> tuple[NDArray[np.uint8], Float]:
        """(H, W, 4) and (H, W) what the renderer draws, and how deep."""
        height_px, width_px = shape
        drawn = self._client.getCameraImage(
            width_px,
            height_px,
            viewMatrix=view.T.ravel().tolist(),
            projectionMatrix=projection.T.ravel().tolist(),
            **self._appearance.light.options(),
            shadow=shadow,
            renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
        )
        rgba = np.asarray(drawn[2], dtype=np.uint8).reshape(height_px, width_px, 4)
        return rgba, np.reshape(drawn[3], (height_px, width_px))

    def finger_forces_n(self) -> Float:
        """(2,) how hard each finger presses on what it touches."""
        presses = [self._client.getContactPoints(bodyA=self._arm, linkIndexA=finger) for finger in self._fingers]
        return np.array([sum(point[9] for point in points) for points in presses])

    def contact_force_n(self) -> Float:
        """(3,) what everything that the hand and the fingers touch presses on them with, in the world's frame."""
        links = (self._hand, *self._fingers)
        points = [p for n in links for p in self._client.getContactPoints(bodyA=self._arm, linkIndexA=n)]
        # The normal points from the other body to the arm; friction acts along two more axes.
        pushes = [
            point[size] * np.array(point[axis]) for point in points for size, axis in ((9, 7), (10, 11), (12, 13))
        ]
        return np.sum(pushes, axis=0) if pushes else np.zeros(3)

    def _hand_pose(self) -> Float:
        state = self._client.getLinkState(self._arm, self._hand, computeForwardKinematics=True)
        pose = np.eye(4)
        pose[:3, :3] = np.reshape(self._client.getMatrixFromQuaternion(state[5]), (3, 3))
        pose[:3, 3] = state[4]
        return pose

    def close(self) -> None:
        """Free the physics client; closing twice is fine."""
        if self._client.isConnected():
            self._client.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _refuse_nonfinite(what: str, values: Float) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"the {what} is not finite: {np.asarray(values).tolist()}")
