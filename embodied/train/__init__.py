# SPDX-License-Identifier: Apache-2.0
"""Recipes: one readable script per training job."""
