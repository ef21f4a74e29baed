"""The next tariff version by the consumer price index: new = old x new index / old index (R-IDX-01).

The file of the last version is copied with its comments; only amounts that are prices change, each rounded
half-up to the decimals that it is written with, cents at least. Special numbers, in a file of their own, are
not indexed: their prices are set by whoever offers them, under legal maxima. Caps, bundles and VAT are no
prices.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from rating.fault import Fault
from rating.loader import load

_AMOUNT = r"[0-9]+(?:\.[0-9]{1,4})?"
_PRICE = re.compile(rf"""(\b(?!label\b|prices_of\b)[\w-]+["']?\s*=\s*)(["'])({_AMOUNT})\2""")
_NAMES = ("label", "prices_of")
"""The texts of a plan or option that are no prices, whatever they look like."""
_TABLE = re.compile(r"\s*\[\s*([\w-]+)")
_INDEX = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_VERSION = re.compile(r"""^([ \t]*["']?version["']?[ \t]*=[ \t]*)(["']).*?\2""", re.MULTILINE)
_FROM = re.compile(r"""^([ \t]*["']?valid_from["']?[ \t]*=[ \t]*)[0-9-]+""", re.MULTILINE)
_UNTIL = re.compile(r"""^[ \t]*["']?valid_until["']?[ \t]*=.*\n""", re.MULTILINE)


class Unfit(Exception):
    """There can be no such version; `faults` say why."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = faults


def indexed(config_dir: Path, cpi_old: str, cpi_new: str, valid_from: date) -> tuple[str, str]:
    """Name and text of the version that follows the last one of a configuration folder.

    Raises:
        Unfit: an index is none, the day is not after that of the last version, or what comes out has faults.
    """
    loaded = load(config_dir)
    if loaded.book is None:
        raise Unfit(*loaded.faults)
    last = loaded.book.tariffs[-1]
    if valid_from <= last.valid_from:
        raise Unfit(Fault("--from", 0, f"must be after {last.valid_from}, when {last.version} began"))
    for name, text in (("--cpi-old", cpi_old), ("--cpi-new", cpi_new)):
        if not _INDEX.fullmatch(text) or not Decimal(text):
            raise Unfit(Fault(name, 0, f"must be an index like 133.00, not {text}"))
    source = _file_of(config_dir, last.valid_from)
    taken = {tariff.version for tariff in loaded.book.tariffs}
    version = f"{valid_from:%Y-%m}"
    if version in taken or valid_from.day != 1:
        version = valid_from.isoformat()
    old, new = Decimal(cpi_old), Decimal(cpi_new)
    before = source.read_text(encoding="utf-8-sig")
    after = _indexed_text(before, old, new)
    after = _VERSION.sub(rf'\g<1>"{version}"', after, count=1)
    after = _UNTIL.sub("", _FROM.sub(rf"\g<1>{valid_from.isoformat()}", after, count=1))
    name = f"tariffs/{valid_from.isoformat()}.toml"
    _check(config_dir, name, after)
    missed = _missed(tomllib.loads(before), tomllib.loads(after), old, new)
    if faults := [Fault(f"tariffs/{source.name}", 0, one) for one in missed]:
        raise Unfit(*faults)
    return name, after


def _file_of(config_dir: Path, valid_from: date) -> Path:
    """The file of the version that begins on a day; there is one, since it has been loaded."""
    return next(
        path
        for path in sorted((config_dir / "tariffs").glob("*.toml"))
        if tomllib.loads(path.read_text(encoding="utf-8-sig")).get("valid_from") == valid_from
    )


def _indexed_text(text: str, cpi_old: Decimal, cpi_new: Decimal) -> str:
    """Every price of a tariff file raised; tables of caps, and what stands before any table, stay."""
    table, lines = "", []
    for line in text.splitlines(keepends=True):
        if header := _TABLE.match(line):
            table = header[1]
        if table in ("plan", "option"):
            code, hash_sign, comment = line.partition("#")
            code = _PRICE.sub(lambda found: f'{found[1]}"{_raised(found[3], cpi_old, cpi_new)}"', code)
            line = code + hash_sign + comment
        lines.append(line)
    return "".join(lines)


def _missed(
    before: Mapping[str, Any], after: Mapping[str, Any], cpi_old: Decimal, cpi_new: Decimal, path: str = ""
) -> Iterator[str]:
    """Prices that are valid TOML but written so that the text of the file did not give them away."""
    for key, value in before.items():
        name = f"{path}.{key}" if path else key
        if not path and key not in ("plan", "option"):
            continue
        if isinstance(value, dict):
            yield from _missed(value, after[key], cpi_old, cpi_new, name)
        elif isinstance(value, str) and re.fullmatch(_AMOUNT, value):
            named = name.count(".") == 2 and key in _NAMES
            if after[key] != (value if named else _raised(value, cpi_old, cpi_new)):
                yield f'{name}: must be written as {key} = "{value}" to be indexed'


def _raised(amount: str, cpi_old: Decimal, cpi_new: Decimal) -> str:
    decimals = max(2, len(amount.partition(".")[2]))
    return str((Decimal(amount) * cpi_new / cpi_old).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP))


def _check(config_dir: Path, name: str, text: str) -> None:
    """The folder with the new file in it must load. Raises Unfit."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder)
        for part in ("tariffs", "numbering"):
            shutil.copytree(config_dir / part, trial / part)
        (trial / name).write_text(text, encoding="utf-8")
        loaded = load(trial)
    if loaded.book is None:
        raise Unfit(*loaded.faults)
