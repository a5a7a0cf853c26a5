# SPDX-License-Identifier: Apache-2.0
"""The canonical words: what a plan may name, and what an image token may be called."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
OTHER_COLOURS = ("pink", "brown", "grey", "turquoise", "golden", "silver", "cyan", "magenta", "beige")
"""Colours that a plan may name and that nothing on this table has: what bears them is never seen."""

KINDS = ("block", "bowl", "zone")
"""A block is a 4 cm cube; a bowl is a shallow round dish; a zone is a flat coloured square."""

RELATIONS = ("left of", "right of", "in front of", "behind")
"""As seen in the picture of the front camera: in front of = nearer to the camera."""
