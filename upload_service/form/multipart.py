"""Parses a multipart form as it arrives: the chunks of a body become events of its parts.

The data of a part is passed on at once, so a form of any size needs the memory of one chunk.
Source of the format: RFC 7578 and RFC 2046, section 5.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from imagomortis.errors import InvalidRequest

MEDIA_TYPE: Final = "multipart/form-data"

EXAMPLE: Final = "curl -F file=@picture.jpg http://localhost:30082/upload"
"""An example of a correct request, for error texts."""

_LONGEST_TYPE = 1000


class NotMultipart(InvalidRequest):
    """A request whose body is not a multipart form."""

    status = 415
    slug = "not-multipart"
    title = "The body is not a form with files"


@dataclass(frozen=True)
class PartBegan:
    """A part begins: the name of its field, and the file's name if it is a file."""

    name: str
    filename: str | None


@dataclass(frozen=True)
class PartData:
    """Some bytes of the part that began last."""

    data: bytearray


@dataclass(frozen=True)
class PartEnded:
    """The part that began last is complete."""


Event = PartBegan | PartData | PartEnded


def boundary_of(content_type: str | None) -> bytes:
    """Return the boundary that a ``Content-Type`` names.

    Raises NotMultipart for a body of another type, InvalidRequest for a form without a boundary.
    """
    if content_type and len(content_type) > _LONGEST_TYPE:
        raise InvalidRequest(f"The Content-Type has more than {_LONGEST_TYPE:,} characters. For example: {EXAMPLE}")
    media_type, options = parse_options_header(content_type)
    if media_type != MEDIA_TYPE.encode():
        given = f"of the type {media_type.decode('latin-1')!r}" if media_type else "of no type"
        raise NotMultipart(f"The body is {given}; send pictures as {MEDIA_TYPE}, for example: {EXAMPLE}")
    if not options.get(b"boundary"):
        raise InvalidRequest(
            f"The Content-Type names no boundary. A client does that by itself, for example: {EXAMPLE}"
        )
    return options[b"boundary"]


class FormReader:
    """Parses the chunks of one form's body into events."""

    def __init__(self, boundary: bytes) -> None:
        """Take the boundary of the form; raises InvalidRequest if it is longer than the format allows."""
        self._events: list[Event] = []
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise _damaged(error) from error

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events in ``chunk``, in order; raise InvalidRequest if this is not a form."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _damaged(error) from error
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """End the body; raise InvalidRequest if the form is not complete."""
        if not self._is_complete:
            raise InvalidRequest(f"The form ends in the middle: its last boundary is missing. For example: {EXAMPLE}")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise InvalidRequest(f"A part of the form has no name. For example: {EXAMPLE}")
        filename = options.get(b"filename")
        self._events.append(PartBegan(_text(options[b"name"]), None if filename is None else _text(filename)))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        # the parser can call this for each byte, and an object for each byte would take a hundred times the memory
        portion = memoryview(data)[start:end]
        match self._events:
            case [*_, PartData(gathered)]:
                gathered += portion
            case _:
                self._events.append(PartData(bytearray(portion)))

    def _on_part_end(self) -> None:
        self._events.append(PartEnded())

    def _on_end(self) -> None:
        self._is_complete = True


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _damaged(error: FormParserError) -> InvalidRequest:
    return InvalidRequest(f"The body is not a valid form ({error}). For example: {EXAMPLE}")
