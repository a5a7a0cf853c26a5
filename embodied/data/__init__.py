# SPDX-License-Identifier: Apache-2.0
"""Episodes on disk, in the layout of LeRobot datasets, version 3.0."""
