# SPDX-License-Identifier: Apache-2.0
"""The arms that come with the project: one YAML file and its URDF an arm."""
