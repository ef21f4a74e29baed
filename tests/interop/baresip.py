"""baresip as a phone, or as an emergency centre that answers with a tone and keeps what it hears: a
configuration without sound card, one account, commands at start and later."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import wave
from pathlib import Path

from tests.interop.network import free_port
from tests.interop.server import wait_for

_SAY = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5) as control:
    control.sendall(sys.argv[3].encode())
    control.recv(1)
"""
"""What says a netstring to a host and port: a namespace has a loopback of its own."""

HOST = "127.0.0.1"
"""Its media socket is bound to no address, so that loopback gives it this one."""


class Baresip:
    """A baresip process registered as one line; with `at`, an address, not registered but a centre there.

    As a centre it needs digits in the Request-URI and SDP alone in the body: it takes no URN, and bodies of
    several parts in answers only.
    """

    def __init__(
        self,
        directory: Path,
        server: tuple[str, int],
        user: str,
        *commands: str,
        at: tuple[str, int] | None = None,
        tone_hz: int = 440,
        transport: str = "udp",
        trust: Path | None = None,
        encryption: str = "",
        record: bool = False,
        host: str = HOST,
        within: tuple[str, ...] = (),
    ) -> None:
        """`trust` is a certificate file; `encryption` one of its kinds of media encryption; with `record` a
        phone keeps what it hears, too. Its own address is `host`; it may run `within` a network namespace."""
        directory.mkdir()
        self.log = directory / "baresip.log"
        self._recordings = directory / "recordings"
        self._recordings.mkdir()
        recorder = [] if at is None and not record else ["module sndfile.so", f"snd_path {self._recordings}"]
        self._control = HOST, free_port(HOST)
        control = [f"ctrl_tcp_listen {HOST}:{self._control[1]}", "module_app ctrl_tcp.so"]
        self._within = within
        config = [*_config(at or (host, free_port(HOST)), tone_hz, host), *control, *recorder]
        (directory / "contacts").write_text("")
        if trust is not None:
            config += [f"sip_cafile {trust}", f"sip_capath {directory}"]
        domain, proof = (
            f"{server[0]}:{server[1]};transport={transport}",
            f"auth_user={user};auth_pass={user}-secret;regint=60",
        )
        if encryption:
            config.append("module srtp.so")
            proof = f"{proof};mediaenc={encryption}"
        codecs = "PCMA"
        if at is not None:
            domain, proof, codecs = f"{at[0]}:{at[1]}", "regint=0", "PCMA,PCMU"
        (directory / "config").write_text("\n".join(config) + "\n")
        (directory / "accounts").write_text(
            f"<sip:{user}@{domain}>;{proof};answermode=auto;audio_codecs={codecs}\n"
        )
        arguments = [argument for command in commands for argument in ("-e", command)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*within, "baresip", "-4", "-s", "-f", str(directory), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def says(self, pattern: str, timeout_s: float = 15.0) -> None:
        """Wait for words on its screen."""
        try:
            wait_for(
                lambda: re.search(pattern, self.text()) is not None, f"{pattern!r} from baresip", timeout_s
            )
        except TimeoutError as error:
            raise AssertionError(f"{error}:\n{self.text()}") from None

    def command(self, name: str, params: str = "") -> None:
        """Have it carry out a command of its menu: JSON in a netstring (its module ctrl_tcp). What comes of
        it is seen on its screen."""
        order = json.dumps({"command": name, "params": params, "token": name})
        if self._within:
            netstring = f"{len(order)}:{order},"
            say = [*self._within, sys.executable, "-c", _SAY, *map(str, self._control), netstring]
            subprocess.run(say, check=True, timeout=10)
            return
        with socket.create_connection(self._control, timeout=5) as control:
            control.sendall(f"{len(order)}:{order},".encode())
            answer = b""
            while b'"token"' not in answer:  # events of its calls come the same way, without one
                received = control.recv(65_535)
                assert received, answer
                answer += received

    def dialogs(self) -> list[tuple[str, str, str]]:
        """Call-ID, the switch's tag and its own of every call that it made and that was answered, in their
        order."""
        answers = re.findall(r"SIP/2\.0 200 .*\n(?:.+\n)*?CSeq: \d+ INVITE\n", self.text())
        found = [
            (
                _param(r"Call-ID: (\S+)", one),
                _param(r"To: .*tag=(\S+)", one),
                _param(r"From: .*tag=(\S+)", one),
            )
            for one in answers
        ]
        return list(dict.fromkeys(found))

    def text(self) -> str:
        """All it has said, and every SIP message that it saw."""
        return self.log.read_text(errors="replace")

    def heard(self) -> bytes:
        """What it has heard, unsigned 8 bits a sample as pyVoIP has them, once the call is
        over."""
        (path,) = self._recordings.glob("*dec.wav")
        with wave.open(str(path)) as file:
            samples = file.readframes(file.getnframes())  # 16 bits, signed, the low byte first
        return bytes(high ^ 0x80 for high in samples[1::2])

    def hang_up(self) -> None:
        """End its calls and its registration, as at quitting."""
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def _param(pattern: str, message: str) -> str:
    match = re.search(pattern, message)
    assert match is not None, message
    return match[1]


def _config(listen: tuple[str, int], tone_hz: int, host: str) -> list[str]:
    rtp = free_port(HOST)
    lines = [
        f"sip_listen {listen[0]}:{listen[1]}",
        f"net_interface {host}",
        f"rtp_ports {rtp}-{rtp + 20}",
        f"audio_source ausine,{tone_hz}",
        "audio_player aufile,/dev/null",
        "audio_alert aufile,/dev/null",
        "ausrc_srate 48000",
        "ausrc_channels 2",
        "ausrc_format s16",
        "auplay_format s16",
        "call_local_timeout 120",
        *(f"module {name}.so" for name in ("g711", "ausine", "aufile")),
        *(f"module_app {name}.so" for name in ("account", "contact", "menu")),
    ]
    return ["module_path /usr/lib/baresip/modules", *lines]
