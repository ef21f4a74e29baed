"""The operator's socket: one question, one answer, and nothing a client does disturbs the switch."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from switch.net.operator import LONGEST, AlreadyRunning, OperatorError, OperatorListener, ask


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operator.sock"


class Switchboard:
    """Handlers, and what they were asked."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.go = asyncio.Event()
        self.handlers = {"ping": self.ping, "echo": self.echo, "refuse": self.refuse, "think": self.think}

    async def ping(self, _request: Mapping[str, Any]) -> str:
        return "pong"

    async def echo(self, request: Mapping[str, Any]) -> Any:
        self.asked.append(request)
        return request.get("value")

    async def refuse(self, _request: Mapping[str, Any]) -> Any:
        raise OperatorError("not today")

    async def think(self, _request: Mapping[str, Any]) -> str:
        await self.go.wait()
        return "42"


@pytest.fixture
async def board() -> Switchboard:
    return Switchboard()


@pytest.fixture
async def listener(board: Switchboard, path: Path) -> AsyncIterator[OperatorListener]:
    listener = OperatorListener(board.handlers)
    await listener.start(path)
    yield listener
    await listener.close()


async def exchange(path: Path, *lines: bytes) -> list[bytes]:
    """Raw lines in, raw answers out until the other side hangs up or the lines are answered."""
    reader, writer = await asyncio.open_unix_connection(path)
    answers = []
    for line in lines:
        writer.write(line)
        await writer.drain()
        answers.append(await asyncio.wait_for(reader.readline(), 2))
    writer.close()
    return answers


async def test_a_request_is_answered(listener: OperatorListener, board: Switchboard, path: Path) -> None:
    assert await ask(path, "echo", value={"a": [1, "é"]}) == {"a": [1, "é"]}
    assert board.asked == [{"do": "echo", "value": {"a": [1, "é"]}}]


async def test_a_refusal_is_told_in_its_own_words(listener: OperatorListener, path: Path) -> None:
    with pytest.raises(OperatorError, match="not today"):
        await ask(path, "refuse")


@pytest.mark.parametrize(
    "line", [b'{"do": "nothing"}\n', b"{}\n", b"[]\n", b"5\n", b"not json\n", b'{"do": []}\n', b"\xff\n"]
)
async def test_what_is_not_understood_is_answered_and_the_talk_goes_on(
    line: bytes, listener: OperatorListener, path: Path
) -> None:
    unknown, pong = await exchange(path, line, b'{"do": "ping"}\n')
    assert json.loads(unknown) == {"error": "unknown request"}
    assert json.loads(pong) == {"result": "pong"}


async def test_a_line_without_end_is_cut_off(listener: OperatorListener, path: Path) -> None:
    assert await exchange(path, b"x" * (LONGEST + 1)) == [b""]
    assert await ask(path, "ping") == "pong"


async def test_a_client_that_hangs_up_before_its_answer_disturbs_nobody(
    listener: OperatorListener, board: Switchboard, path: Path
) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"do": "think"}\n{"do": "echo", "value": 1}\n')
    await writer.drain()
    writer.transport.abort()
    board.go.set()
    assert await ask(path, "ping") == "pong"


async def test_text_that_is_no_utf_8_is_still_readable(listener: OperatorListener, path: Path) -> None:
    """A phone's name in Latin-1, as the parser hands it on."""
    assert await ask(path, "echo", value="Caf\udce9 é") == "Caf? é"


async def test_only_the_owner_may_ask(listener: OperatorListener, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_second_switch_is_told_of_the_first(listener: OperatorListener, path: Path) -> None:
    second = OperatorListener({})
    with pytest.raises(AlreadyRunning, match=str(path.parent)):
        await second.start(path)
    await second.close()
    assert await ask(path, "ping") == "pong"


async def test_a_socket_left_by_a_dead_switch_is_replaced(board: Switchboard, path: Path) -> None:
    dead = await asyncio.start_unix_server(lambda _reader, _writer: None, path)
    dead.close()
    assert path.is_socket()
    listener = OperatorListener(board.handlers)
    await listener.start(path)
    assert await ask(path, "ping") == "pong"
    await listener.close()


async def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(OSError, match="already in use"):
        await OperatorListener({}).start(path)
    assert path.read_text() == "precious"


async def test_close_hangs_up_on_everybody_and_removes_the_socket(board: Switchboard, path: Path) -> None:
    listener = OperatorListener(board.handlers)
    await listener.start(path)
    idle_reader, idle_writer = await asyncio.open_unix_connection(path)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"do": "think"}\n')
    await asyncio.sleep(0.01)
    await listener.close()
    assert await asyncio.wait_for(idle_reader.read(), 2) == b""
    assert await asyncio.wait_for(reader.read(), 2) == b""
    idle_writer.close()
    writer.close()
    assert not path.exists()


async def test_nobody_to_ask_is_said(path: Path) -> None:
    with pytest.raises(OperatorError, match=f"no switch is running at {path}"):
        await ask(path, "ping")


async def test_a_switch_that_hangs_up_without_an_answer_is_said(path: Path) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_unix_server(hang_up, path)
    with pytest.raises(OperatorError, match="does not answer"):
        await ask(path, "ping")
    server.close()
