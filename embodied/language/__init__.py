# SPDX-License-Identifier: Apache-2.0
"""Words: what a command may be, and the closed language of plans that the agent writes before it moves."""
