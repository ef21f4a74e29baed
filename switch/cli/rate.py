"""`belswitch rate`: what a call would cost, by the very function that a call on the wire is charged by.

Questions come from options or, a JSON object a line, from a file; every answer is one JSON object or a table.
Amounts are euros excluding VAT with four decimals, as text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from switch.cli.common import (
    FAILED,
    MISUSED,
    ConfigOption,
    JsonOption,
    console,
    fail,
    fail_with_faults,
    load_config,
    print_json,
)

if TYPE_CHECKING:
    from rating.tariff import TariffBook

KEYS = {"plan", "options", "to", "at", "seconds", "bundle_left_s", "cap_left"}
STDIN = "-"
MOST_S = 366 * 86_400
"""No call is asked about that lasts longer than a year."""


class Unclear(Exception):
    """A question that cannot be answered; the message says what is allowed."""


def rate(
    plan: Annotated[str | None, typer.Option(help="The plan, as the tariff names it: classic.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="An option of the plan.")] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="What is dialled.")] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The answer, ISO 8601: local time in Belgium, or with an offset."),
    ] = None,
    seconds: Annotated[int | None, typer.Option(help="How long is talked.")] = None,
    bundle_left: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="Left in the month of the first second; by default all of it."),
    ] = None,
    cap_left: Annotated[
        str | None,
        typer.Option(metavar="EUR", help="May still be charged, VAT included; by default anything."),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Questions, one JSON object a line, answered one a line in order; '-' for standard input."
            " Keys: plan, options, to, at, seconds, bundle_left_s, cap_left.",
        ),
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Tell what a call would cost, without placing it.

    A month begun during the call starts with its full bundle. A call that would be refused is answered with
    the reason; a question that makes no sense ends with exit code 2, or 1 in a batch.
    """
    directory, settings = load_config(config)
    desk = _Desk(tariff_book(directory), settings.calls.max_s)
    if batch is not None:
        with _questions(batch) as lines:
            raise typer.Exit(FAILED if _answer_all(desk, lines) else 0)
    given = {"plan": plan, "to": to, "at": at, "seconds": seconds}
    if missing := [f"--{name}" for name, value in given.items() if value is None]:
        fail(f"{', '.join(missing)}: needed, unless there is a --batch", MISUSED)
    question = {**given, "options": option or [], "bundle_left_s": bundle_left, "cap_left": cap_left}
    try:
        answer = desk.answer({key: value for key, value in question.items() if value is not None})
    except Unclear as error:
        fail(str(error), MISUSED)
    if json:
        print_json(answer)
        return
    from switch.cli.tables import rate_report

    console().print(rate_report(answer))


def tariff_book(directory: Path) -> TariffBook:
    """The tariffs of a configuration; their faults end the command."""
    from rating.loader import load

    loaded = load(directory)
    if loaded.book is None:
        fail_with_faults([str(fault) for fault in loaded.faults])
    return loaded.book


def _questions(batch: str) -> BinaryIO:
    """The lines of a batch as bytes: one that is no text must not stop the others."""
    if batch == STDIN:
        return sys.stdin.buffer
    try:
        return Path(batch).open("rb")
    except OSError as error:
        fail(f"{batch}: {error.strerror}", MISUSED)


def _answer_all(desk: _Desk, lines: Iterable[bytes]) -> int:
    """Answer every line that is not blank; how many made no sense."""
    unclear = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            answer = desk.answer(_parsed(line))
        except Unclear as error:
            answer, unclear = {"error": str(error)}, unclear + 1
        print(json.dumps(answer))
    return unclear


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        question = json.loads(line, parse_float=str)  # an amount must not pass through binary fractions
    except (ValueError, RecursionError) as error:
        raise Unclear(f"not JSON: {error}") from error
    if not isinstance(question, dict):
        raise Unclear("not a JSON object")
    return {key: value for key, value in question.items() if value is not None}


class _Desk:
    """Answers questions by one tariff book; `limit_s` is when any call is cut (R-LIM-01)."""

    def __init__(self, book: TariffBook, limit_s: int) -> None:
        self._book = book
        self._limit_s = limit_s

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """One answer. Raises Unclear."""
        from rating.whatif import Question, what_if
        from switch.routing.numbers import normalise

        if unknown := sorted(question.keys() - KEYS):
            raise Unclear(f"{', '.join(unknown)}: not known; there are {', '.join(sorted(KEYS))}")
        dialled, options = _text(question, "to"), question.get("options", [])
        if not isinstance(options, list) or not all(isinstance(one, str) for one in options):
            raise Unclear("options: must be a list of texts")
        classify = self._book.destinations.classify
        number = normalise(dialled)
        destination = classify(dialled) or (classify(number) if number is not None else None)
        if destination is None:
            return {
                "refused": "bad-number" if number is None else "no-destination",
                "number": number or dialled,
            }
        facts = {"number": destination.number, "zone": destination.cls.value, "row": destination.price}
        answer = what_if(
            self._book,
            Question(
                plan=_text(question, "plan"),
                options=tuple(options),
                destination=destination,
                wall_ns=instant_ns(_text(question, "at")),
                seconds=_count(question, "seconds"),
                bundle_left_s=_count(question, "bundle_left_s") if "bundle_left_s" in question else None,
                cap_left=_amount(question["cap_left"]) if "cap_left" in question else None,
                limit_s=self._limit_s,
            ),
        )
        return {"refused": answer, **facts} if isinstance(answer, str) else {**_shown(answer), **facts}


def _shown(answer: Any) -> dict[str, Any]:
    from rating.money import show

    charge = answer.charge
    return {
        "charge": show(charge.amount),
        "setup": show(charge.setup),
        "seconds": charge.seconds,
        "segments": [
            {
                "start": segment.start_s,
                "seconds": segment.seconds,
                "per_minute": show(segment.per_minute),
                "source": segment.source.value,
                "period": "peak" if segment.peak else "off-peak",
                "month": segment.month,
                "tariff": segment.version,
            }
            for segment in charge.segments
        ],
        "bundle_used_s": charge.bundle_s,
        "allowed_s": answer.allowed_s,
        "tariff": answer.version,
    }


def _text(question: Mapping[str, Any], key: str) -> str:
    value = question.get(key)
    if not isinstance(value, str) or not value:
        raise Unclear(f"{key}: {'is missing' if value is None else 'must be a text'}")
    return value


def _count(question: Mapping[str, Any], key: str) -> int:
    value = question.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_S:
        raise Unclear(f"{key}: {'is missing' if value is None else f'must be a whole number, 0-{MOST_S}'}")
    return value


def _amount(value: Any) -> int:
    from rating.money import parse

    try:
        return parse(str(value) if isinstance(value, str | int) and not isinstance(value, bool) else "")
    except ValueError:
        raise Unclear('cap_left: must be an amount in euros like "20.00"') from None


def instant_ns(text: str) -> int:
    """UTC nanoseconds of an ISO 8601 date and time; without an offset it is local time in Belgium."""
    from rating.calendar import BRUSSELS, NS_PER_S

    try:
        when = datetime.fromisoformat(text)
        when = when if when.tzinfo is not None else when.replace(tzinfo=BRUSSELS)
        return int(when.timestamp()) * NS_PER_S
    except (ValueError, OverflowError):
        raise Unclear(f"at: must be like 2026-11-24T15:59:30, not {text!r}") from None
