"""Defines the errors of ImagoMortis, each with its HTTP status and its text for people.

::

    ImagoMortisError                    500
    +-- RefusedPicture                  422   the picture itself is at fault
    |   +-- PictureTooLarge             413   bytes, pixels or a side over the limit
    |   +-- UnsupportedPicture          415   not a picture, or of an unsupported format
    |   +-- BrokenPicture               422   cut off, lies about its size, carries a foreign tail
    +-- InvalidRequest                  422   a parameter or a form field is at fault
    |   +-- InvalidRecipe               422
    +-- NotFound                        404
    +-- Conflict                        409
    +-- Unauthorized                    401   no token, or a wrong one
    +-- Forbidden                       403   a foreign Host or Origin
    +-- TooManyAttempts                 429   too many wrong tokens from one address
    +-- RequestTimeout                  408   the client was too slow
    +-- DiskFull                        507   below the reserve
    +-- Unavailable                     503   database, spool or storage not reachable; worth another try
    +-- ConfigurationError              500   a setting is wrong; names it and gives an example
    +-- AttemptFailed                   500   why an attempt at an image failed
        +-- DecoderCrashed                    the child process died
        +-- MemoryLimitExceeded
        +-- TimeLimitExceeded
        +-- TransformFailed                   a transform could not be applied
        +-- BytesDamaged                      the storage has lost or changed a picture's bytes

An error's ``detail`` says what is wrong and what to do about it. Its ``slug`` names its kind for programs.
"""

from __future__ import annotations

from typing import ClassVar


class ImagoMortisError(Exception):
    """The base class of all errors that ImagoMortis raises on purpose."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on the server"

    def __init__(self, detail: str, **members: object) -> None:
        """Take the text for people, and further members of the problem document."""
        super().__init__(detail)
        self.detail = detail
        self.members = members

    def problem(self) -> dict[str, object]:
        """Return the error as the members of an RFC 9457 problem document."""
        return {
            "type": f"urn:imagomortis:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }


class RefusedPicture(ImagoMortisError):
    """A picture that is not accepted."""

    status = 422
    slug = "refused-picture"
    title = "The picture was refused"


class PictureTooLarge(RefusedPicture):
    """A picture over the limit of bytes, pixels or side."""

    status = 413
    slug = "picture-too-large"
    title = "The picture is too large"


class UnsupportedPicture(RefusedPicture):
    """A file that is not a picture, or a picture of an unsupported format."""

    status = 415
    slug = "unsupported-picture"
    title = "This kind of file is not supported"


class BrokenPicture(RefusedPicture):
    """A picture that is cut off, lies about its size or carries a foreign file."""

    slug = "broken-picture"
    title = "The picture is broken"


class InvalidRequest(ImagoMortisError):
    """A request with a wrong parameter or field."""

    status = 422
    slug = "invalid-request"
    title = "The request cannot be understood"


class InvalidRecipe(InvalidRequest):
    """A recipe that does not validate."""

    slug = "invalid-recipe"
    title = "The recipe is not valid"


class NotFound(ImagoMortisError):
    """A thing that does not exist, or was deleted."""

    status = 404
    slug = "not-found"
    title = "Not found"


class Conflict(ImagoMortisError):
    """An action that the current state does not allow."""

    status = 409
    slug = "conflict"
    title = "Not possible in the current state"


class Unauthorized(ImagoMortisError):
    """A request without the access token, or with a wrong one."""

    status = 401
    slug = "unauthorized"
    title = "An access token is needed"


class Forbidden(ImagoMortisError):
    """A request with a foreign host name, or from a foreign page."""

    status = 403
    slug = "forbidden"
    title = "Not allowed"


class TooManyAttempts(ImagoMortisError):
    """A token from an address that sent too many wrong ones."""

    status = 429
    slug = "too-many-attempts"
    title = "Too many wrong tokens"


class RequestTimeout(ImagoMortisError):
    """A client that sends too slowly."""

    status = 408
    slug = "request-timeout"
    title = "The request took too long"


class DiskFull(ImagoMortisError):
    """A disk with less free space than its reserve."""

    status = 507
    slug = "disk-full"
    title = "The disk is full"


class Unavailable(ImagoMortisError):
    """A part that is not available at the moment."""

    status = 503
    slug = "unavailable"
    title = "Temporarily unavailable"


class ConfigurationError(ImagoMortisError):
    """A setting that cannot be used. The text names the setting, the problem and an example."""

    slug = "configuration-error"
    title = "The configuration is wrong"


class AttemptFailed(ImagoMortisError):
    """The reason why an attempt at an image failed."""

    slug = "attempt-failed"
    title = "The picture could not be processed"


class DecoderCrashed(AttemptFailed):
    """The child process that decodes and transforms died."""

    slug = "decoder-crashed"
    title = "The decoder crashed"


class MemoryLimitExceeded(AttemptFailed):
    """The picture needs more memory than one picture may have."""

    slug = "memory-limit"
    title = "Processing needs too much memory"


class TimeLimitExceeded(AttemptFailed):
    """The picture needs more time than one picture may have."""

    slug = "time-limit"
    title = "Processing takes too long"


class TransformFailed(AttemptFailed):
    """A transform could not be applied as the recipe says."""

    slug = "transform-failed"
    title = "A step of the recipe failed"


class BytesDamaged(AttemptFailed):
    """The storage answers, but a picture's bytes are missing or differ from their SHA-256."""

    slug = "bytes-damaged"
    title = "The picture's bytes are lost or damaged"
