"""`belswitch top` as operators have it: a process on a terminal of its own, and a switch that answers."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from switch.net.operator import OperatorError, OperatorListener
from tests.switch.cli.conftest import Command
from tests.switch.cli.test_live import ask
from tests.switch.cli.test_top_model import SUMS, WELL, call
from tests.switch.cli.test_trace import MESSAGES
from tests.switch.net.support import until
from tests.switch.test_app import Site

PATIENCE_S = 20
STATUS = {**WELL, "calls": 2, "answered": 2, "bindings": 7, "queued": 0, "sums": SUMS}
START = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C is an interrupt
from switch.cli import main
main()
"""
_HOME, _STYLE = b"\x1b[H", re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Operator:
    """Answers as a switch with two calls would."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls = [call("c1", since_ms=1000), call("c2", since_ms=2000, called="+442071234567")]
        self.asked: list[str] = []
        self.status: Mapping[str, Any] = STATUS
        self._listener: OperatorListener

    async def start(self) -> None:
        self._listener = OperatorListener(
            {"status": self._status, "calls": self._calls, "trace": self._trace, "end": self._end}
        )
        await self._listener.start(self.path)

    async def stop(self) -> None:
        await self._listener.close()

    async def _status(self, _request: Mapping[str, Any]) -> Any:
        self.asked.append("status")
        return self.status

    async def _calls(self, _request: Mapping[str, Any]) -> Any:
        return self.calls

    async def _trace(self, request: Mapping[str, Any]) -> Any:
        self.asked.append(f"trace {request['calls']}")
        return MESSAGES

    async def _end(self, request: Mapping[str, Any]) -> Any:
        if request["call_id"] == "c2":
            raise OperatorError("no call c2 is running")
        self.calls = [one for one in self.calls if one["call_id"] != request["call_id"]]
        return request["call_id"]


class Terminal:
    """A terminal of 80 by 24 and a `belswitch top` on it."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._slave)
        self.output = b""
        self.high = 24
        self.process: asyncio.subprocess.Process

    async def start(self, directory: Path, first: str = "") -> None:
        """Run it; `first` is what Python does before."""
        environ = {**os.environ, "BELSWITCH_CONFIG": str(directory), "TERM": "xterm"}
        for name in ("COLUMNS", "LINES", "NO_COLOR"):
            environ.pop(name, None)
        command = [sys.executable, "-c", first + START, "top", "--every", "0.2"]
        self.process = await asyncio.create_subprocess_exec(
            *command,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=environ,
            start_new_session=True,
        )
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def _readable(self) -> None:
        self.output += os.read(self._master, 65_536)

    @property
    def rows(self) -> list[str]:
        """The last picture that is whole."""
        for frame in reversed(self.output.split(_HOME)):
            rows = _STYLE.sub("", frame.decode("utf-8", "replace")).split("\r\n")
            if len(rows) == self.high:
                return [row.rstrip() for row in rows]
        return []

    async def shows(self, wanted: str | Callable[[], object]) -> None:
        """Wait until this is to be seen."""
        seen = wanted if callable(wanted) else lambda: wanted in "\n".join(self.rows)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not seen():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError("\n".join([f"not to be seen: {wanted}", *self.rows])) from None

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, wide: int, high: int) -> None:
        self.high = high
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", high, wide, 0, 0))

    async def ended(self) -> int:
        """Its exit code; by then the terminal is as it was."""
        async with asyncio.timeout(PATIENCE_S):
            code = await self.process.wait()
        assert termios.tcgetattr(self._slave) == self.before
        await until(lambda: self._last_is(b"\x1b[?1049l", b"\x1b[?1049h"))  # the shell's screen
        await until(lambda: self._last_is(b"\x1b[?25h", b"\x1b[?25l"))  # with a cursor
        return code

    def _last_is(self, one: bytes, other: bytes) -> bool:
        return self.output.rfind(one) > self.output.rfind(other) >= 0

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest_asyncio.fixture
async def operator(directory: Path) -> AsyncIterator[Operator]:
    (directory.parent / "data").mkdir()
    operator = Operator(directory.parent / "data" / "belswitch.sock")
    await operator.start()
    yield operator
    await operator.stop()


@pytest_asyncio.fixture
async def terminal(operator: Operator, directory: Path) -> AsyncIterator[Terminal]:
    """One that shows the two calls."""
    terminal = Terminal()
    await terminal.start(directory)
    await terminal.shows("2 of 2 shown")
    yield terminal
    await terminal.close()


