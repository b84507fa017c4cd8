"""Who answers: a personal token, or a one-time code that was given for one. Both are known by their hash alone.

Tokens and codes are made by chance and long: nobody finds one by trying, and their sha256 may be read by anybody.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from releve.core.errors import BadInput, ReleveError
from releve.domain.approval.approval import Approval, is_over
from releve.domain.approval.events import ApprovalCodeIssued

TOKEN_PREFIX = "releve-"
TOKEN_BYTES = 32
SHORTEST = 32  # letters of a token
CODE_BYTES = 10  # 80 bits, which are 16 letters and digits
CODE_GROUP = 4
CODE_LIFETIME = timedelta(minutes=10)


class NotAnApprover(ReleveError):
    """Nobody who may approve was recognised."""

    code = "not_an_approver"
    status = 403


@dataclass(frozen=True)
class Person:
    """Somebody who may approve, and how this was shown."""

    name: str
    code_hash: str = ""  # of the code that showed it; "" where the token did


def token_of(chance: bytes) -> str:
    """Write a token. `chance`: TOKEN_BYTES that nobody can foresee."""
    return TOKEN_PREFIX + base64.urlsafe_b64encode(chance).decode().rstrip("=")


def token_hash(token: str) -> str:
    """Return what params.yaml (release.approvers) has of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def holder_of(token: str, approvers: Mapping[str, str]) -> Person:
    """Return whose token it is. `approvers`: hashes by name. Raises NotAnApprover, BadInput without a token."""
    if not token:
        raise BadInput(
            "RELEVE_APPROVER_TOKEN is not set: it holds the personal token of the person who answers, as `releve "
            "approver NAME` printed it once; it is never typed on a command line"
        )
    known, found = token_hash(token) if len(token) >= SHORTEST else "", ""
    for name, hashed in approvers.items():  # all of them, each in constant time: how long it takes tells nothing
        if hmac.compare_digest(known, hashed):
            found = name
    if not found:
        listed = ", ".join(sorted(approvers)) or "nobody"
        raise NotAnApprover(
            f"RELEVE_APPROVER_TOKEN is the token of nobody who may approve here (params.yaml: release.approvers lists "
            f"{listed}); `releve approver NAME` makes one"
        )
    return Person(found)


def code_of(chance: bytes) -> str:
    """Write a one-time code, such as K7QF-2M9X-RT4B-WHN3. `chance`: CODE_BYTES that nobody can foresee."""
    letters = base64.b32encode(chance).decode()
    return "-".join(letters[place : place + CODE_GROUP] for place in range(0, len(letters), CODE_GROUP))


def code_hash(code: str, scenario: str, request: int) -> str:
    """Return the hash of a code for one request; how it was typed (spaces, dashes, small letters) does not matter."""
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(f"{scenario}/{request}/{letters}".encode()).hexdigest()


def owner_of(code: str, approval: Approval, approvers: Mapping[str, str], *, now: datetime) -> Person:
    """Return whom the code was given to, for this very request. Raises NotAnApprover, also for a code that is spent."""
    typed, found = code_hash(code, approval.scenario, approval.number), None
    for issued in approval.codes:
        if hmac.compare_digest(typed, issued.code_hash):
            found = issued
    how = f"`releve approve {approval.scenario} --code` prints a new one, good for {_minutes()} minutes and one answer"
    if found is None:
        raise NotAnApprover(f"this code was not given to anybody for this request; {how}")
    if found.by not in approvers:
        raise NotAnApprover(f"{found.by} may not approve any more (params.yaml: release.approvers)")
    if found.code_hash in spent_codes(approval):
        raise NotAnApprover(f"this code of {found.by} was used already; {how}")
    if is_over(found.expires_at, now):
        raise NotAnApprover(f"this code of {found.by} expired at {found.expires_at}; {how}")
    return Person(found.by, code_hash=found.code_hash)


def spent_codes(approval: Approval) -> frozenset[str]:
    """Return the hashes of codes that were used."""
    return frozenset(one.answer.code_hash for one in approval.given if one.answer.code_hash)


def issue_code(approval: Approval, person: Person, code: str, *, now: datetime) -> ApprovalCodeIssued:
    """Write down that a person was given a code for this request."""
    return approval.event(
        ApprovalCodeIssued,
        by=person.name,
        code_hash=code_hash(code, approval.scenario, approval.number),
        expires_at=(now + CODE_LIFETIME).isoformat(),
    )


def _minutes() -> int:
    return int(CODE_LIFETIME.total_seconds() // 60)
