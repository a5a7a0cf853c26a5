# SPDX-License-Identifier: Apache-2.0
"""touch: bring the finger tips to one thing and to nothing else."""

from embodied.types import Float
from sim.tasks import Episode, SceneState, Task, register


@register
class Touch(Task):
    """Success: the target was touched and nothing else was."""

    name = "touch"
    verb = "touch"
    target_kinds = ("block", "bowl", "zone")

    def success(self, episode: Episode, state: SceneState) -> bool:
        return state.touched == {episode.name_of("target")}

    def score(self, episode: Episode, state: SceneState) -> float:
        if self.success(episode, state):
            return 1.0
        return 0.5 if episode.name_of("target") in state.touched else 0.0

    def goal_m(self, episode: Episode, state: SceneState) -> Float:
        return state.of(episode, "target").position_m  # it stays where it is
