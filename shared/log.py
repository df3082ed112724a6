"""Structured logs: one event a line, with the request id, without credentials.

Nor does an exception tell what it was about: PostgreSQL's ``DETAIL`` holds the values of the row
that was refused, and a validation error the value that was not understood.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Final

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

# What a credential looks like wherever it turns up: our prefixes, JWTs, and userinfo in URLs.
_CREDENTIAL: Final = re.compile(
    r"(?P<keep>trc_ak_[\w-]{5})[\w-]+"
    r"|\b(?:trw_(?:live|dk|lic)_|tw_|trc_(?:inv|cl|ocs|vt)_)[\w-]+"
    r"|\bwhsec_[\w+/=-]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|(?P<scheme>://[^:/@\s]*:)[^@\s/]+(?=@)"
)

# How pydantic, asyncpg and PostgreSQL begin to quote the value that they did not take.
_QUOTED: Final = re.compile(
    r"(?P<said>\binput_value=|for query argument \$\d+: |invalid input syntax for [^:\n]+: ).*"
)


def mask(text: str) -> str:
    """Replace every credential in a text; of a machine token the first 12 characters stay."""
    return _CREDENTIAL.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    return (match["keep"] or match["scheme"] or "") + "***"


def _mask_values(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = mask(value)
    return event


def _traceback(exc_info: ExcInfo) -> str:
    """Write a traceback, without local variables and without the values that errors quote."""
    text = "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    for error in _chain(exc_info[1]):
        detail = getattr(error, "detail", None)
        if isinstance(detail, str):
            for line in filter(None, detail.splitlines()):
                text = text.replace(line, "***")
    return _QUOTED.sub(r"\g<said>***", text)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and all that a traceback shows with it."""
    seen: set[int] = set()
    left = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            left += one.exceptions


_format_exception: Final = structlog.processors.ExceptionRenderer(_traceback)


def configure(process: str, level: str = "info", form: str = "json") -> None:
    """Set up logging for this process: structlog for us, the standard library's for libraries.

    Args:
        process: the name that every line carries, such as ``auth``.
        level: the least severe level written.
        form: ``json`` or ``console``.
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Processor] = [_format_exception, _mask_values, renderer]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # These repeat at "info" what our own lines already say; the last tells at "debug" of each rule
    # that it tries on each line of a text.
    for noisy in ("httpx", "httpcore", "aio_pika", "uvicorn", "markdown_it"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It logs a traceback for each connection that a broker drops; our own line says so in one.
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """Give a logger; bind to it or to ``structlog.contextvars`` what the line should carry."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
