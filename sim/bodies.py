# SPDX-License-Identifier: Apache-2.0
"""How PyBullet is told what a thing looks like, and what of it can be touched."""

from collections.abc import Sequence
from typing import Any

from embodied.things import Box, Cylinder, Mesh, Part, Shape, Sphere, Triple


def visual_of(client: Any, shape: Shape, rgb: Triple) -> int:
    """What is seen of a body; `client` is PyBullet's."""
    told = _geometry(client, shape) | {"rgbaColor": [*rgb, 1.0], "specularColor": [0, 0, 0]}
    return int(client.createVisualShape(**told))


def collision_of(client: Any, parts: Sequence[Part]) -> int:
    """The collision shape of some parts together; -1 of none."""
    if not parts:
        return -1
    told = [_geometry(client, part.shape, collision=True) for part in parts]
    places = [list(part.position_m) for part in parts]
    turns = [client.getQuaternionFromEuler(part.turn_rad) for part in parts]
    if len(parts) == 1:
        if any((*parts[0].position_m, *parts[0].turn_rad)):  # an offset of nothing makes a compound
            told[0] |= {"collisionFramePosition": places[0], "collisionFrameOrientation": turns[0]}
        return int(client.createCollisionShape(**told[0]))
    return int(
        client.createCollisionShapeArray(
            shapeTypes=[each["shapeType"] for each in told],
            radii=[each.get("radius", 0.0) for each in told],
            lengths=[each.get("height", 0.0) for each in told],
            halfExtents=[each.get("halfExtents", [0.0] * 3) for each in told],
            collisionFramePositions=places,
            collisionFrameOrientations=turns,
        )
    )


def _geometry(client: Any, shape: Shape, *, collision: bool = False) -> dict[str, Any]:
    if isinstance(shape, Box):
        return {"shapeType": client.GEOM_BOX, "halfExtents": [0.5 * side for side in shape.size_m]}
    if isinstance(shape, Cylinder):
        length = {"height" if collision else "length": shape.height_m}
        return {"shapeType": client.GEOM_CYLINDER, "radius": shape.radius_m} | length
    if isinstance(shape, Sphere):
        return {"shapeType": client.GEOM_SPHERE, "radius": shape.radius_m}
    assert isinstance(shape, Mesh), shape
    mesh = {"shapeType": client.GEOM_MESH, "meshScale": [shape.scale] * 3}
    if shape.file is not None:
        return mesh | {"fileName": str(shape.file)}
    vertices = [list(vertex) for vertex in shape.vertices_m]
    # Without triangles PyBullet takes the convex hull of the vertices.
    return mesh | {"vertices": vertices} | ({} if collision else {"indices": list(shape.triangles)})
