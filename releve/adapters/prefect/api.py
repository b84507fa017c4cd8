"""Prefect, by its HTTP interface: for what must not import Prefect, such as the service, whose image is without it."""

import base64
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from releve.adapters.http.clients import cause_of, client_of, is_address
from releve.core.errors import BadInput, Unavailable
from releve.core.formatting import shortened
from releve.core.settings import Settings
from releve.domain.scheduling.deployments import TAG, reason_tag, scenario_tag

if TYPE_CHECKING:
    import httpx

STARTED_BY_SERVICE = "started-by-service"  # the tag of the runs that people start from the service's page
ANSWER_SECONDS = 5.0  # for all that one call asks; a service's pool gives it a little more
BUSY_SECONDS = 0.5  # its SQLite database is locked while others write to it: then it answers 503, and is asked again
CSRF = "CSRF token"  # what Prefect misses, where it is told to protect itself, in a request that changes something
MOST_LETTERS = 300  # of what Prefect says of a request that it refuses
CLOUD_API, CLOUD_UI = "https://api.prefect.cloud/api", "https://app.prefect.cloud"


class PrefectUnavailable(Unavailable):
    """Prefect is away, or does not do what it is asked."""

    code = "prefect_unavailable"


class NoDeployment(Unavailable):
    """Prefect has no such flow to run, or does not offer it for the scenario."""

    code = "no_deployment"


@dataclass(frozen=True)
class FlowRun:
    """A run, as Prefect tells of it."""

    id: str
    name: str
    state: str  # by Prefect's names: Scheduled, Late, Running, Completed, Failed, ...; or the flow's own, as Refused
    message: str  # of the state: what came out, or why it failed; "" for none
    created: str  # ISO 8601, UTC
    url: str  # of its page in Prefect


