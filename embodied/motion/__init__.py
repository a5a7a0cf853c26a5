# SPDX-License-Identifier: Apache-2.0
"""From what the hand should do to a timed joint motion: for any arm, without a simulator, without torch."""
