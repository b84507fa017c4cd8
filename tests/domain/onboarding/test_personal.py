"""Which columns of a new table are proposed to be personal, what is asked about them, and what an answer changes."""

from collections.abc import Sequence

import numpy as np
import pytest

from releve.domain.onboarding.params_file import params_text
from releve.domain.onboarding.questions import HIDE, KEEP, LEAVE, SHOW, TableQuestion, answered, questions
from releve.domain.onboarding.table import Roles
from tests.domain.onboarding.tables import ROWS, a_table, described, issue_texts

NUMBER = np.random.default_rng(3).permutation(ROWS) + 10_000
GIVEN = ["Anna", "Peter", "María", "Wei", "Olga", "José", "Ruth", "Karl", "Jean-Luc", "Siobhán"]
FAMILY = ["Meyer", "O'Brien", "García López", "Chen", "Novák", "Müller", "de Vries", "Rossi"]
STREETS = ["Hauptstraße", "Am Markt", "Lange Gasse", "Goethestr."]


def iban(number: int) -> str:
    """A German one with right check digits."""
    account = f"{37040044:08d}{number:010d}"
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def each(template: str) -> list[str]:
    return [template.format(n=n, g=GIVEN[n % 10], f=FAMILY[n % 8], s=STREETS[n % 4], h=1 + n % 90) for n in NUMBER]


