"""What differs between machines: read once at the door from the environment, then passed in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from releve.core.environments import with_environment
from releve.core.errors import BadInput
from releve.core.names import check_scenario_name

LOOPBACK = "127.0.0.1"
PREFECT_DATABASE = "PREFECT_API_DATABASE_CONNECTION_URL"
SHORT_NUMBER = re.compile(r"[0-9]{1,6}")
LARGEST_PORT = 65535
MOST_WORKERS = 256
MOST_MEGABYTES = 999_999
MOST_A_SECOND = 999_999
MOST_SECONDS = 24 * 3600
ApprovalRule = Literal["none", "required", "two_people"]
PEOPLE: dict[ApprovalRule, int] = {"none": 0, "required": 1, "two_people": 2}  # that have to approve a release


@dataclass(frozen=True)
class Settings:
    """Places, addresses and secrets. Everything else is in params.yaml."""

    project: Path  # the git checkout: scenarios/, dvc.yaml, params.yaml
    home: Path  # state that git does not hold: registry, ledger, vectors, models, reports
    registry_url: str = field(repr=False)  # SQLAlchemy URL; may hold a password
    milvus_uri: str  # http(s)://host:port, or a path ending in .db for the embedded form
    milvus_token: str = field(default="", repr=False)
    token_read: str = field(default="", repr=False)  # that clients of the service send; "" for none
    token_label: str = field(default="", repr=False)
    token_explain: str = field(default="", repr=False)
    token_operate: str = field(default="", repr=False)
    approver_token: str = field(default="", repr=False)  # of the person who approves or refuses a release; "" for none
    approval: ApprovalRule = "none"  # whom a release waits for here at least, whatever params.yaml says
    ledger_key: str = field(default="", repr=False)  # of the ledger's hashes; "": the one in the home
    token_rate: int = 0  # requests a second that one token may send to one process of the service; 0: no limit
    prefect_api_url: str = field(default="", repr=False)  # where the service starts runs; may hold a password
    prefect_ui_url: str = ""  # where people look at them; "": as Prefect derives it from the address for programs
    prefect_api_key: str = field(default="", repr=False)
    prefect_api_auth_string: str = field(default="", repr=False)
    prefect_database: str = field(default="", repr=False)  # of the server of `make up`, which may be shared; "": SQLite
    prefect_elsewhere: bool = False  # whether the server of PREFECT_API_URL is meant, and not that of `make up`
    prefect_port: int = 4200
    service_port: int = 3000
    milvus_port: int = 19530
    guide_port: int = 3333  # of the pages of `make bring`
    service_workers: int = 1  # processes of the service
    service_memory: int = 1024  # megabytes of models that each of them keeps in memory
    service_scenarios: tuple[str, ...] = ()  # that the service serves; () for all that are released
    wait_seconds: int = 600  # how long a run waits for another run of the same scenario; then it is refused
    evidently_pages: bool = False  # whether drift reports are also kept for `make evidently`, the newest 200
    signing_key: str = ""  # path of the private key that signs models in packs of evidence; "": none is signed
    model_signing: str = ""  # path of the program that signs; "": model_signing, as PATH has it
    revision: str = ""  # the commit whose params and schema this run goes by; "": HEAD, at every step anew
    model_pin: str = ""  # serve this model version and never read the registry (a packed Bento)

    def without_secrets(self) -> "Settings":
        """Return the same places for work on other machines: no token, no key, and of passwords the registry's."""
        secrets = [each.name for each in fields(self) if not each.repr and each.name != "registry_url"]
        cleared: dict[str, Any] = dict.fromkeys(secrets, "")
        return replace(self, **cleared)

    @property
    def service_token(self) -> str:
        """What this project's own clients send to the service; "" where it asks for none."""
        return self.token_read or self.token_label or self.token_explain or self.token_operate

    @property
    def prefect_database_url(self) -> str:
        """As SQLAlchemy has it; may hold a password."""
        return self.prefect_database or sqlite_url(self.home / "prefect" / "prefect.db", "sqlite+aiosqlite")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, cwd: Path) -> "Settings":
        """Read RELEVE_*, MILVUS_TOKEN and PREFECT_*, after them the file of the environment that RELEVE_ENV names.

        Raises BadInput for a number that is not one, a home that begins with ~, and an environment whose file is none.
        """
        project = Path(environ.get("RELEVE_PROJECT") or cwd).resolve()
        environ = with_environment(environ, project=project)
        named = environ.get("RELEVE_HOME", "")
        if named.startswith("~"):
            raise BadInput(f"RELEVE_HOME is {named!r}: only a shell replaces the ~; write the whole path")
        home = Path(named or project / "var").resolve()
        milvus_port = _port(environ, "RELEVE_MILVUS_PORT", cls.milvus_port)
        return cls(
            project=project,
            home=home,
            registry_url=environ.get("RELEVE_REGISTRY_URL") or sqlite_url(home / "registry.db"),
            milvus_uri=environ.get("RELEVE_MILVUS_URI") or f"http://{LOOPBACK}:{milvus_port}",
            milvus_token=environ.get("MILVUS_TOKEN", ""),
            token_read=environ.get("RELEVE_TOKEN_READ", ""),
            token_label=environ.get("RELEVE_TOKEN_LABEL", ""),
            token_explain=environ.get("RELEVE_TOKEN_EXPLAIN", ""),
            token_operate=environ.get("RELEVE_TOKEN_OPERATE", ""),
            approver_token=environ.get("RELEVE_APPROVER_TOKEN", ""),
            approval=_approval(environ, "RELEVE_APPROVAL"),
            ledger_key=environ.get("RELEVE_LEDGER_KEY", ""),
            token_rate=_whole_number(environ, "RELEVE_TOKEN_RATE", cls.token_rate, least=0, most=MOST_A_SECOND),
            prefect_api_url=environ.get("PREFECT_API_URL", ""),
            prefect_ui_url=environ.get("PREFECT_UI_URL", ""),
            prefect_api_key=environ.get("PREFECT_API_KEY", ""),
            prefect_api_auth_string=environ.get("PREFECT_API_AUTH_STRING", ""),
            prefect_database=environ.get(PREFECT_DATABASE, ""),
            prefect_port=_port(environ, "RELEVE_PREFECT_PORT", cls.prefect_port),
            service_port=_port(environ, "RELEVE_SERVICE_PORT", cls.service_port),
            milvus_port=milvus_port,
            guide_port=_port(environ, "RELEVE_GUIDE_PORT", cls.guide_port),
            service_workers=_whole_number(environ, "RELEVE_SERVICE_WORKERS", cls.service_workers, most=MOST_WORKERS),
            service_memory=_whole_number(environ, "RELEVE_SERVICE_MEMORY", cls.service_memory, most=MOST_MEGABYTES),
            service_scenarios=read_scenario_names(environ, "RELEVE_SCENARIO"),
            wait_seconds=_whole_number(environ, "RELEVE_WAIT_SECONDS", cls.wait_seconds, least=0, most=MOST_SECONDS),
            evidently_pages=bool(environ.get("RELEVE_EVIDENTLY_PAGES")),
            signing_key=environ.get("RELEVE_SIGNING_KEY", ""),
            model_signing=environ.get("RELEVE_MODEL_SIGNING", ""),
            model_pin=environ.get("RELEVE_MODEL", ""),
        )


