# SPDX-License-Identifier: Apache-2.0
"""The launch stand-in with real processes, in a package of its own."""

import ast
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAUNCH = ("-m", "nodes.ros2.main", "launch", "demo", "x.launch.py")
WORKER = f"""#!{sys.executable}
import pathlib, signal, subprocess, sys, time
if "slow" in sys.argv:
    signal.signal(signal.SIGINT, lambda *_: (time.sleep(0.5), sys.exit(0)))
if "deaf" in sys.argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if "parent" in sys.argv:
    print("child", subprocess.Popen(["sleep", "600"]).pid, flush=True)
print("args", sys.argv[1:], flush=True)
print("oops", file=sys.stderr, flush=True)
if sys.argv[1].isdigit():
    sys.exit(int(sys.argv[1]))
if sys.argv[1] == "chatty":
    said = pathlib.Path(sys.argv[2])
    for count in range(1_000_000):
        print("x" * 1000, flush=True)
        print("y" * 1000, file=sys.stderr, flush=True)
        said.write_text(str(count))
time.sleep(600)
"""
HEADER = """
from launch import LaunchDescription
from launch.actions import *
from launch.event_handlers import OnProcessExit
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, SetRemap
from launch_ros.parameter_descriptions import ParameterValue

def worker(*arguments, **more):
    return Node(package="demo", executable="worker", arguments=arguments, output="screen", **more)

def generate_launch_description():
"""


@pytest.fixture
def write(ros, tmp_path):
    """Writes a launch file into the package `demo`, which has one executable."""
    script = tmp_path / "lib" / "demo" / "worker"
    script.parent.mkdir(parents=True)
    script.write_text(WORKER)
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    folder = tmp_path / "share" / "demo" / "launch"
    folder.mkdir(parents=True)
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "demo").touch()

    def write_launch_file(body):
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        header = HEADER.replace("import *", "import DeclareLaunchArgument, OpaqueFunction, "
                                "RegisterEventHandler, SetEnvironmentVariable, Shutdown")  # fmt: skip
        (folder / "x.launch.py").write_text(header + lines)

    ros.env["AMENT_PREFIX_PATH"] = str(tmp_path)
    yield write_launch_file
    del ros.env["AMENT_PREFIX_PATH"]


@pytest.fixture
def demo(ros, write):
    """Writes a launch file and launches it."""

    def launch(body, *arguments):
        write(body)
        return ros.start(*LAUNCH, *arguments)

    return launch


def pid_of(process, name, *, after=0):
    line = process.lines[process.wait_for(f"[{name}]: process started with pid [", after=after) - 1]
    return int(line.split("[")[-1].rstrip("]"))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_lines_carry_the_name_of_their_process_and_the_launch_ends_with_the_last(demo):
    process = demo("return LaunchDescription([worker('0'), worker('0', 'x y')])")
    assert process.wait() == 0
    assert any(line.startswith("[worker-1] args ['0'") for line in process.lines)
    assert any(line.startswith("[worker-2] args ['0', 'x y'") for line in process.lines)
    assert "[worker-1] oops" in process.lines
    assert any("[INFO] [worker-2]: process has finished cleanly [pid " in line for line in process.lines)


def test_arguments_parameters_names_and_remappings_reach_the_command_line(demo):
    body = (
        "return LaunchDescription([\n"
        "    DeclareLaunchArgument('words', default_value='none', description='x'),\n"
        "    DeclareLaunchArgument('count', default_value='3', description='x'),\n"
        "    SetRemap('a', ['b', '/c']),\n"
        "    worker('0', name='n', namespace='left', ros_arguments=['--log-level', 'debug'], parameters=[{\n"
        "        'words': ParameterValue(LaunchConfiguration('words'), value_type=str),\n"
        "        'count': LaunchConfiguration('count')}]),\n"
        "])"
    )
    process = demo(body, "words:=true: \"yes\" 'no' ü")
    assert process.wait() == 0
    line = next(line for line in process.lines if "args" in line)
    assert ast.literal_eval(line.split("args ")[1]) == [
        "0", "--ros-args", "--log-level", "debug", "-r", "__node:=n", "-r", "__ns:=/left",
        "-p", 'words:="true: \\"yes\\" \'no\' ü"', "-p", "count:=3", "-r", "a:=b/c",
    ]  # fmt: skip


def test_a_killed_process_is_started_again_and_ctrl_c_leaves_nothing_behind(demo):
    process = demo("return LaunchDescription([worker('parent', respawn=True, respawn_delay=0.1)])")
    first = pid_of(process, "worker-1")
    process.wait_for("args")
    os.kill(first, signal.SIGKILL)
    died = process.wait_for(f"process has died [pid {first}, exit code -9")
    second = pid_of(process, "worker-1", after=died)
    process.wait_for("args", after=died)
    children = [int(line.split()[-1]) for line in process.lines if "] child " in line]
    assert len(children) == 2
    process.send(signal.SIGINT)
    assert process.wait() == 0
    assert "[WARNING] [launch]: user interrupted with ctrl-c (SIGINT)" in process.lines
    assert "[INFO] [worker-1]: sending signal 'SIGINT' to process[worker-1]" in process.lines
    assert [pid for pid in (first, second, *children) if alive(pid)] == []


