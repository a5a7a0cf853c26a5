# SPDX-License-Identifier: Apache-2.0
"""`ros2 pkg list | executables | prefix`."""

from __future__ import annotations

import argparse

from nodes.ros2.packages import executables, package_names, share_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments as of the real command."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="Output a list of available packages").set_defaults(run=_list)
    sub = verbs.add_parser("executables", help="Output a list of package specific executables")
    sub.add_argument("package_name")
    sub.set_defaults(run=_executables)
    sub = verbs.add_parser("prefix", help="Output the prefix path of a package")
    sub.add_argument("package_name")
    sub.add_argument("--share", action="store_true", help="Show the share directory instead")
    sub.set_defaults(run=_prefix)


def _list(options: argparse.Namespace) -> int:
    print(*package_names(), sep="\n")
    return 0


def _executables(options: argparse.Namespace) -> int:
    share_folder(options.package_name)
    print(*(f"{options.package_name} {name}" for name in sorted(executables(options.package_name))), sep="\n")
    return 0


def _prefix(options: argparse.Namespace) -> int:
    share = share_folder(options.package_name)
    print(share if options.share else share.parents[1] if share.parent.name == "share" else share)
    return 0
