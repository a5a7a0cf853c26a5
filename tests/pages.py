# SPDX-License-Identifier: Apache-2.0
"""The pages of the documentation, taken apart for the tests that compare them with the code."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
LAWS = sorted((ROOT / "tests" / "laws").glob("*.py"))
LAUNCH_FILES = ("agent.launch.py", "sim.launch.py", "real.launch.py")
GATE_NODE, AGENT_NODE = ROOT / "nodes" / "gate_node.py", ROOT / "nodes" / "agent_node.py"


@dataclass(frozen=True)
class Block:
    """A block of code and the heading that it stands under."""

    language: str
    text: str
    heading: str


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def parts_of(path: Path) -> tuple[str, tuple[Block, ...], tuple[str, ...]]:
    """The prose of a page, its blocks of code, and its headings."""
    prose, blocks, headings = [], [], [""]
    lines = iter(read(path).splitlines())
    for line in lines:
        if line.startswith("```"):
            code = []
            for inner in lines:
                if inner.startswith("```"):
                    break
                code.append(inner)
            blocks.append(Block(line[3:].strip(), "\n".join(code), headings[-1]))
            continue
        if line.startswith("#"):
            headings.append(line.lstrip("#").strip())
        prose.append(line)
    return "\n".join(prose), tuple(blocks), tuple(headings[1:])


def slug(heading: str) -> str:
    """The anchor that a heading has on the usual hosts."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def tables(path: Path) -> Iterator[list[list[str]]]:
    """The tables of a page, as rows of cells; the first row is the header."""
    table: list[list[str]] = []
    for line in [*parts_of(path)[0].splitlines(), ""]:
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            table += [] if set("".join(cells)) <= set("-: ") else [cells]
        elif table:
            yield table
            table = []


def rows(path: Path, *header: str) -> list[list[str]]:
    """The rows of every table whose header begins with these words."""
    return [row for table in tables(path) if table[0][: len(header)] == list(header) for row in table[1:]]


def bare(cell: str) -> str:
    return cell.strip("`")


def launch_arguments(file: str) -> list[tuple[str, str, str]]:
    """Name, default and meaning of the arguments that a launch file declares itself."""
    found = []
    for node in ast.walk(ast.parse(read(ROOT / "launch" / file))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "DeclareLaunchArgument":
            given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
            choices = f" One of {', '.join(given['choices'])}." if "choices" in given else ""
            name = ast.literal_eval(node.args[0])
            found.append((name, given["default_value"], given["description"] + choices))
    return found


def parameters_on_the_page(node: str) -> list[str]:
    """Names in the table of parameters that follows the node's name on the page of the graph."""
    text = read(DOCS / "graph.md").partition(f"\n`{node}`:\n\n")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