async def test_keys_select_filter_trace_and_end_calls(terminal: Terminal, operator: Operator) -> None:
    assert terminal.rows[0] == "belswitch  ready  not strained  journal: 0 waiting"
    assert "+212612345678" in terminal.rows[7]
    await terminal.shows("a second: calls 0.0")
    operator.status = {**STATUS, "trunks": {"carrier": "down"}}
    await terminal.shows("ALARM trunk carrier down")

    terminal.type("/+44\r")
    await terminal.shows("1 of 2 shown, with +44")
    terminal.type("\x1b")
    await terminal.shows("2 of 2 shown, by since")

    terminal.type("\x1b[Bt")
    await terminal.shows("180 Ringing (INVITE)")
    assert terminal.rows[0] == "trace of c2  1-3 of 3"
    assert terminal.rows[1].split()[0] == "switch"
    assert "trace ['c2']" in operator.asked
    terminal.type("q")

    terminal.type("x")
    await terminal.shows("end +3216234567 to +442071234567? y ends it")
    terminal.type("y")
    await terminal.shows("no call c2 is running")
    terminal.type("kx")
    await terminal.shows("end +3216234567 to +212612345678?")
    terminal.type("y")
    await terminal.shows("1 of 1 shown")
    assert [one["call_id"] for one in operator.calls] == ["c2"]

    terminal.type("q")
    assert await terminal.ended() == 0


async def test_paused_it_asks_nothing(terminal: Terminal, operator: Operator) -> None:
    terminal.type("p")
    await terminal.shows("PAUSED")
    await asyncio.sleep(0.3)
    operator.asked.clear()
    await asyncio.sleep(0.6)
    assert operator.asked == []
    terminal.type("p")
    await until(lambda: operator.asked)


async def test_a_terminal_of_another_size_is_filled(terminal: Terminal) -> None:
    terminal.resize(140, 40)
    await terminal.shows(lambda: terminal.rows and "trunk" in terminal.rows[6])


async def test_a_switch_that_goes_away_is_waited_for(terminal: Terminal, operator: Operator) -> None:
    await operator.stop()
    await terminal.shows("no switch is running at")
    await terminal.shows("trying again")
    await operator.start()
    await terminal.shows("2 of 2 shown")
    terminal.type("q")
    assert await terminal.ended() == 0


@pytest.mark.parametrize("end", ["ctrl-c", "term", "hang up"])
async def test_however_it_ends_the_terminal_is_as_it_was(end: str, terminal: Terminal) -> None:
    if end == "ctrl-c":
        terminal.type("\x03")
    else:
        terminal.process.send_signal(signal.SIGTERM if end == "term" else signal.SIGHUP)
    assert await terminal.ended() == 0


async def test_a_fault_is_told_on_a_terminal_that_is_as_it_was(
    terminal: Terminal, operator: Operator
) -> None:
    operator.calls = [{"call_id": "c1"}]
    assert await terminal.ended() == 1
    await until(lambda: b"KeyError" in terminal.output.rpartition(b"\x1b[?1049l")[2])


async def test_a_fault_in_a_key_is_too(operator: Operator, directory: Path) -> None:
    terminal = Terminal()
    await terminal.start(directory, "import switch.cli.top_model; switch.cli.top_model.press = None")
    try:
        await terminal.shows("2 of 2 shown")
        terminal.type("j")
        assert await terminal.ended() == 1
        await until(lambda: b"TypeError" in terminal.output.rpartition(b"\x1b[?1049l")[2])
    finally:
        await terminal.close()


async def test_without_a_terminal_it_is_one_picture(operator: Operator, belswitch: Command) -> None:
    for arguments in ([], ["--once"]):
        result = await ask(belswitch, "top", *arguments)
        assert (result.exit_code, result.stderr) == (0, "")
        assert "calls 2, answered 2, registrations 7" in result.stdout
        assert "+442071234567" in result.stdout
        assert "\x1b" not in result.stdout
    assert operator.asked == ["status", "status"]


def test_without_a_switch_one_picture_fails(belswitch: Command, directory: Path) -> None:
    result = belswitch("top", "--once")
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"no switch is running at {directory.parent / 'data' / 'belswitch.sock'}" in result.stderr
    assert belswitch("top", "--every", "0").exit_code == 2


async def test_with_a_real_switch(directory: Path) -> None:
    """A call is seen, its trace is, and after x and y both sides are hung up."""
    site, terminal = Site(directory), Terminal()
    await site.open()
    await site.app.start()
    try:
        await terminal.start(directory)
        await terminal.shows("0 of 0 shown")
        ok, _ = await site.call("seen")
        assert ok.start.startswith("SIP/2.0 200")
        await terminal.shows("+3216234567  +32478123456")
        terminal.type("t")
        await terminal.shows("200 OK (INVITE)")
        terminal.type("qx")
        await terminal.shows("end +3216234567 to +32478123456?")
        terminal.type("y")
        await site.hung_up(site.phone)
        await site.hung_up(site.carrier)
        await terminal.shows("0 of 0 shown")
        terminal.type("q")
        assert await terminal.ended() == 0
    finally:
        await terminal.close()
        await site.close()
