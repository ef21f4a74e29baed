"""baresip as a phone, or as an emergency centre that answers with a tone and keeps what it hears: a
configuration without sound card, one account, commands at start."""

from __future__ import annotations

import re
import signal
import subprocess
import wave
from pathlib import Path

from tests.interop.network import free_port
from tests.interop.server import wait_for

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
    ) -> None:
        directory.mkdir()
        self.log = directory / "baresip.log"
        self._recordings = directory / "recordings"
        self._recordings.mkdir()
        recorder = [] if at is None else ["module sndfile.so", f"snd_path {self._recordings}"]
        config = [*_config(at or (HOST, free_port(HOST)), tone_hz), *recorder]
        (directory / "config").write_text("\n".join(config) + "\n")
        (directory / "contacts").write_text("")
        domain, proof = f"{server[0]}:{server[1]}", f"auth_user={user};auth_pass={user}-secret;regint=60"
        codecs = "PCMA"
        if at is not None:
            domain, proof, codecs = f"{at[0]}:{at[1]}", "regint=0", "PCMA,PCMU"
        (directory / "accounts").write_text(
            f"<sip:{user}@{domain}>;{proof};answermode=auto;audio_codecs={codecs}\n"
        )
        arguments = [argument for command in commands for argument in ("-e", command)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["baresip", "-4", "-f", str(directory), *arguments],
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

    def text(self) -> str:
        """All it has said."""
        return self.log.read_text(errors="replace")

    def heard(self) -> bytes:
        """What it has heard as a centre, unsigned 8 bits a sample as pyVoIP has them, once the call is
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


def _config(listen: tuple[str, int], tone_hz: int) -> list[str]:
    rtp = free_port(HOST)
    lines = [
        f"sip_listen {listen[0]}:{listen[1]}",
        f"net_interface {HOST}",
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
