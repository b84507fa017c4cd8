"""Columns of a new table that say who somebody is: e-mail addresses, names, phone numbers, IBANs, streets, numbers of
people.

What has a form of its own (an e-mail address, an IBAN with its check digits) is known by its cells. All else needs the
column's name as well, as numbers look alike and so do names of people and of products: a wrong proposal costs
attention, and a feature.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from releve.domain.onboarding.issues import Issue
from releve.domain.onboarding.profiles import ColumnProfile
from releve.domain.schema.columns import IMAGE

NEARLY_ALL, MANY = 0.9, 0.6  # shares of the present cells
FEWEST = 5  # different values; fewer are kinds of something
FEWEST_CODES, FEWEST_OFTEN = 20, 0.05  # different values of a number that names people, and their share of the cells
GIVEN_SHARE = 1 / 3  # of cells with a frequent given name or a title, where the column is called `name` alone

WORDS = re.compile(r"[A-ZÄÖÜ]?[a-zà-ÿß]+|[A-ZÄÖÜ]+(?![a-zà-ÿ])|\d+")
EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}")
IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
PHONE = re.compile(r"\+?[\d ()/.-]+")
DIALLED = re.compile(r"(\+|00)[1-9][\d ()/.-]+|\(\d{3}\) ?\d{3}-\d{4}")  # which no other number looks like
SOCIAL_SECURITY = re.compile(r"\d{3}-\d{2}-\d{4}")
NAME = re.compile(r"[^\W\d_]+(['\u2019. ,-]+[^\W\d_]+){0,5}[.,]?")
STREET_NUMBER = re.compile(r"(\d{1,5}[a-zA-Z]?,? .*[^\W\d_]{3}|.*[^\W\d_]{3}.* \d{1,5} ?[a-zA-Z]?\b).*")
STREET = re.compile(
    r"\d{1,5}[a-z]?,? .*\b(street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd)\b.*|\d{1,5},? rue .*"
    r"|.*(straße|strasse|str\.|weg|platz|gasse|allee|straat|laan) \d{1,5} ?[a-z]?\b.*",
    re.IGNORECASE,
)
CODE = re.compile(r"(?=.*\d)[\w./-]{1,40}")

_PEOPLE_WORDS = (
    "applicant beneficiary borrower buyer candidate cardholder citizen client contact customer doctor donor "
    "driver employee guest holder member nurse owner participant passenger patient person policyholder resident "
    "seller staff student subscriber taxpayer teacher tenant user visitor voter worker kunde kunden mitarbeiter "
    "patienten"
)
PEOPLE = frozenset(_PEOPLE_WORDS.split())
ID_WORDS = frozenset(["id", "no", "nr", "num", "number", "nummer", "key", "code", "uuid", "guid", "ref"])
NAMES = re.compile(
    r"(.*_)?(first|last|given|family|middle|maiden|full)_?name|(.*_)?(fname|lname|surname|forename|vorname|nachname|"
    r"familienname|prenom|prénom|apellidos?|cognome)"
)
PHONES = re.compile(
    r"(.*_)?(phone|telephone|telefon|telefono|tel|mobile|mobil|handy|cellphone|fax|msisdn)"
    r"(_?n(o|r|um|umber|ummer))?(_\d)?"
)
ADDRESSES = re.compile(
    r"(.*_)?(address|addr|street|adresse|anschrift|strasse|straße|direccion|indirizzo)(_line)?(_\d)?"
)
OTHER_ADDRESSES = frozenset(["ip", "mac", "email", "mail", "web", "url", "wallet", "memory", "hash", "port"])
OFFICIAL = re.compile(
    r"(.*_)?(ssn|social_security(_n(o|r|umber))?|national_id|passport(_n(o|r|umber))?|tax_id|nhs_n(o|umber)|nino|bsn|"
    r"cpf|dni|personnummer|steuer_?id|username|(kunden|personal|patienten|mitglieds|versicherten)_?(nummer|nr|id))"
)
_FREQUENT = (
    "mr mrs ms miss dr prof herr frau mme alexander ali amanda ana andrea andreas andrew anna anne anthony "
    "antonio ben brian carlos carmen carol charles chen christian christopher claudia daniel david deborah denise "
    "diana donna edward elena elizabeth emily emma eric eva fatima felix fernando francisco frank franz george "
    "hannah hans helen ivan jack jacob jan jane jason javier jean jennifer jessica joan john jonas jose joseph "
    "juan julia karen karl katherine kevin klaus laura li linda lisa luca lucia luis lukas maria marie mario mark "
    "markus marta martha martin mary matthew max mia michael michelle miguel mohamed mohammed monika nancy "
    "natalia nicole nina olga oliver omar patricia patrick paul pedro peter pierre priya rachel rebecca richard "
    "robert ruth ryan samuel sandra sara sarah sofia sophie stefan stephen steven susan thomas tim timothy tom "
    "ursula wang wei werner william wolfgang yusuf"
)
TITLES_AND_NAMES = frozenset(_FREQUENT.split())


@dataclass(frozen=True)
class PersonalKind:
    """What a column may hold of people."""

    plural: str
    is_found: Callable[[ColumnProfile, str], bool]  # in a column; its name in lower case, the words with _ between


def _share(column: ColumnProfile, fits: Callable[[str], object]) -> float:
    found = sum(count for value, count in column.counts.items() if fits(str(value).strip()))
    return found / max(column.present, 1)


def _is_iban(text: str) -> bool:
    plain = text.replace(" ", "")
    if not IBAN.fullmatch(plain):
        return False
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def _is_phone(text: str) -> bool:
    return bool(PHONE.fullmatch(text)) and 7 <= sum(letter.isdigit() for letter in text) <= 15


def _has_given_name(text: str) -> bool:
    words = re.findall(r"[^\W\d_]+", text.lower())
    return len(words) > 1 and not TITLES_AND_NAMES.isdisjoint(words)


def _of_people(name: str) -> bool:
    return any(word in PEOPLE or word.removesuffix("s") in PEOPLE for word in name.split("_"))


def _emails(column: ColumnProfile, name: str) -> bool:
    return _share(column, EMAIL.fullmatch) >= NEARLY_ALL


def _ibans(column: ColumnProfile, name: str) -> bool:
    return _share(column, _is_iban) >= NEARLY_ALL


def _phones(column: ColumnProfile, name: str) -> bool:
    if _share(column, _is_phone) < NEARLY_ALL:
        return False
    return bool(PHONES.fullmatch(name)) or _share(column, DIALLED.fullmatch) >= NEARLY_ALL


def _names(column: ColumnProfile, name: str) -> bool:
    if _share(column, NAME.fullmatch) < NEARLY_ALL:
        return False
    if NAMES.fullmatch(name) or (name.endswith("_name") and _of_people(name)):
        return True
    return name in ("name", "names") and _share(column, _has_given_name) >= GIVEN_SHARE


def _streets(column: ColumnProfile, name: str) -> bool:
    if _share(column, STREET.fullmatch) >= NEARLY_ALL:
        return True
    is_named = ADDRESSES.fullmatch(name) and OTHER_ADDRESSES.isdisjoint(name.split("_"))
    return bool(is_named) and _share(column, STREET_NUMBER.fullmatch) >= MANY


def _numbers(column: ColumnProfile, name: str) -> bool:
    if _share(column, SOCIAL_SECURITY.fullmatch) >= NEARLY_ALL:
        return True
    first, _, last = name.rpartition("_")
    is_named = OFFICIAL.fullmatch(name) or (last in ID_WORDS and _of_people(first)) or name in PEOPLE
    are_many = column.distinct >= max(FEWEST_CODES, FEWEST_OFTEN * column.present)
    return bool(is_named) and are_many and _share(column, CODE.fullmatch) >= NEARLY_ALL


KINDS = (
    PersonalKind("e-mail addresses", _emails),
    PersonalKind("IBANs", _ibans),
    PersonalKind("phone numbers", _phones),
    PersonalKind("street addresses", _streets),
    PersonalKind("names of people", _names),
    PersonalKind("numbers or names that stand for people", _numbers),
)


def personal_issues(columns: Sequence[ColumnProfile], *, id: str | None, time: str | None) -> Iterator[Issue]:
    """Propose `personal: true` for columns that say who somebody is; of the given `id`, only ask."""
    for column in columns:
        if column.name == time or column.type == IMAGE or column.distinct < FEWEST:
            continue
        plain = "_".join(WORDS.findall(column.name)).lower()
        found = next((kind.plural for kind in KINDS if kind.is_found(column, plain)), None)
        if found is None:
            continue
        what = f"{column.name} looks like {found}"
        if column.name == id:
            yield Issue(
                "personal",
                f"{what}, and names the rows: where nobody may read it, put 'personal: true' into columns."
                f"{column.name} of params.yaml. Searches then name no rows (docs/personal_data.md)",
                doubts=(column.name,),
            )
        else:
            yield Issue(
                "personal",
                f"{what}, so it is personal: nothing that people read shows a cell of it, and it is no feature. If the "
                f"model may learn from it, remove 'feature: false' and put 'ledger: {{keep_clear: [{column.name}]}}'; "
                "if it says nothing of people, remove 'personal: true', too (docs/personal_data.md)",
                (column.name,),
                f"looks like {found}",
                personal=(column.name,),
            )
