# SPDX-License-Identifier: Apache-2.0
"""supervise: keeps one node alive, as its parent: `supervise gate --bound --nice 0 --ros-args ...`.

A node that dies is started again; one that was ready and gives no sign of life for 2 s hangs, and is killed
first. After 5 deaths without a good life in between, and where it ends with USER_ERROR, so does this process,
and with it the launch. No ROS and nothing heavy is imported: this process must be the last one to fail. With
`--bound` it ends with the process that started it, as with a launch that is killed.

Of a node that says which modules make it slow to start, a spare process stands by that has imported them.
"""

import contextlib
import ctypes
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import nodes
from nodes.dds import sweep
from nodes.launch_support import USER_ERROR
from nodes.notify import SPARE
from nodes.output import Output

HUNG_S = 2.0
"""Silence of a node that was ready, after which it is killed."""
START_S = 60.0
"""The same before it is ready: on a slow machine, importing a model's libraries stops everything else."""
ENDING_S = 2.0
"""What a node that is told to end may take."""
GOOD_LIFE_S = 5.0
"""A node that was ready for so long is not in a loop of deaths."""
DELAYS_S = (0.0, 0.5, 1.0, 2.0)
"""Before the node is started again, by the number of deaths in a row; one more, and it is given up."""
_LOOK_S = 0.1
_MOST_WORDS = 1 << 17
_STALL_S = 0.5
_PR_SET_PDEATHSIG = 1
_PRCTL = ctypes.CDLL(None).prctl
_STOP = (signal.SIGINT, signal.SIGTERM)


