"""SIPp as a peer: scenarios are ladders in `sipp/`, put together from the messages in `sipp/parts/`.

`<!-- part NAME -->` in a scenario stands for the file of that name; SIPp itself knows no such thing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from tests.interop.network import MEDIA_PORTS, free_port, is_bound
from tests.interop.server import wait_for

SCENARIOS = Path(__file__).parent / "sipp"
TIMEOUT_S = 20
_PART = re.compile(r"[ \t]*<!-- part ([\w-]+) -->\n")

PASSWORDS = {"desk": "desk-secret", "dect": "dect-secret", "softphone": "softphone-secret"}


class Sipp:
    """One SIPp process with one scenario; `finish` expects that every call went as the scenario says."""

    def __init__(self, scenario: str, process: subprocess.Popen[bytes], trace: Path) -> None:
        self.scenario = scenario
        self.process = process
        self.trace = trace

    def finish(self, timeout_s: float = 2 * TIMEOUT_S) -> None:
        """Wait for the end of the scenario and see that all went well."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            code = None
        assert code == 0, f"SIPp {self.scenario} ended with {code}\n{self.report()}"

    def received(self) -> list[str]:
        """Every message that came, as SIPp wrote it down."""
        path = Path(f"{self.trace}.msg")
        trace = path.read_text(errors="replace") if path.exists() else ""
        return [
            part.strip()
            for part in re.findall(r"message received \[\d+\] bytes :\s+(.*?)\n-{40}", trace + "-" * 48, re.S)
        ]

    def request(self, method: str) -> str:
        """The first request of a method that came."""
        return next(message for message in self.received() if message.startswith(f"{method} "))

    def answered(self) -> list[str]:
        """Every 200 to an INVITE that came."""
        return [
            message
            for message in self.received()
            if message.startswith("SIP/2.0 200 ") and re.search(r"^CSeq: \d+ INVITE$", message, re.M)
        ]

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def report(self) -> str:
        """What SIPp says of its failure, and the end of what went over the wire."""
        texts = [
            path.read_text(errors="replace")[-limit:]
            for path, limit in ((Path(f"{self.trace}.err"), 2000), (Path(f"{self.trace}.msg"), 8000))
            if path.exists()
        ]
        return "\n".join(texts)


class SippRunner:
    """Starts SIPp processes towards one switch, and ends those that are left over."""

    def __init__(self, remote: tuple[str, int], directory: Path) -> None:
        self._remote = remote
        self._directory = directory
        self._numbers = count(remote[1] * 100)
        self._all: list[Sipp] = []

    def start(
        self,
        scenario: str,
        local: tuple[str, int],
        *arguments: str,
        user: str = "",
        to: str = "",
        password: str = "",
        calls: int = 1,
        trace: bool = True,
        timeout_s: int = TIMEOUT_S,
        keys: Mapping[str, str] | None = None,
    ) -> Sipp:
        """Start a scenario at an address: as `user`, calling `to`, so many `calls`; wait until it listens."""
        host, port = local
        path = self._directory / f"{next(self._numbers)}-{scenario}"
        known = {"user": user or "trunk", "local_ip": host, "remote_ip": self._remote[0], **(keys or {})}
        Path(f"{path}.xml").write_text(assemble(scenario, known))
        command = ["sipp", f"{self._remote[0]}:{self._remote[1]}", "-sf", f"{path}.xml"]
        command += ["-i", host, "-p", str(port), "-bind_local", "-mi", host]
        # Media has ports of its own: SIPp takes this one and the next even one, and ends if either is taken.
        command += ["-mp", str(free_port(host, MEDIA_PORTS))]
        command += ["-m", str(calls), "-nostdin", "-timeout", f"{timeout_s}s", "-timeout_error"]
        command += ["-s", to or "nobody", "-au", user, "-ap", password or PASSWORDS.get(user, "-")]
        command += ["-trace_err", "-error_file", f"{path}.err"]
        if trace:
            command += ["-trace_msg", "-message_file", f"{path}.msg"]
        with Path(f"{path}.out").open("wb") as out:
            process = subprocess.Popen(
                [*command, *arguments], cwd=self._directory, stdout=out, stderr=out, start_new_session=True
            )
        sipp = Sipp(scenario, process, path)
        self._all.append(sipp)
        wait_for(lambda: is_bound(host, port) or process.poll() is not None, f"SIPp on {host} port {port}")
        assert process.poll() in (None, 0), f"SIPp {scenario} did not start\n{sipp.report()}"
        return sipp

    def run(self, scenario: str, local: tuple[str, int], *arguments: str, **more: object) -> None:
        """Start a scenario and finish it."""
        self.start(scenario, local, *arguments, **more).finish()  # type: ignore[arg-type]

    def close(self) -> None:
        """End every process that still runs."""
        for sipp in self._all:
            sipp.stop()


def rows(message: str, name: str) -> list[str]:
    """Every value of a header field, one a row, of a message that SIPp wrote down."""
    return re.findall(rf"^{name}:[ \t]*(.*?)\s*$", message, re.M | re.I)


def assemble(scenario: str, keys: Mapping[str, str]) -> str:
    """A scenario as SIPp can read it, with `[key]` filled in: SIPp does so in messages only."""

    def part(match: re.Match[str]) -> str:
        return (SCENARIOS / "parts" / f"{match[1]}.xml").read_text()

    text = (SCENARIOS / f"{scenario}.xml").read_text()
    while _PART.search(text):
        text = _PART.sub(part, text)
    for name, value in keys.items():
        text = text.replace(f"[{name}]", value)
    return text