def test_a_process_that_ignores_ctrl_c_is_ended_all_the_same(demo):
    process = demo("return LaunchDescription([worker('deaf')])")
    pid = pid_of(process, "worker-1")
    process.wait_for("args")
    process.send(signal.SIGINT)
    assert process.wait() == 0
    assert "escalating to 'SIGTERM'" in process.text
    assert not alive(pid)


def test_ctrl_c_again_and_again_leaves_neither_a_process_nor_a_traceback(demo):
    process = demo("return LaunchDescription([worker('parent', 'slow', respawn=True), worker('x', 'slow')])")
    pids = [pid_of(process, name) for name in ("worker-1", "worker-2")]
    process.wait_for("[worker-1] args")
    process.wait_for("[worker-2] args")
    pids += [int(line.split()[-1]) for line in process.lines if "] child " in line]
    assert len(pids) == 3
    while alive(process.pid):  # to its very end, where an interrupt would find no loop to take it
        process.send(signal.SIGINT)
        time.sleep(0.02)
    assert process.wait() == 0
    assert "[WARNING] [launch]: user interrupted with ctrl-c (SIGINT) again, ignoring..." in process.lines
    assert "Traceback" not in process.text
    assert "KeyboardInterrupt" not in process.text
    assert [pid for pid in pids if alive(pid)] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_launch_whose_reader_has_gone_goes_on_and_ends_on_a_signal(ros, write, tmp_path, wait_until, number):
    said = tmp_path / "said"
    write(f"return LaunchDescription([worker('chatty', {str(said)!r})])")
    # As in a shell: `ros2 launch ... 2>&1 | head`.
    launch = subprocess.Popen(
        [sys.executable, *LAUNCH],
        env=ros.env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        line = next(line for line in launch.stdout if b"process started with pid [" in line)
        pid = int(line.split(b"[")[-1].rstrip(b"]\n"))
        launch.stdout.close()
        # More than the pipes hold: the process does not wait for a reader.
        wait_until(lambda: said.exists() and int(said.read_text() or 0) > 1000)
        launch.send_signal(number)
        assert launch.wait(60.0) == 0
        assert not alive(pid)
    finally:
        launch.kill()
        launch.wait()


@pytest.mark.usefixtures("write")
def test_run_becomes_the_executable(ros):
    assert ros.run("run", "demo", "worker", "3", "--help") == (3, "args ['3', '--help']\noops")
    process = ros.ros2("run", "demo", "worker", "slow")
    process.wait_for("args")
    for _ in range(3):
        process.send(signal.SIGINT)
    assert process.wait() == 0
    assert not alive(process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="a service of the Linux kernel")
def test_the_processes_end_even_if_the_launch_is_killed(demo, wait_until):
    process = demo("return LaunchDescription([worker('x')])")
    pid = pid_of(process, "worker-1")
    process.wait_for("args")
    process.send(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    wait_until(lambda: not alive(pid))


def test_shutdown_ends_the_others_with_exit_code_0(demo):
    body = (
        "first = worker('0')\n"
        "end = OnProcessExit(target_action=first, on_exit=[Shutdown(reason='done')])\n"
        "return LaunchDescription([RegisterEventHandler(end), worker('x', respawn=True), first])"
    )
    process = demo(body)
    assert process.wait() == 0
    pid = pid_of(process, "worker-1")
    assert not alive(pid)


def test_an_error_in_a_reaction_ends_the_launch_with_exit_code_1(demo):
    body = (
        "def react(event, context):\n"
        "    raise RuntimeError(f'{event.process_name} ended with {event.returncode}')\n"
        "return LaunchDescription([RegisterEventHandler(OnProcessExit(on_exit=react)), worker('3')])"
    )
    process = demo(body, "-d")
    assert process.wait() == 1
    assert "Traceback (most recent call last):" in process.lines
    assert (
        "[ERROR] [launch]: Caught exception in launch (see debug for traceback): worker-1 ended with 3" in process.lines
    )


def test_an_unknown_executable_starts_nothing(demo):
    process = demo("return LaunchDescription([Node(package='demo', executable='wrker')])")
    assert process.wait() == 1
    assert "Did you mean 'worker'?" in process.text
    assert "process started" not in process.text


def test_a_class_that_the_stand_in_lacks_is_named(demo):
    process = demo("from launch.actions import TimerAction")
    assert process.wait() == 1
    assert "no 'TimerAction'" in process.text
    assert "Traceback" not in process.text