class Life:
    """One life of the node's process; with `spare` modules it imports these, and waits for `begin`."""

    def __init__(self, command: Sequence[str], nice: int, spare: str = "") -> None:
        self.modules = spare
        """Those that make it slow to start, as it says itself where it has to import them."""
        self.is_prepared = False
        """Whether it has imported them, and waits."""
        self.is_ready_since_s: float | None = None
        self.sign_s = time.monotonic()
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.setblocking(False)
        self.notices.bind("")  # Linux chooses a free abstract address
        parent = os.getpid()

        def prepare() -> None:
            # Should this process be killed, Linux ends the node, even one that hangs.
            _PRCTL(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
            if os.getppid() != parent:
                os._exit(0)
            os.nice(nice)

        told = {"NOTIFY_SOCKET": "@" + self.notices.getsockname()[1:].decode()}
        try:
            self.process = subprocess.Popen(
                command,
                env=os.environ | told | ({SPARE: spare} if spare else {}),
                stdin=subprocess.PIPE if spare else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A session of its own: signals of the terminal come through us alone, once.
                start_new_session=True,
                preexec_fn=prepare,
            )
        except BaseException:
            self.notices.close()
            raise

    def begin(self) -> bool:
        """Let one that stands by go on; False where it has died, or would be slower than a new one."""
        self.listen(time.monotonic())
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self.process.stdin as turn:
            if self.is_prepared:
                turn.write(b"\n")
        return self.is_prepared and self.process.poll() is None

    def listen(self, now_s: float) -> None:
        """Take the signs of life that have come."""
        with contextlib.suppress(BlockingIOError):
            while words := self.notices.recv(_MOST_WORDS).split(b"\n"):
                self.sign_s = now_s
                for word in words:
                    if word.startswith(b"X_MODULES="):
                        self.modules = f"{self.modules} {word.partition(b'=')[2].decode()}".strip()
                self.is_prepared |= b"X_PREPARED=1" in words
                if b"READY=1" in words and self.is_ready_since_s is None:
                    self.is_ready_since_s = now_s

    def hangs(self, now_s: float) -> bool:
        """Whether it has been silent for too long."""
        return now_s - self.sign_s > (START_S if self.is_ready_since_s is None else HUNG_S)

    def kill(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill and forget it."""
        self.kill()
        self.process.wait()
        for stream in (self.notices, self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Supervisor:
    """Runs a command, again and again; one thread, which never waits for anybody."""

    def __init__(self, name: str, command: Sequence[str], nice: int, *, bound: bool = False) -> None:
        self._name, self._command, self._nice = name, command, nice
        self._parent = os.getppid() if bound else None
        self._out, self._err = Output(1), Output(2)
        self._stop: list[signal.Signals] = []
        """The signals that told it to end, as they came."""
        self._deaths = 0
        self._spare: Life | None = None

    def run(self) -> int:
        """Keep the node alive; returns the exit code of this process."""
        ours, wake = socket.socketpair()
        for end in (ours, wake):
            end.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _STOP:
            signal.signal(number, self._on_signal)
        while True:
            sweep()
            code, why = self._live(ours)
            if self._stop or code == USER_ERROR:
                return self._end(code if code >= 0 else 128 - code)
            self._deaths += 1
            if self._deaths > len(DELAYS_S):
                words = self._err.last_line or "nothing"
                self._say(
                    f"error: {self._name} {why}, {self._deaths} times in a row, and is given up. Its last words: "
                    f"{words!r}. Mend what they name, then launch anew"
                )
                return self._end(USER_ERROR)
            delay_s = DELAYS_S[self._deaths - 1]
            self._say(f"{self._name} {why}: it is started again {f'in {delay_s:g} s' if delay_s else 'at once'}")
            if self._wait(ours, delay_s):
                return self._end(0)

    def _follow_parent(self) -> None:
        """End where nobody is left who could tell us to."""
        if self._parent not in (None, os.getppid()) and not self._stop:
            self._stop.append(signal.SIGTERM)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._stop.append(signal.Signals(number))

    def _live(self, ours: socket.socket) -> tuple[int, str]:
        """Start the node and stay with it to its end; returns the exit code, or minus the signal, and what it was."""
        life, self._spare = self._spare or self._born(), None
        if life.process.stdin is not None and not life.begin():
            life.close()
            life = self._born()
        process, why, told, looked_s, kill_s = life.process, "", 0, life.sign_s, float("inf")
        assert process.stdout is not None and process.stderr is not None
        pipes = {process.stdout.fileno(): self._out, process.stderr.fileno(): self._err}
        with selectors.DefaultSelector() as selector, life.notices, process.stdout, process.stderr:
            for source in (ours.fileno(), life.notices.fileno(), *pipes):
                selector.register(source, selectors.EVENT_READ)
            while process.poll() is None:
                ready = {key.fd for key, _ in selector.select(_LOOK_S)}
                for fd in ready & pipes.keys():
                    if not pipes[fd].pass_on(fd):
                        selector.unregister(fd)
                self._flush(ours)
                now_s = time.monotonic()
                life.listen(now_s)
                if now_s - looked_s > _STALL_S:
                    life.sign_s = now_s  # we were away ourselves: what is silent now may have spoken
                looked_s = now_s
                if life.is_ready_since_s is not None and now_s - life.is_ready_since_s > GOOD_LIFE_S:
                    self._deaths = 0
                self._look_after_spare(life)
                self._follow_parent()
                for number in self._stop[told:]:
                    if number not in self._stop[:told]:
                        process.send_signal(number)
                    kill_s = min(kill_s, now_s + ENDING_S)
                    told += 1
                if now_s > kill_s:
                    why = f"did not end in {ENDING_S:g} s and was killed"
                elif life.hangs(now_s):
                    why = f"gave no sign of life for {now_s - life.sign_s:.1f} s and was killed"
                if why:
                    life.kill()
                    process.wait()
            life.kill()  # what it started and left behind
            for fd, output in pipes.items():
                while select.select([fd], [], [], 0)[0] and output.pass_on(fd):
                    pass
        if not why:
            code = process.returncode
            why = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        elif self._stop:
            self._say(f"{self._name} {why}")
        return process.returncode, why

    def _born(self, spare: str = "") -> Life:
        # Held back until the node's process can take them.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        try:
            return Life(self._command, self._nice, spare)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)

    def _look_after_spare(self, life: Life) -> None:
        """One for a node that is ready and slow to start. One that cannot live is not tried again in this life."""
        if self._spare is not None and self._spare.process.poll() is not None:
            self._spare.close()
            self._spare, life.modules = None, ""
        if life.is_ready_since_s is None or not life.modules or self._spare or self._stop:
            return
        try:
            self._spare = self._born(life.modules)
        except (OSError, subprocess.SubprocessError) as error:
            self._say(f"{self._name} has no spare process: {error}")
            life.modules = ""

    def _wait(self, ours: socket.socket, delay_s: float) -> bool:
        """Wait before the next start; True if it was told to end."""
        end_s = time.monotonic() + delay_s
        while not self._stop and (left_s := end_s - time.monotonic()) > 0:
            select.select([ours], [], [], min(left_s, _LOOK_S))
            self._flush(ours)
            self._follow_parent()
        return bool(self._stop)

    def _flush(self, ours: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while ours.recv(4096):
                pass
        self._out.flush()
        self._err.flush()

    def _say(self, line: str) -> None:
        self._err.write(f"{line}\n".encode())

    def _end(self, code: int) -> int:
        """The last that can be shown is shown, if somebody reads; returns `code`."""
        if self._spare is not None:
            self._spare.close()
        end_s = time.monotonic() + 1.0
        while (self._out.flush() or self._err.flush()) and time.monotonic() < end_s:
            time.sleep(0.02)
        return code


def main() -> NoReturn:
    """Console entry point: `supervise <node without _node> [--bound] [--nice <0..19>] <the node's arguments>`."""
    name, *arguments = sys.argv[1:] or ["?"]
    path = Path(nodes.__file__).with_name(f"{name}_node.py")
    known = sorted(other.stem.removesuffix("_node") for other in path.parent.glob("*_node.py"))
    if name not in known:
        print(f"error: there is no node {name!r} to supervise; there are: {', '.join(known)}", file=sys.stderr)
        sys.exit(USER_ERROR)
    bound = arguments[:1] == ["--bound"]
    nice, arguments = 0, arguments[bound:]
    if arguments[:1] == ["--nice"]:
        if len(arguments) < 2 or not arguments[1].isdecimal():
            print("error: --nice is followed by a number from 0 to 19", file=sys.stderr)
            sys.exit(USER_ERROR)
        nice, arguments = int(arguments[1]), arguments[2:]
    # In a source tree that is not installed Python finds us in the current folder. Elsewhere nothing that lies
    # there may hide us.
    safe = [] if sys.path[0] == str(path.parent.parent) else ["-P"]
    command = [sys.executable, *safe, "-m", "nodes.process", f"nodes.{path.stem}", *arguments]
    # Without Python's own way out: nothing is left to be done, and a late signal could only disturb it.
    os._exit(Supervisor(path.stem, command, nice, bound=bound).run())