PEOPLE = {
    "e-mail addresses": [
        ("mail", each("m{n}@example.org")),
        ("contact", each("{n}.x+shop@mail.example.co.uk")),
        ("x", [*each("a{n}@b.example")[: int(0.95 * ROWS)], *["unknown"] * int(0.05 * ROWS)]),
    ],
    "IBANs": [
        ("account", [iban(n) for n in NUMBER]),
        ("x", [" ".join(iban(n)[k : k + 4] for k in range(0, 22, 4)) for n in NUMBER]),
    ],
    "phone numbers": [
        ("phone", each("0171 {n}")),
        ("mobile_number", each("49171{n}")),
        ("x", each("+49 171 {n}")),
        ("Telefon", each("030/{n}-0")),
        ("customerPhone", [f"(555) 123-{str(n)[-4:]}" for n in NUMBER]),
    ],
    "street addresses": [
        ("address", each("{h} {s} {h}")),
        ("home_address", each("Flat 3, {h} Green Park")),
        ("x", each("{h} {f} Street")),
        ("wohnort", each("{s} {h}".replace("{s}", "Bahnhofstraße"))),
    ],
    "names of people": [
        ("first_name", each("{g}")),
        ("lastName", each("{f}")),
        ("Nachname", each("{f}")),
        ("customer_name", each("{g} {f}")),
        ("name", each("{g} {f}")),
        ("Name", each("{f}, Mr. {g}")),
    ],
    "numbers or names that stand for people": [
        ("customer_id", NUMBER),
        ("patientId", each("P-{n}")),
        ("employee_no", each("{n}")),
        ("Kundennummer", each("{n}")),
        ("passport", each("C01X{n}")),
        ("x", [f"123-45-{str(n)[-4:]}" for n in NUMBER]),
        ("customer", each("C-{n}")),
    ],
}
OTHERS: list[tuple[str, Sequence[object]]] = [
    ("email", ["yes", "no"] * (ROWS // 2)),
    ("email_domain", each("shop{n}.example")),
    ("account", [iban(n)[:-1] + str((int(iban(n)[-1]) + 1) % 10) for n in NUMBER]),
    ("phone", ["android", "iphone", "none", "old"] * (ROWS // 4)),
    ("phone_calls", NUMBER % 90),
    ("price", NUMBER * 1000),
    ("day", [f"2024-01-{1 + n % 28:02d}" for n in NUMBER]),
    ("part", each("12-34-{n}")),
    ("ip_address", [f"10.0.{n % 250}.{n // 250}" for n in NUMBER]),
    ("mac_address", [f"00:1b:44:11:{n % 90 + 10}:{n // 250}" for n in NUMBER]),
    ("address", ["urban", "rural", "suburb", "island", "remote"] * (ROWS // 5)),
    ("name", [f"{colour} {thing}" for colour in ("Red", "Small") for thing in ("Chair", "Lamp") for _ in range(50)]),
    ("product_name", each("{g} {f}")),
    ("user_name_length", NUMBER % 20),
    ("passenger_class", NUMBER % 3),
    ("customer_no", NUMBER % 12),
    ("customers", NUMBER),
    ("employee_number", NUMBER % 15),
    ("store_id", each("S-{n}")),
    ("user_agent", each("Mozilla/{n}")),
    ("member", ["gold", "silver"] * (ROWS // 2)),
    ("comment", each("I wrote to m{n}@example.org and nobody answered")),
    ("surname_count", NUMBER % 7),
    ("last_name", ["A", "B"] * (ROWS // 2)),
]


@pytest.mark.parametrize(
    ("plural", "name", "cells"), [(plural, *case) for plural, cases in PEOPLE.items() for case in cases]
)
def test_what_says_who_somebody_is_is_personal_and_no_feature(plural: str, name: str, cells: Sequence[object]):
    found = described(a_table(**{name: list(cells)}))

    assert issue_texts(found, "personal").startswith(f"{name} looks like {plural}, so it is personal")
    spec = found.table["columns"][name]
    assert (spec["feature"], spec["personal"]) == (False, True)
    assert found.seen[name] == f"looks like {plural}"


@pytest.mark.parametrize(("name", "cells"), OTHERS, ids=[f"{place}-{name}" for place, (name, _) in enumerate(OTHERS)])
def test_what_only_looks_alike_is_not(name: str, cells: Sequence[object]):
    found = described(a_table(**{name: list(cells)}))

    assert issue_texts(found, "personal") == ""
    assert "personal" not in found.table["columns"][name]


@pytest.mark.parametrize(("share", "is_found"), [(0.89, False), (0.9, True), (0.91, True)])
def test_nearly_all_cells_have_to_be_of_the_kind(share: float, is_found: bool):
    mails = int(share * ROWS)
    found = described(a_table(contact=[*each("m{n}@example.org")[:mails], *each("by hand {n}")[mails:]]))

    assert bool(issue_texts(found, "personal")) is is_found


def test_no_sentence_and_no_comment_of_it_shows_a_cell():
    found = described(a_table(phone=each("0171 {n}"), nr=each("49171{n}"), mail=each("m{n}@example.org")))

    written = params_text(found, scenario="shop") + "\n".join(issue.text for issue in found.issues)

    assert not any(str(cell) in written for cell in (*each("0171 {n}"), *each("m{n}@example.org")))


def asked_of(**columns: Sequence[object]) -> TableQuestion:
    (question,) = (
        asked
        for asked in questions(described(a_table(**columns)).issues, target="sold")[0]
        if "who somebody is" in asked.asks
    )
    return question


@pytest.mark.parametrize(
    ("answer", "spec", "keep_clear"),
    [
        (LEAVE, {"type": "category", "feature": False, "personal": True}, None),
        (KEEP, {"type": "category", "personal": True}, ["mail"]),
        (SHOW, {"type": "category", "feature": False}, None),  # it is different in every row, like an id
    ],
)
def test_an_answer_decides_whether_it_is_hidden_and_whether_it_is_learned_from(answer, spec, keep_clear):
    question = asked_of(mail=each("m{n}@example.org"))
    roles = answered(Roles("sold"), [question], {question.key: answer})

    chosen = {name: value for name, value in vars(roles).items() if name != "target"}
    found = described(a_table(mail=each("m{n}@example.org")), **chosen)

    assert question.says == "mail looks like e-mail addresses."
    assert [choice.key for choice in question.choices] == [LEAVE, KEEP, SHOW]
    assert found.table["columns"]["mail"] == spec
    assert next((one.value for one in found.overrides if one.key == "keep_clear"), None) == keep_clear


def test_names_that_the_model_may_learn_from_are_not_listed_in_params():
    table = a_table(first_name=each("{g}"), is_ill=[*"ab"] * (ROWS // 2))
    found = described(table, kept=frozenset({"first_name"}))

    assert found.table["columns"]["first_name"] == {"type": "category", "personal": True}
    assert found.table["columns"]["is_ill"]["categories"] == ["a", "b"]
    assert found.seen["first_name"] == "personal, so its categories are not listed: any is accepted"
    assert not any(name in params_text(found, scenario="shop") for name in GIVEN)


def test_yes_and_no_of_a_personal_column_are_nobody_s_names():
    found = described(a_table(member=[True, False] * (ROWS // 2)), personal=frozenset({"member"}))

    assert found.table["columns"]["member"] == {"type": "category", "categories": ["False", "True"], "personal": True}


def test_the_id_that_a_person_names_is_shown_unless_they_say_otherwise():
    table, roles = a_table(customer=each("C-{n}")), Roles("sold", id="customer")
    found = described(table, id="customer")
    (question,) = (asked for asked in questions(found.issues, target="sold")[0] if "people" in asked.asks)

    hidden = answered(roles, [question], {question.key: HIDE})

    assert "personal" not in found.table["columns"]["customer"]
    assert [choice.key for choice in question.choices] == [SHOW, HIDE]
    spec = described(table, id="customer", personal=hidden.personal).table["columns"]["customer"]
    assert spec == {"type": "category", "feature": False, "personal": True}
