"""The log of a running switch: one JSON object a line, or coloured lines for people, on standard error.

Only facts are bound to a line, never a message or its fields, so no secret can come here. What libraries say
through `logging` (asyncio about a lost task) joins in the same form.
"""

from __future__ import annotations

import logging
from typing import Any, TextIO

import structlog

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def open_log(level: str, form: str, stream: TextIO) -> Any:
    """A structlog logger writing to `stream`; `form` is `json` or `console`."""
    render: Any = structlog.processors.JSONRenderer()
    if form == "console":
        render = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Joining(log)], force=True)
    return log


class _Joining(logging.Handler):
    """Passes on what the standard library's logging is told."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record as one event."""
        report = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        report("library", logger=record.name, message=record.getMessage(), exc_info=record.exc_info)
