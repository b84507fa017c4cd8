"""Runs of flows that operators start here. Prefect makes them and its worker carries them out: not this process."""

import re
import secrets

from releve.adapters.prefect.api import FlowRun, PrefectRuns
from releve.core.errors import BadInput, NotFound
from releve.serving.edge.access import Access
from releve.serving.requests import Flow, WantedRun

SHOWN = 5  # runs, the newest
KEY = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class FlowRuns:
    """Starts runs where Prefect is known and an operator token is set. Its calls wait for Prefect."""

    def __init__(self, prefect: PrefectRuns | None, access: Access) -> None:
        """`prefect`: None where none is named."""
        self._prefect = prefect
        self._access = access

    @property
    def are_offered(self) -> bool:
        """Whether there is a Prefect to ask."""
        return self._prefect is not None

    def start(self, scenario: str, wanted: WantedRun, *, key: str, reason: str) -> tuple[FlowRun, bool]:
        """Start a run, and whether it is new: with the `key` of an earlier one, it is that one.

        `reason`: what the history says of a retraining.

        Raises NotFound, BadInput, NoDeployment, PrefectUnavailable.
        """
        if not KEY.fullmatch(key):
            raise BadInput("the key of a run to start is 1 to 128 letters, digits and characters of ._:/+=-")
        parameters = {"search": wanted.search, "reason": reason} if wanted.flow is Flow.RETRAIN else {}
        return self._known(scenario).start(scenario, wanted.flow, parameters, key=key)

    def newest(self, scenario: str) -> list[FlowRun]:
        """The newest of the runs that were started here. Raises NotFound, PrefectUnavailable."""
        return self._known(scenario).newest(scenario, most=SHOWN)

    def _known(self, scenario: str) -> PrefectRuns:
        by_hand = f"on the machine of the project: make {Flow.RETRAIN} SCENARIO={scenario}"
        if self._access.is_open:
            raise NotFound(
                f"no operator token is set (RELEVE_TOKEN_OPERATE), so that nobody may start runs here; {by_hand}"
            )
        if self._prefect is None:
            raise NotFound(f"this service knows no Prefect to start runs (PREFECT_API_URL is not set); {by_hand}")
        return self._prefect


def new_key() -> str:
    """A key that nobody has used."""
    return secrets.token_hex(16)
