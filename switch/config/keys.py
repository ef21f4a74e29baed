"""On which line of a TOML 1.0 document each key stands: `tomllib` tells values, not places.

The text must have been accepted by `tomllib`; the scan relies on it and looks at structure only.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

Key = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      (?P<newline> \n )
    | (?P<blank>   [ \t]+ | \#[^\n]* )
    | (?P<mark>    [\[\]{}=,.] )
    | (?P<text>    \"{3} (?: \\. | (?!\"{3}) . )* \"{3,5}
                 | '{3} (?: (?!'{3}) . )* '{3,5}
                 | " (?: \\. | [^"\\] )* "
                 | ' [^']* '
                 | [^\s\[\]{}=,.#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)


def key_lines(text: str) -> Mapping[Key, int]:
    """The line, from 1, of every table, key and array entry; entries of arrays are counted from 0."""
    return _Scan(text.replace("\r\n", "\n")).document()


class _Scan:
    """One pass over the tokens. `_kind`, `_token`, `_line` are the one at hand; `_kind` is "" at the end."""

    __slots__ = ("_counts", "_kind", "_line", "_lines", "_token", "_tokens")

    def __init__(self, text: str) -> None:
        self._lines: dict[Key, int] = {}
        self._counts: dict[Key, int] = {}
        self._tokens = self._tokenise(text)
        self._next()

    @staticmethod
    def _tokenise(text: str) -> Iterator[tuple[str, str, int]]:
        line = 1
        for match in _TOKEN.finditer(text):
            if match.lastgroup != "blank":
                yield str(match.lastgroup), match[0], line
            line += match[0].count("\n")
        yield "", "", line

    def _next(self) -> None:
        self._kind, self._token, self._line = next(self._tokens, ("", "", 0))

    def _take(self, token: str) -> bool:
        """Step over `token` if it is at hand."""
        found = self._kind == "mark" and self._token == token
        if found:
            self._next()
        return found

    def _note(self, path: Key, line: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], line)

    def document(self) -> Mapping[Key, int]:
        table: Key = ()
        while self._kind:
            if self._kind == "newline":
                self._next()
            elif self._take("["):
                table = self._header()
            else:
                self._pair(table)
        return self._lines

    def _header(self) -> Key:
        line = self._line
        of_array = self._take("[")
        path: Key = ()
        *parents, last = self._keys()
        for key in parents:
            path = self._entry((*path, key))
        path = (*path, last)
        if of_array:
            self._counts[path] = self._counts.get(path, 0) + 1
        path = self._entry(path)
        self._note(path, line)
        while self._take("]"):
            pass
        return path

    def _entry(self, path: Key) -> Key:
        """The path itself, or the latest entry where it is an array of tables."""
        count = self._counts.get(path, 0)
        return (*path, count - 1) if count else path

    def _keys(self) -> list[str]:
        keys = []
        while self._kind == "text":
            keys.append(next(iter(tomllib.loads(f"{self._token} = 0"))))
            self._next()
            self._take(".")
        return keys

    def _pair(self, table: Key) -> None:
        line = self._line
        path = (*table, *self._keys())
        self._note(path, line)
        self._take("=")
        self._value(path)

    def _value(self, path: Key) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while not self._take("}"):
                self._pair(path)
                self._take(",")
        else:
            while self._kind == "text" or (self._kind == "mark" and self._token == "."):
                self._next()

    def _array(self, path: Key) -> None:
        index = 0
        while not self._take("]"):
            if self._kind == "newline" or self._token == ",":
                self._next()
                continue
            self._note((*path, index), self._line)
            self._value((*path, index))
            index += 1
