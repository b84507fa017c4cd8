"""Requests for approval and what follows them, in which only what a test is about has to be named."""

from datetime import UTC, datetime, timedelta

from releve.domain.approval.answers import ApprovalChoice, answer_event
from releve.domain.approval.approval import Approval, newest_approval
from releve.domain.approval.events import ApprovalRequested, ApprovalSubject, JudgedFigures
from releve.domain.approval.people import Person, code_of, issue_code
from releve.domain.registry.chain import Event, EventPayload
from tests.evaluations import make_evaluation
from tests.events import make_any_release

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA, BEN = Person("anna"), Person("ben")
EXPIRES = (NOW + timedelta(hours=72)).isoformat()


def make_request(model="shop:v2", **changes):
    values = {
        "subject": ApprovalSubject.of(make_any_release(model)),
        "figures": JudgedFigures.of(make_evaluation(0.951)),
        "champion": "shop:v1",
        "people": 1,
        "expires_at": EXPIRES,
    }
    return ApprovalRequested(**{**values, **changes})


class Story:
    """Events of the scenario shop, as they come one after the other; and the approval that they tell of."""

    def __init__(self, *payloads: EventPayload) -> None:
        self.events: list[Event] = []
        for payload in payloads:
            self.add(payload)

    def add(self, payload, *, reason="", actor="somebody"):
        number = len(self.events) + 1
        at = (NOW + timedelta(minutes=number)).isoformat(timespec="microseconds")
        self.events.append(
            Event("shop", number, at, payload.kind, actor, reason, payload.model_dump(mode="json"), "", "")
        )
        return self

    @property
    def approval(self) -> Approval:
        found = newest_approval(self.events)
        assert found is not None
        return found

    def say(self, said: ApprovalChoice, person: Person, comment=""):
        return self.add(answer_event(self.approval, said, person), reason=comment, actor=person.name)

    def issue(self, person: Person, *, now=NOW, chance=bytes(range(10))):
        """Give a code to a person; returns it."""
        code = code_of(chance)
        self.add(issue_code(self.approval, person, code, now=now), actor=person.name)
        return code
