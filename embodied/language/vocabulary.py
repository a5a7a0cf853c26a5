# SPDX-License-Identifier: Apache-2.0
"""Words that no single thing or verb owns: colours, and relations between places."""

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
OTHER_COLOURS = ("pink", "brown", "grey", "turquoise", "golden", "silver", "cyan", "magenta", "beige")
"""Colours that a plan may name and that nothing on this table has: what bears them is never seen."""

RELATIONS = ("left of", "right of", "in front of", "behind")
"""As seen in the picture of the front camera: in front of = nearer to the camera."""

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
"""Numbers by their words."""
