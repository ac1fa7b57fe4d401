"""The errors that cross rooms. Library errors are translated to these where they arise.

Each has a fixed `code`, the only thing a program should look at, and the HTTP status that
the gateway answers with. Messages are written for the person who has to act on them.
"""


class UsherError(Exception):
    """Any failure that Usher can name."""

    code = "internal_error"
    status = 500


class InvalidInput(UsherError):
    """What arrived cannot be accepted as it is."""

    code = "invalid_input"
    status = 422


class PayloadTooLarge(UsherError):
    """More bytes than the limit."""

    code = "payload_too_large"
    status = 413


class Unauthenticated(UsherError):
    """No token, a wrong token or a wrong signature."""

    code = "unauthenticated"
    status = 401


class Forbidden(UsherError):
    """A known caller asks for what is not theirs."""

    code = "forbidden"
    status = 403


class NotFound(UsherError):
    """The named thing does not exist, or not for this caller."""

    code = "not_found"
    status = 404


class UnknownCustomer(NotFound):
    """There is no such customer: never was, or was erased a moment ago."""


class Conflict(UsherError):
    """The request contradicts what is already recorded."""

    code = "conflict"
    status = 409


class RateLimited(UsherError):
    """Too many requests from one caller."""

    code = "rate_limited"
    status = 429


class Unavailable(UsherError):
    """A part that is needed does not answer; the request may be repeated."""

    code = "unavailable"
    status = 503


class NotReached(Unavailable):
    """No connection: the request was certainly not carried out."""


class Disconnected(Unavailable):
    """The connection broke before the answer came: the part may have died of the request."""


class TimedOut(Unavailable):
    """No answer in time: the part may be busy, frozen, or stuck on just this request."""


class WrongSetting(UsherError):
    """A setting has a value that cannot work; the message names the key."""

    code = "wrong_setting"