def sqlite_url(path: Path, driver: str = "sqlite") -> str:
    """Write a file as an SQLAlchemy URL, in SQLite's own form where the path has a `?`, which begins the options."""
    return f"{driver}:///file:{quote(str(path))}?uri=true" if "?" in str(path) else f"{driver}:///{path}"


def read_scenario_names(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Read names with commas between them, each once, in their order. Raises BadInput for one that is not allowed."""
    given = environ.get(name, "")
    names = [each.strip() for each in given.split(",")]
    found = tuple(dict.fromkeys(check_scenario_name(each) for each in names if each))
    if given.strip() and not found:  # commas alone would narrow to none, and mean all
        raise BadInput(f"{name} is {given!r}; expected names with commas between them, or nothing for every scenario")
    return found


def _approval(environ: Mapping[str, str], name: str) -> ApprovalRule:
    value = environ.get(name) or "none"
    rule = next((each for each in PEOPLE if each == value), None)
    if rule is None:
        raise BadInput(f"{name} is {value!r}; expected {', '.join(PEOPLE)}")
    return rule


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    return _whole_number(environ, name, default, most=LARGEST_PORT, noun="a port number")


def _whole_number(
    environ: Mapping[str, str], name: str, default: int, *, most: int, least: int = 1, noun: str = "a whole number"
) -> int:
    value = environ.get(name) or str(default)
    if not SHORT_NUMBER.fullmatch(value) or not least <= int(value) <= most:
        raise BadInput(f"{name} is {value!r}; expected {noun} between {least} and {most}")
    return int(value)