class PrefectApi:
    """A Prefect server, asked with JSON."""

    def __init__(self, address: str, *, headers: Mapping[str, str] | None = None) -> None:
        """`address`: as PREFECT_API_URL has it."""
        self._address = address
        self._headers = dict(headers or {})
        self._host = urlsplit(address).netloc.rpartition("@")[2]  # without a password

    def ask(self, method: str, path: str, body: Any = None, *, until: float) -> "httpx.Response":
        """Ask until there is an answer other than "busy". `until`: as time.monotonic says it.

        Raises PrefectUnavailable.
        """
        import httpx

        renewed = False
        while True:
            answer = self._send(method, path, body, until)
            if answer.status_code == httpx.codes.FORBIDDEN and CSRF in answer.text and not renewed:
                self._renew_csrf_token(until)
                renewed = True
                continue
            busy = answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
            if not busy or time.monotonic() + BUSY_SECONDS > until:
                return self._checked(answer)
            time.sleep(BUSY_SECONDS)

    def _send(self, method: str, path: str, body: Any, until: float) -> "httpx.Response":
        import httpx

        try:
            with client_of(self._address, seconds=max(until - time.monotonic(), 0.001)) as client:
                return client.request(method, path, json=body, headers=self._headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise PrefectUnavailable(
                f"Prefect does not answer at {self._host} ({cause_of(error)}); `make up` starts it on this "
                "machine, and PREFECT_API_URL names another one"
            ) from None

    def _renew_csrf_token(self, until: float) -> None:
        """Send a token from now on; as a client of its own, for a second token of one ends the first."""
        client = str(uuid.uuid4())
        token = self.ask("GET", f"/csrf-token?client={client}", until=until).json()["token"]
        self._headers = {**self._headers, "prefect-csrf-client": client, "prefect-csrf-token": token}

    def _checked(self, answer: "httpx.Response") -> "httpx.Response":
        import httpx

        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise PrefectUnavailable(
                f"Prefect at {self._host} does not know who asks: set PREFECT_API_AUTH_STRING, or PREFECT_API_KEY, to "
                "what it asks for"
            )
        asked = f"{answer.request.method} {answer.request.url.path}"
        if not answer.is_success:
            said = shortened(answer.text, most=MOST_LETTERS)
            raise PrefectUnavailable(f"Prefect at {self._host} answered {asked} with {answer.status_code}: {said}")
        is_json = "json" in answer.headers.get("content-type", "")
        if not is_json and answer.status_code != httpx.codes.NO_CONTENT:
            raise PrefectUnavailable(
                f"what answers at {self._host} is no Prefect server: {asked} brought no JSON; PREFECT_API_URL ends "
                "with /api as a rule"
            )
        return answer


class PrefectRuns:
    """Starts runs of the deployments that `make up` made, and tells how they stand."""

    def __init__(self, api: PrefectApi, *, ui: str, seconds: float | None = None) -> None:
        """`ui`: where people look at runs; `seconds`: for what one call asks, ANSWER_SECONDS where left out."""
        self._api = api
        self._ui = ui
        self._seconds = seconds

    @classmethod
    def of(cls, settings: Settings, *, seconds: float | None = None) -> "PrefectRuns | None":
        """What the environment names, None for nothing. Raises BadInput for an address that is none."""
        if not settings.prefect_api_url:
            return None
        given = {"PREFECT_API_URL": settings.prefect_api_url, "PREFECT_UI_URL": settings.prefect_ui_url}
        for name, address in given.items():
            if address and not is_address(address):
                raise BadInput(f"{name} is no address; expected one such as http://127.0.0.1:4200/api")
        return cls(
            PrefectApi(settings.prefect_api_url, headers=authorization_of(settings)),
            ui=ui_of(settings),
            seconds=seconds,
        )

    def start(
        self,
        scenario: str,
        flow: str,
        parameters: Mapping[str, Any],
        *,
        key: str,
        reason: str = "by-hand",
        tags: Sequence[str] = (STARTED_BY_SERVICE,),
    ) -> tuple[FlowRun, bool]:
        """Start a run of a scenario's flow, and whether it is new: with the `key` of an earlier one, it is that one.

        `reason`: a word. Raises NoDeployment, PrefectUnavailable.
        """
        import httpx

        until = self._until()
        wanted = {
            "name": f"{flow} {scenario}",
            "parameters": {"scenario": scenario, **parameters},
            "tags": [scenario_tag(scenario), reason_tag(reason), *tags],
            "idempotency_key": f"{scenario}/{key}",  # Prefect keeps them by flow, and scenarios share those
        }
        path = f"/deployments/{self._deployment(scenario, flow, until)}/create_flow_run"
        answer = self._api.ask("POST", path, wanted, until=until)
        return self._run_of(answer.json()), answer.status_code == httpx.codes.CREATED

    def newest(self, scenario: str, *, most: int) -> list[FlowRun]:
        """The runs of a scenario that were started here, newest first. Raises PrefectUnavailable."""
        ours = {"tags": {"all_": [STARTED_BY_SERVICE, scenario_tag(scenario)]}}
        wanted = {"flow_runs": ours, "sort": "EXPECTED_START_TIME_DESC", "limit": most}
        answer = self._api.ask("POST", "/flow_runs/filter", wanted, until=self._until())
        return [self._run_of(each) for each in answer.json()]

    def last_lines(self, run: str, *, most: int) -> list[str]:
        """What a run printed last, oldest first. Raises PrefectUnavailable."""
        wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_DESC", "limit": most}
        answer = self._api.ask("POST", "/logs/filter", wanted, until=self._until())
        return [each["message"] for each in reversed(answer.json())]

    def _until(self) -> float:
        return time.monotonic() + (ANSWER_SECONDS if self._seconds is None else self._seconds)

    def _deployment(self, scenario: str, flow: str, until: float) -> str:
        wanted = {
            "flows": {"name": {"any_": [flow]}},
            "deployments": {"name": {"any_": [flow]}, "tags": {"all_": [TAG]}},
        }
        found = self._api.ask("POST", "/deployments/filter", wanted, until=until).json()
        if not found:
            raise NoDeployment(f"Prefect has no deployment of {flow}: run `make up`, which makes them all")
        offered = found[0]["parameter_openapi_schema"]["properties"]["scenario"].get("enum", [scenario])
        if scenario not in offered:
            raise NoDeployment(
                f"Prefect does not offer {flow} for {scenario} yet: the flow fleet offers every scenario with a folder "
                "with its next run, and `make down up` does so now"
            )
        return str(found[0]["id"])

    def _run_of(self, values: Mapping[str, Any]) -> FlowRun:
        state = values["state"] or {}
        return FlowRun(
            id=values["id"],
            name=values["name"],
            state=state.get("name") or "",
            message=state.get("message") or "",
            created=values["created"],
            url=f"{self._ui}/runs/flow-run/{quote(values['id'])}",
        )


def authorization_of(settings: Settings) -> dict[str, str]:
    """As Prefect's own client sends it: the text of a server with a password first, else the key of its cloud."""
    if settings.prefect_api_auth_string:
        encoded = base64.b64encode(settings.prefect_api_auth_string.encode()).decode()
        return {"authorization": f"Basic {encoded}"}
    return {"authorization": f"Bearer {settings.prefect_api_key}"} if settings.prefect_api_key else {}


def ui_of(settings: Settings) -> str:
    """Where people look, as Prefect derives it where nobody says; without a password."""
    if settings.prefect_ui_url:
        return settings.prefect_ui_url.rstrip("/")
    api = settings.prefect_api_url.rstrip("/")
    if api.startswith(CLOUD_API):
        place = api.removeprefix(CLOUD_API)
        return CLOUD_UI + place.replace("/accounts/", "/account/").replace("/workspaces/", "/workspace/")
    parts = urlsplit(api.removesuffix("/api"))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
