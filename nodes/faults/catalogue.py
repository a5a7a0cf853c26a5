# SPDX-License-Identifier: Apache-2.0
"""All faults; those that need the same graph stand beside each other."""

from nodes.faults import camera, kills, loss, rogue, stop, words

FAULTS = (*words.FAULTS, *stop.FAULTS, *rogue.FAULTS, *kills.FAULTS, *camera.FAULTS, *loss.FAULTS)
