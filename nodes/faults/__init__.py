# SPDX-License-Identifier: Apache-2.0
"""Faults that are put into a running graph, and what the arm is told and does then."""
