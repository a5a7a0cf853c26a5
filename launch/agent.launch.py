# SPDX-License-Identifier: Apache-2.0
"""The agent, the gate in front of the arm, and the terminal's announcer: the part that every arm shares.

`sim.launch.py` and `real.launch.py` include this file and add what stands for the arm.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, RegisterEventHandler, SetEnvironmentVariable, Shutdown
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    """Arguments first, then the transport, then the nodes."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "arm",
                default_value="panda",
                description="The arm: a name that `embodied tasks` lists, or the path of a YAML file.",
            ),
            DeclareLaunchArgument(
                "cell",
                default_value="",
                description="YAML file of the arm's place: workspace, reach, keep_out, table_m; empty: the arm's own.",
            ),
            DeclareLaunchArgument(
                "joint_prefix",
                default_value="",
                description="What stands before the joints' names, as left_; empty: it is found where it can be.",
            ),
            DeclareLaunchArgument(
                "policy",
                default_value="palme",
                description="What decides: palme, colour_blob, or module:Class in the current folder.",
            ),
            DeclareLaunchArgument(
                "checkpoint",
                default_value="",
                description="Folder of the policy's checkpoint; empty: the one that is shipped.",
            ),
            DeclareLaunchArgument(
                "device",
                default_value="",
                description="Where the policy computes, as cpu or cuda; empty: the policy's own choice.",
            ),
            DeclareLaunchArgument(
                "policy_options", default_value="{}", description="Further options of the policy, a JSON object."
            ),
            DeclareLaunchArgument(
                "instruction",
                default_value="",
                description="What to tell the agent once the graph is ready; empty: nothing.",
            ),
            DeclareLaunchArgument(
                "exit_on_done",
                default_value="false",
                description="End the launch with the instruction: exit code 0 done, 1 refused or failed.",
                choices=["true", "false"],
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="true",
                description="Take the time from /clock, which the simulator publishes.",
                choices=["true", "false"],
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of all nodes and topics; empty: none."
            ),
            DeclareLaunchArgument(
                "params_file",
                default_value="",
                description="YAML file with parameters of the nodes; its values win over the arguments here.",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="info",
                description="What the nodes log.",
                choices=["debug", "info", "warn", "error", "fatal"],
            ),
            *transport(),
            OpaqueFunction(function=start),
        ]
    )


def transport() -> list[SetEnvironmentVariable]:
    """Pictures through shared memory, and nothing that listens outside of this machine."""
    import os

    from nodes.dds import use_local_transport

    # What the user set in the environment stays.
    wanted = dict(os.environ)
    use_local_transport(wanted)
    changed = {name: value for name, value in wanted.items() if os.environ.get(name) != value}
    return [SetEnvironmentVariable(name, value) for name, value in changed.items()]


def start(context: LaunchContext) -> list[Node | RegisterEventHandler]:
    """The nodes, once the arguments are known."""

    from nodes.launch_support import latch_file

    def given(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    def text(name: str) -> dict[str, ParameterValue]:
        return {name: ParameterValue(LaunchConfiguration(name), value_type=str)}

    if given("exit_on_done") == "true" and not given("instruction"):
        raise RuntimeError('exit_on_done:=true needs an instruction:="..." that can be done')
    use_sim_time = {"use_sim_time": given("use_sim_time") == "true"}
    params_file = [given("params_file")] if given("params_file") else []
    common = {
        "package": "embodied",
        "namespace": given("namespace"),
        "output": "screen",
        # Ctrl-C reaches a node when it can take it: Python that is half started would answer with a traceback.
        "prefix": "env --block-signal=INT",
        "ros_arguments": ["--log-level", given("log_level")],
    }
    # The supervisor starts the node again; should it die itself, the launch starts it.
    lasting = {"respawn": True, "respawn_delay": 0.5, **common}
    arm = text("arm") | text("cell")
    prefix = text("joint_prefix")
    policy = [text(name) for name in ("policy", "checkpoint", "device", "policy_options")]
    parameters = [use_sim_time, arm, prefix, *policy, *params_file]
    agent = Node(
        executable="supervise", arguments=["agent", "--bound"], exec_name="agent_node", parameters=parameters, **lasting
    )
    parameters = [use_sim_time, arm, prefix, {"latch_file": latch_file(given("namespace"))}, *params_file]
    gate = Node(
        executable="supervise", arguments=["gate", "--bound"], exec_name="gate_node", parameters=parameters, **lasting
    )
    announcer = Node(executable="announce_node", parameters=[text("instruction")], **common)
    reactions = [OnProcessExit(on_exit=give_up_on_user_error)]
    if given("exit_on_done") == "true":
        reactions.append(OnProcessExit(target_action=announcer, on_exit=end_with_the_instruction))
    return [*(RegisterEventHandler(reaction) for reaction in reactions), gate, agent, announcer]


def give_up_on_user_error(event: ProcessExited, context: LaunchContext) -> None:
    """End the launch, with exit code 1, when a node cannot run as configured."""
    from nodes.launch_support import USER_ERROR

    if event.returncode == USER_ERROR and not context.is_shutdown:
        raise RuntimeError(f"{event.process_name} cannot run as it was configured: see its error above")


def end_with_the_instruction(event: ProcessExited, context: LaunchContext) -> Shutdown:
    """End the launch; its exit code is 1 unless the instruction was done."""
    if event.returncode != 0 and not context.is_shutdown:
        raise RuntimeError("the instruction was not done: see its outcome above")
    return Shutdown(reason="the instruction is done")
