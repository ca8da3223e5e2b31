"""Log to stderr while a command runs, without secrets and without control characters."""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType

from ..sync.masking import mask
from . import text


class SafeFormatter(logging.Formatter):
    """Masks secrets and escapes control characters; a message is one line, a traceback has several.

    Parameters
    ----------
    secrets : sequence of str
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__("%(levelname)s:%(name)s:%(message)s")
        self.secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        # Another handler may have left its own text of the traceback in the record.
        record = copy.copy(record)
        record.exc_text = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name of the base class
        """Return the message of a record."""
        return text.one_line(mask(super().formatMessage(record), self.secrets))

    def formatException(  # noqa: N802 - the name of the base class
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the traceback of an exception."""
        return text.lines(mask(super().formatException(ei), self.secrets))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - the name of the base class
        """Return the stack of a record."""
        return text.lines(mask(super().formatStack(stack_info), self.secrets))


@contextmanager
def to_stderr(secrets: Sequence[str], *, verbose: bool) -> Iterator[None]:
    """Log to stderr during a block: errors, with ``verbose`` information and Python's warnings too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.INFO if verbose else logging.ERROR)
    handler.setFormatter(SafeFormatter(secrets))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    if verbose:
        root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        root.removeHandler(handler)
