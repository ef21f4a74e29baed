"""baresip as a phone: a configuration without sound card, one account, commands at start."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

from tests.interop.network import free_port
from tests.interop.server import wait_for

HOST = "127.0.0.1"
"""Its media socket is bound to no address, so that loopback gives it this one."""


class Baresip:
    """A baresip process registered as one line."""

    def __init__(self, directory: Path, server: tuple[str, int], user: str, *commands: str) -> None:
        directory.mkdir()
        self.log = directory / "baresip.log"
        (directory / "config").write_text(_config())
        (directory / "contacts").write_text("")
        domain = f"{server[0]}:{server[1]}"
        (directory / "accounts").write_text(
            f"<sip:{user}@{domain}>;auth_user={user};auth_pass={user}-secret;regint=60;answermode=auto;"
            "audio_codecs=PCMA\n"
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

    def hang_up(self) -> None:
        """End its calls and its registration, as at quitting."""
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


def _config() -> str:
    rtp = free_port(HOST)
    lines = [
        f"sip_listen {HOST}:{free_port(HOST)}",
        f"net_interface {HOST}",
        f"rtp_ports {rtp}-{rtp + 20}",
        "audio_source ausine,440",
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
    return "\n".join(["module_path /usr/lib/baresip/modules", *lines]) + "\n"
