"""Log lines as JSON, one object a line, with the fields of the requirements (§7.3)."""

import contextlib
import json
import logging
import sys
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import TextIO

from app.settings import LogSettings
from app.telemetry.exchange import current_exchange
from app.telemetry.masking import Masker

HANDLER_NAME = "reme-json-lines"
OWN_LOGGERS = ("reme", "mcp", "uvicorn", "uvicorn.error", "py.warnings")
"""Loggers whose lines are ours to write. Uvicorn's access log is silenced: it would write keys that stand in paths."""
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object. What `extra=` brings becomes fields of their own, masked."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        fields: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        exchange = current_exchange()
        if exchange is not None:
            fields |= {"operation": exchange.operation, "trace_id": exchange.trace_id}
            if exchange.workspace_id:
                fields["workspace_id"] = exchange.workspace_id
        fields |= {name: value for name, value in record.__dict__.items() if name not in STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
            fields["traceback"] = self.formatException(record.exc_info)
        line = _write(fields)
        # Masking looks at every value; most lines need none.
        return _write(self._masker.mask(fields)) if self._masker.suspects(line) else line


def _write(fields: object) -> str:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=str)


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at the moment of writing, so that a redirection holds."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        """Nothing to keep."""


class _LogFile(WatchedFileHandler):
    """Writes to a file, and to standard error what the file does not take: a request never fails for want of a log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a file that was moved or removed is opened anew."""
        try:
            super().emit(record)
        except OSError:
            sys.stderr.write(self.format(record) + self.terminator)

    def close(self) -> None:
        """End; what a full disk does not take has gone to standard error already."""
        with contextlib.suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Let what `emit` knows come through, and logging itself tell of all else."""
        fault = sys.exc_info()[1]
        if isinstance(fault, OSError):
            raise fault
        super().handleError(record)


def configure_logs(settings: LogSettings) -> None:
    """Send the lines of this process where the settings say; a second call replaces the first."""
    handler: logging.Handler
    if settings.file is None:
        handler = _StandardError()
    else:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(settings.file, encoding="utf-8", delay=True)
    handler.set_name(HANDLER_NAME)
    handler.setFormatter(JsonFormatter(Masker(settings.mask)))
    for name in OWN_LOGGERS:
        logger = logging.getLogger(name)
        for former in [former for former in logger.handlers if name != "reme" or former.name == HANDLER_NAME]:
            logger.removeHandler(former)
            former.close()
        logger.setLevel(settings.level)
        if name != "uvicorn.error":
            logger.addHandler(handler)
            logger.propagate = False
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    access.disabled = True
