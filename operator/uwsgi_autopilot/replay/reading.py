"""Read a recording line by line. Its form is api/recording.py; here are the file and what can be wrong with it."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, TextIO, cast

from uwsgi_autopilot.api.recording import FORMAT, Header, Line, NoRecording, OtherFormat
from uwsgi_autopilot.errors import UsageError

_MADE_BY = "`uwsgi-autopilot local` or `serve` makes one with --record FILE"
_GZIP_MAGIC = b"\x1f\x8b"


class Recording:
    """Iterate once over its lines. cut_off: the last one ends in the middle and was left out; known at the end."""

    def __init__(self, path: Path, file: TextIO) -> None:
        """Raises UsageError."""
        self.path, self.cut_off = path, False
        self._texts = self._read(file)
        self.header = self._read_header()

    def __iter__(self) -> Iterator[Line]:
        """Raises UsageError."""
        before: Line | None = None
        for number, text in enumerate(self._texts, start=2):
            data = self._json(text, number)
            if data is None:
                return
            try:
                before = Line.from_json(data, before)
            except ValueError as error:
                raise UsageError(f"{self.path}: line {number}: {error}") from None
            yield before

    def _read_header(self) -> Header:
        text = next(self._texts, "")
        if not text:
            raise UsageError(f"{self.path} is empty: {_MADE_BY}")
        try:
            return Header.from_json(json.loads(text))
        except OtherFormat as error:
            raise UsageError(
                f"{self.path}: {error}: replay it with the release that made it, uwsgi-autopilot {error.product}"
            ) from None
        except (NoRecording, json.JSONDecodeError, RecursionError):
            raise self._no_recording() from None
        except ValueError as error:
            raise UsageError(f"{self.path}: line 1: {error}") from None

    def _read(self, file: TextIO) -> Iterator[str]:
        try:
            yield from file
        except EOFError:  # a compressed file that is not whole
            self.cut_off = True
        except (UnicodeDecodeError, zlib.error, gzip.BadGzipFile):
            raise self._no_recording() from None
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def _json(self, text: str, number: int) -> Any:
        """None: it is cut off."""
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            if not text.endswith("\n"):
                self.cut_off = True
                return None
            raise UsageError(
                f"{self.path}: line {number} is no JSON: the file was damaged or edited; the {number - 1} lines before "
                "it are a recording of their own"
            ) from None

    def _no_recording(self) -> UsageError:
        return UsageError(f"{self.path} is no recording (expected a first line with `recording: {FORMAT}`): {_MADE_BY}")


@contextmanager
def recording(path: Path) -> Iterator[Recording]:
    """Raises UsageError."""
    try:
        raw = path.open("rb")
        packed = raw.peek(2)[:2] == _GZIP_MAGIC
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: {_MADE_BY}") from None
    except OSError as error:
        raise _unreadable(path, error) from None
    with ExitStack() as stack:
        stack.enter_context(raw)
        plain = stack.enter_context(cast(IO[bytes], gzip.GzipFile(fileobj=raw))) if packed else raw
        yield Recording(path, stack.enter_context(TextIOWrapper(plain, encoding="utf-8")))


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read: {error.strerror or error}")
