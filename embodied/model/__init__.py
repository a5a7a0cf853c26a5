# SPDX-License-Identifier: Apache-2.0
"""The PaLM-E core: one sentence of words and sensor tokens, read by a language model."""
