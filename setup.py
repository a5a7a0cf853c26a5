# SPDX-License-Identifier: Apache-2.0
"""Build script for pip and for colcon.

Name, version, description, maintainer and licence are read from package.xml, so that they stand in one
place. They cannot stand in pyproject.toml: `colcon build --symlink-install` runs this file without it.
"""

import os
from glob import glob
from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent  # through colcon's symlink to this file
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()
NAME = MANIFEST.findtext("name")
MAINTAINER = MANIFEST.find("maintainer")

ROOMS = ("embodied", "sim", "policies", "nodes")
DATA_SUFFIXES = ("json", "md", "obj", "safetensors", "txt", "urdf", "xml", "yaml")
COMMANDS = sorted(path.stem for path in (ROOT / "embodied" / "commands").glob("*.py") if path.stem != "__init__")
NODES = sorted(path.stem for path in (ROOT / "nodes").glob("*_node.py"))

SCRIPTS = [
    "embodied = embodied.cli:main",
    *(f"{name} = nodes.process:main" for name in (*NODES, "supervise")),
]
if not os.environ.get("ROS_DISTRO"):  # a ROS installation has the real `ros2`
    SCRIPTS.append("ros2 = nodes.ros2.main:main")

# How our own rooms plug in: exactly as a stranger's package does.
PLUGS = {
    "embodied.commands": [
        *(f"{name} = embodied.commands.{name}:main" for name in COMMANDS),
        "tasks = sim.catalogue:main",
        "say = nodes.say:main",
        "ask = nodes.ask:main",
        "faults = nodes.faults.command:main",
        "soak = nodes.soak:main",
    ],
    "embodied.policies": [
        "palme = policies.palme:PalmePolicy",
        "oracle = policies.oracle:OraclePolicy",
        "random = policies.random:RandomPolicy",
        "colour_blob = policies.colour_blob:ColourBlobPolicy",
        "chunks = policies.chunks:ChunksPolicy",
    ],
    "embodied.environments": ["tabletop = sim"],
    "embodied.collectors": ["grounding = sim.grounding:main"],
    "embodied.runners": ["ros = nodes.ros_eval:GraphSession"],
}

EXTRAS = {
    # ROS 2 from PyPI: Linux on x86-64. A ROS installation brings its own.
    "ros": [
        *("ros-rclpy[fastrtps]", "ros-builtin-interfaces", "ros-rcl-interfaces", "ros-std-srvs"),
        *("ros-diagnostic-msgs", "ros-geometry-msgs", "ros-lifecycle-msgs", "ros-rosgraph-msgs", "ros-sensor-msgs"),
        *("ros-std-msgs", "ros-trajectory-msgs"),
    ],
    "data": ["av", "pyarrow"],
    "viz": ["matplotlib"],
    "train": ["accelerate", "tensorboard"],
    "test": [
        *("catkin-pkg", "colcon-common-extensions", "hypothesis", "import-linter", "mypy", "packaging", "pytest"),
        *("panda-gym", "pytest-timeout", "pytest-xdist", "ruff", "stable-baselines3", "tensorboard"),
        "setuptools<80",  # the last with the `develop` command that `colcon build --symlink-install` calls
    ],
}
EXTRAS["all"] = [need for extra in ("ros", "data", "viz", "train") for need in EXTRAS[extra]]

setup(
    name=NAME,
    version=MANIFEST.findtext("version"),
    description=MANIFEST.findtext("description"),
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    maintainer=MAINTAINER.text,
    maintainer_email=MAINTAINER.get("email"),
    license=MANIFEST.findtext("license"),
    python_requires=">=3.11",
    packages=find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)]),
    package_data={"": ["py.typed", "**/SHA256SUMS", *(f"**/*.{suffix}" for suffix in DATA_SUFFIXES)]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", sorted(glob("launch/*.launch.py"))),
    ],
    install_requires=[
        "gguf",  # the language model comes in this format
        "gymnasium>=1.0",
        "huggingface-hub",
        "numpy",
        "omegaconf>=2.3",
        "pillow",
        "pybullet",  # wheels for Python 3.11 and older only
        "pyyaml",
        "rich",
        "safetensors",
        "tokenizers",
        "torch>=2.6",
        "transformers>=5",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": SCRIPTS, **PLUGS},
    zip_safe=False,
)
