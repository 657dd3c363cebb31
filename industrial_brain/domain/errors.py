"""Every error that the product raises on purpose.

    BrainError
    |-- InputError            fix the request and send it again
    |   |-- UnknownIdError        the id names nothing that is known
    |   |-- HorizonError          the horizon is not positive or too long
    |   |-- LevelError            a level is not a percentage that can be answered
    |   |-- PathsError            so many sample paths can't be answered
    |   |-- FileFormatError       a file can't be read as what it claims to be
    |   |-- ProfileError          a city profile contradicts itself
    |   |-- MalformedError        the bytes are not what they are announced to be; nothing was taken of them
    |   |-- TooLargeError         more at once than a request may bring: split it
    |   `-- PageTokenError        a page token was not issued by this service
    |-- AccessError
    |   |-- AuthenticationError   no key, or one that is unknown or revoked
    |   `-- PermissionDeniedError the key's role may not do this
    |-- StateError            the request is right, the moment is not
    |   |-- NoModelError          nothing has been trained (for that vintage) yet
    |   |-- BundleError             a version's files can't be read by this code
    |   |-- GateRefusedError      a version did not pass the gate
    |   |-- NotInitialisedError   the database has no schema, or an old one
    |   `-- NothingToTrainError   no series has an observation
    |-- TooManyError          the caller asks for too much at once: retry later
    `-- UnavailableError      a part that we depend on does not answer: retry later

Each error answers "retry, fix or give up?": `message` says what is wrong in one sentence, `next_step` what to do.
Adapters translate foreign errors into this tree; the HTTP and command-line doors print it.
"""

from __future__ import annotations


class BrainError(Exception):
    """Root of the tree.

    Args:
        message: one sentence, what is wrong.
        next_step: one sentence, what the reader can do about it; may be empty.
        pointer: RFC 6901 JSON pointer to the field at fault, where the input was JSON.
    """

    #: stable, kebab-case name of the problem; the last part of its RFC 9457 `type`
    slug = "internal-error"

    def __init__(self, message: str, next_step: str = "", *, pointer: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.pointer = pointer

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class InputError(BrainError):
    """The request can't be answered as it stands: fix it."""

    slug = "invalid-input"


class UnknownIdError(InputError):
    slug = "unknown-id"


class HorizonError(InputError):
    slug = "invalid-horizon"


class LevelError(InputError):
    slug = "invalid-level"


class PathsError(InputError):
    slug = "invalid-paths"


class FileFormatError(InputError):
    slug = "unreadable-file"


class ProfileError(InputError):
    slug = "invalid-profile"


class MalformedError(InputError):
    slug = "malformed-body"


class TooLargeError(InputError):
    slug = "body-too-large"


class PageTokenError(InputError):
    slug = "invalid-page-token"


class AccessError(BrainError):
    """The caller is not who it needs to be."""

    slug = "access-denied"


class AuthenticationError(AccessError):
    slug = "unauthenticated"


class PermissionDeniedError(AccessError):
    slug = "permission-denied"


class StateError(BrainError):
    """The request is fine but the service is not in a state to answer it."""

    slug = "conflict"


class NoModelError(StateError):
    slug = "no-model"


class BundleError(StateError):
    slug = "unreadable-version"


class GateRefusedError(StateError):
    slug = "gate-refused"


class NotInitialisedError(StateError):
    slug = "not-initialised"


class NothingToTrainError(StateError):
    slug = "nothing-to-train"


class TooManyError(BrainError):
    """The caller has as much under way as it may: retry later."""

    slug = "too-many-requests"


class UnavailableError(BrainError):
    """A part outside this process does not answer: retry later."""

    slug = "unavailable"
