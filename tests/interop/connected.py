"""A switch that phones reach over connections, with a certificate of its own."""

from __future__ import annotations

from pathlib import Path

import trustme

from tests.interop.conftest import MakeServer
from tests.interop.network import free_port
from tests.interop.server import Server

HOST = "127.0.0.1"
"""Where baresip is, and so the name in the certificate."""


class Switch:
    """A switch that speaks every transport, with carrier and emergency gateways over TCP."""

    def __init__(self, make_server: MakeServer, directory: Path, **media: str) -> None:
        self.authority = trustme.CA()
        self.trust = directory / "trust.pem"
        self.authority.cert_pem.write_to_path(str(self.trust))
        files = {"certificate": directory / "switch.pem", "key": directory / "switch.key"}
        self._files = files
        self._issue(HOST)
        self.ports = {kind: free_port(HOST) for kind in ("udp", "tcp", "tls", "ws", "wss")}
        self.server: Server = make_server(
            sip={
                "domain": HOST,
                "listen": [
                    {"host": HOST, "port": port, "transport": kind} for kind, port in self.ports.items()
                ],
                "tls": {name: str(path) for name, path in files.items()},
            },
            media={"hosts": [{"host": HOST}], **media},
            trunk={"transport": "tcp"},
            gateway={"transport": "tcp"},
        )

    def _issue(self, name: str) -> None:
        issued = self.authority.issue_cert(name)
        issued.cert_chain_pems[0].write_to_path(str(self._files["certificate"]))
        issued.private_key_pem.write_to_path(str(self._files["key"]))

    def connections(self, transport: str) -> float:
        return self.server.metric(f'connections{{transport="{transport}"}}')
