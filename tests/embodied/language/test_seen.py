# SPDX-License-Identifier: Apache-2.0
"""A scene in words."""

from embodied.language.seen import UNNAMED, Entity, square, told


def entity(colour: str, kind: str, x_m: float, y_m: float, on: int | None = None) -> Entity:
    return Entity(colour=colour, kind=kind, place_m=(x_m, y_m), on=on)


def test_things_are_told_from_left_to_right_with_what_is_in_and_on_them_behind_them() -> None:
    scene = (
        entity("green", "bowl", 0.61, 0.2),
        entity("red", "block", 0.4, -0.2),
        entity("white", "block", 0.62, 0.21, on=0),
        entity("blue", "block", 0.62, 0.19, on=0),
        entity("black", "block", 0.4, -0.2, on=1),
        entity(UNNAMED, "ball", 0.4, -0.2, on=4),
        entity("purple", "zone", 0.5, 0.0),
    )
    words = "red block a2, black block on red block, other ball on black block, purple zone e4, green bowl i6"
    assert told(scene) == f"{words}, blue block in green bowl, white block in green bowl"
    assert told(scene[::-1][:1]) == "purple zone e4" and told(()) == "nothing"


def test_letters_go_to_the_right_and_digits_to_the_camera() -> None:
    assert [square((0.4, y))[0] for y in (-0.23, -0.081, -0.079, 0.079, 0.081, 0.23)] == [*"acdfgi"]
    assert [square((x, 0.0))[1] for x in (0.36, 0.449, 0.499, 0.501, 0.64)] == [*"12346"]
    assert square((9.0, -9.0)) == "a6" and square((-9.0, 9.0)) == "i1"
