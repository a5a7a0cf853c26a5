# SPDX-License-Identifier: Apache-2.0
"""All faults; those that need the same graph stand beside each other."""

from nodes.faults import kills

FAULTS = (*kills.FAULTS,)
