"""A phone's network behind a router that translates addresses: two network namespaces, the router and what is
behind it, tied to this machine by a link of their own.

Needs root and nft (Debian: nftables). Everything goes with `close`.
"""

from __future__ import annotations

import os
import random
import subprocess

_random = random.SystemRandom()

ROUTER_RULES = """
table ip nat {
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "public" masquerade fully-random
    }
}
"""
"""Every flow that leaves gets another port, and who was not asked for gets in on none."""


class Router:
    """`outside` is this machine's address on the link, `inside` that of a host behind the router."""

    def __init__(self) -> None:
        """Raises subprocess.CalledProcessError where namespaces or nft are not allowed."""
        net = f"10.{_random.randint(100, 250)}.{_random.randint(1, 250)}"
        self.outside, self.public, self.inside = f"{net}.1", f"{net}.2", "192.168.77.2"
        mark = f"{os.getpid() % 100_000:05}"
        self._router, self._lan, self._link = f"bs-router-{mark}", f"bs-lan-{mark}", f"bslink{mark}"
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    @property
    def within(self) -> tuple[str, ...]:
        """What a command is put behind to run in the network behind the router."""
        return ("ip", "netns", "exec", self._lan)

    def _build(self) -> None:
        for name in (self._router, self._lan):
            _ip("netns", "add", name)
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "public", "netns", self._router)
        _ip("address", "add", f"{self.outside}/30", "dev", self._link)
        _ip("link", "set", self._link, "up")
        pair = ("private", "type", "veth", "peer", "name", "lan", "netns", self._lan)
        self._in_router("ip", "link", "add", *pair)
        for device, address in (("public", f"{self.public}/30"), ("private", "192.168.77.1/24")):
            self._in_router("ip", "address", "add", address, "dev", device)
            self._in_router("ip", "link", "set", device, "up")
        self._in_router("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self._in_router("nft", "--file", "-", text=ROUTER_RULES)
        for command in (
            ("link", "set", "lo", "up"),
            ("address", "add", f"{self.inside}/24", "dev", "lan"),
            ("link", "set", "lan", "up"),
            ("route", "add", "default", "via", "192.168.77.1"),
        ):
            _run(*self.within, "ip", *command)

    def close(self) -> None:
        """Away with all of it."""
        for name in (self._lan, self._router):
            subprocess.run(["ip", "netns", "delete", name], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "delete", self._link], check=False, stderr=subprocess.DEVNULL)

    def _in_router(self, *command: str, text: str = "") -> None:
        _run("ip", "netns", "exec", self._router, *command, text=text)


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str, text: str = "") -> None:
    subprocess.run(command, check=True, input=text, text=True, capture_output=True)
