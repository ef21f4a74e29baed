"""Lines of keys, against documents in which the place of every key is plain to see."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.config.keys import Key, key_lines
from switch.config.loader import default_config_dir

TRICKY = '''\
# [not.a.table]
title = "a # no comment, [no] table = here"

[sip]   # with a comment
"quoted key" = 1
'literal.key' = 1
dotted . inner.deep = 1.5
text = """
[still.text]
key = "nothing"
\\""" quotes ""\\" """
raw = \'\'\'
[still] = 'text\'\'\'\'
last = 1979-05-27T07:32:00-08:00

[[sip.listen]]
port = 1
[[sip.listen]]
port = 2
[sip.listen.inner]
deep = true
[[sip.listen.more]]
x = 1
[[sip.listen.more]]
x = 2

[other]
array = [ 1, 2,
  # between
  { a = 1, b = [ 3,
    4 ] },
  "],",
]
inline = { c = { d = "}" }, e = -0.5 }
after = 1
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("title",), 2),
        (("sip",), 4),
        (("sip", "quoted key"), 5),
        (("sip", "literal.key"), 6),
        (("sip", "dotted", "inner", "deep"), 7),
        (("sip", "text"), 8),
        (("sip", "raw"), 12),
        (("sip", "last"), 14),
        (("sip", "listen"), 16),
        (("sip", "listen", 0), 16),
        (("sip", "listen", 0, "port"), 17),
        (("sip", "listen", 1), 18),
        (("sip", "listen", 1, "port"), 19),
        (("sip", "listen", 1, "inner", "deep"), 21),
        (("sip", "listen", 1, "more", 0, "x"), 23),
        (("sip", "listen", 1, "more", 1, "x"), 25),
        (("other", "array", 0), 28),
        (("other", "array", 2), 30),
        (("other", "array", 2, "a"), 30),
        (("other", "array", 2, "b", 1), 31),
        (("other", "array", 3), 32),
        (("other", "inline", "c", "d"), 34),
        (("other", "inline", "e"), 34),
        (("other", "after"), 35),
    ],
)
def test_every_key_has_its_line(key: Key, line: int) -> None:
    assert key_lines(TRICKY)[key] == line


def test_nothing_but_the_keys_of_the_document_is_found() -> None:
    assert set(key_lines(TRICKY)) == set(_keys(tomllib.loads(TRICKY), ()))


def test_windows_line_ends_count_once() -> None:
    assert key_lines('a = """\r\n\r\n"""\r\nb = 1\r\n') == {("a",): 1, ("b",): 4}


@pytest.mark.parametrize("name", ["switch.toml", "trunks.toml", "lab/lines.toml"])
def test_the_files_that_come_along_are_scanned_whole(name: str) -> None:
    text = (default_config_dir() / name).read_text(encoding="utf-8")
    lines = text.splitlines()
    found = key_lines(text)
    assert set(found) == set(_keys(tomllib.loads(text), ()))
    for key, line in found.items():
        names = [part for part in key if isinstance(part, str)]
        assert names[-1] in lines[line - 1], key


@given(st.text(alphabet="ab.=[]{}\"'#, \n1\\-", max_size=40))
def test_whatever_tomllib_takes_is_scanned_alike(text: str) -> None:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(key_lines(text)) == set(_keys(document, ()))


def _keys(value: Any, path: Key) -> Iterator[Key]:
    if path:
        yield path
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _keys(below, (*path, name))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _keys(below, (*path, index))
