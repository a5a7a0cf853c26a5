# SPDX-License-Identifier: Apache-2.0
"""Commands that need registries and gymnasium only; other rooms bring their own. One file a command.

A command's module has `main(arguments) -> exit code`, and its docstring's first line says what it does.
"""
