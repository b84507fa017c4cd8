"""Errors that a user can fix.

Each says what was found, what was expected and what to do, in the user's own names. Doors turn them into
their own form: the command line prints the message and exits with `exit_code`, HTTP answers with `status`
and `code`, a flow run fails with the message.
"""


class ReleveError(Exception):
    """Base of all errors whose message is for a person; nothing else should reach one."""

    code = "releve_error"
    status = 400
    exit_code = 1


class BadInput(ReleveError):
    """The caller's data or question is wrong; asking again unchanged will not help."""

    code = "bad_input"
    status = 400


class NotFound(ReleveError):
    """What was named does not exist."""

    code = "not_found"
    status = 404


class Conflict(ReleveError):
    """Somebody else changed or holds what this call wanted to change."""

    code = "conflict"
    status = 409


class TooLarge(ReleveError):
    """More than one request may carry."""

    code = "too_large"
    status = 413


class Unavailable(ReleveError):
    """An outside system is away; the same call may work later."""

    code = "unavailable"
    status = 503
    exit_code = 2


class DiskFull(Unavailable):
    """There is no room to write; once there is, the same call works."""

    code = "disk_full"
    status = 507
