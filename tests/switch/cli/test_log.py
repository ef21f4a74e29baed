from __future__ import annotations

import io
import json
import logging

from switch.cli.log import open_log


def test_json_is_an_object_a_line() -> None:
    stream = io.StringIO()
    log = open_log("info", "json", stream)
    log.info("call", call_id="c1", status=200)
    log.debug("not this one")
    facts = json.loads(stream.getvalue())
    assert (facts["event"], facts["call_id"], facts["status"], facts["level"]) == ("call", "c1", 200, "info")
    assert facts["timestamp"].endswith("Z")


def test_console_is_for_people_and_uncoloured_in_a_file() -> None:
    stream = io.StringIO()
    open_log("debug", "console", stream).debug("started", lines=3)
    assert "started" in stream.getvalue()
    assert "lines=3" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_what_libraries_say_joins_in_the_same_form() -> None:
    stream = io.StringIO()
    open_log("info", "json", stream)
    logging.getLogger("asyncio").info("too quiet")
    try:
        raise ValueError("lost")
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
    facts = json.loads(stream.getvalue())
    assert (facts["event"], facts["logger"], facts["level"]) == ("library", "asyncio", "error")
    assert "ValueError: lost" in facts["exception"]
