"""Keys from a terminal, one by one as they are pressed: the terminal's mode, and bytes to names of keys."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import termios
from collections.abc import Callable
from types import TracebackType
from typing import Any

ESCAPE_S = 0.05
"""After so long an escape is the key itself, and not the begin of another one."""

GONE = "gone"
"""The key that stands for a terminal that is no more."""

_NAMES = {
    **{f"\x1b{start}{end}": name for start in "[O" for end, name in
       {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}.items()},
    **{f"\x1b[{number}~": name for number, name in
       {1: "home", 4: "end", 5: "pgup", 6: "pgdn", 7: "home", 8: "end"}.items()},
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\x08": "backspace",
}  # fmt: skip


class Decoder:
    """Bytes to keys: printable characters are their own name, others are in `_NAMES`, the rest is dropped. A
    key may come in pieces."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("ignore")
        self._begun = ""

    @property
    def waits(self) -> bool:
        """Whether an escape came and nothing that ends it."""
        return bool(self._begun)

    def feed(self, data: bytes) -> list[str]:
        """The keys that are complete now."""
        keys = []
        for one in self._utf8.decode(data):
            if one == "\x1b":
                keys += self.flush()
                self._begun = one
            elif self._begun:
                self._begun += one
                if not self._goes_on():
                    keys += [_NAMES[self._begun]] if self._begun in _NAMES else []
                    self._begun = ""
            elif one in _NAMES:
                keys.append(_NAMES[one])
            elif one.isprintable():
                keys.append(one)
        return keys

    def flush(self) -> list[str]:
        """No more came: a lone escape is a key."""
        begun, self._begun = self._begun, ""
        return ["esc"] if begun == "\x1b" else []

    def _goes_on(self) -> bool:
        """Whether what has begun is no whole sequence yet (ECMA-48 section 5.4): ESC [ up to a final byte,
        ESC O and one more, ESC and anything else."""
        if len(self._begun) == 2:
            return self._begun[1] in "[O"
        return self._begun[1] == "[" and not "@" <= self._begun[-1] <= "~" and len(self._begun) < 16


class Keyboard:
    """A terminal whose keys come at once and unseen, until the end of the `with` block; then it is as it was.

    Ctrl-C still interrupts; Ctrl-Z does nothing, as it would leave a screen that is not the shell's.
    `on_key` is called in the event loop, with `GONE` when the terminal goes away.
    """

    def __init__(self, descriptor: int, on_key: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._on_key = on_key
        self._decoder = Decoder()
        self._before: list[Any] = []
        self._late: asyncio.TimerHandle | None = None

    def __enter__(self) -> Keyboard:
        self._before = termios.tcgetattr(self._descriptor)
        mode = termios.tcgetattr(self._descriptor)
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        mode[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._descriptor, termios.TCSANOW, mode)
        asyncio.get_running_loop().add_reader(self._descriptor, self._readable)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        if self._late is not None:
            self._late.cancel()
        with contextlib.suppress(termios.error):  # the terminal may be gone
            # What was typed and not read is none of the shell's business.
            termios.tcsetattr(self._descriptor, termios.TCSAFLUSH, self._before)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, 1024)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._on_key(GONE)
            return
        if self._late is not None:
            self._late.cancel()
        self._tell(self._decoder.feed(data))
        if self._decoder.waits:
            self._late = asyncio.get_running_loop().call_later(ESCAPE_S, self._flush)

    def _flush(self) -> None:
        self._tell(self._decoder.flush())

    def _tell(self, keys: list[str]) -> None:
        for key in keys:
            self._on_key(key)
