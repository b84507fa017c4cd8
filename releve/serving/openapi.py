"""What requests and answers look like, for the OpenAPI page and BentoML's clients.

Requests are not parsed by these: `JsonRequest` hands the bytes on, and `releve.serving.requests` checks them.
"""

from typing import Any

import bentoml
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from releve.domain.prediction_log.records import Row
from releve.domain.registry.release import Release

ROW_ID = "20260102-0a1b2c3d.4f.9e8d7c.0"
REQUEST_ID = ROW_ID.rpartition(".")[0]


class EndpointModel(bentoml.IODescriptor):  # type: ignore[misc]  # BentoML's types do not reach here
    """What an endpoint takes or gives."""


class Body(EndpointModel):
    """The bytes of a request, as they came."""

    body: bytes


class JsonRequest(EndpointModel):
    """A request whose fields are documented here and checked by Relève."""

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> Body:
        """Called by BentoML; its fields become the arguments of the endpoint."""
        body: Body = Body.model_construct(body=await request.body())
        return body


class PredictRequest(JsonRequest):
    """Rows to predict: every feature of the scenario, null where it may be missing; dates as ISO 8601 text."""

    model_config = ConfigDict(json_schema_extra={"example": {"rows": [{"temperature": 21.5, "season": "summer"}]}})

    rows: list[Row] = Field(description="objects of feature names and values, one or more")


class Prediction(BaseModel):
    """The answer for one row."""

    id: str = Field(description="name this row in /feedback", examples=[ROW_ID])
    label: int | str = Field(description="the class with the highest probability")
    probability: float = Field(description="of that class, 0-1")
    probabilities: dict[str, float] = Field(description="of every class, 0-1")


class NumberPrediction(BaseModel):
    """The answer for one row of a regression."""

    id: str = Field(description="name this row in /feedback", examples=[ROW_ID])
    value: float = Field(description="the predicted number, in the unit of the target")
    interval: tuple[float, float] | None = Field(
        description="low and high: the true number lies between them with the confidence of the model card "
        "(`statistics.confidence`); null where the model was made of too few rows to say",
        examples=[[112.4, 187.9]],
    )


class PredictAnswer(EndpointModel):
    """One prediction per row, in the order of the rows: classes with probabilities, or numbers for a regression."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "request_id": REQUEST_ID,
                "scenario": "bikes",
                "model_version": "bikes:3f2a91c0",
                "index_version": "releve_bikes_3f2a91c0",
                "arm": "champion",
                "naive": False,
                "predictions": [
                    {"id": ROW_ID, "label": "many", "probability": 0.98, "probabilities": {"few": 0.02, "many": 0.98}}
                ],
            }
        }
    )

    request_id: str
    scenario: str
    model_version: str
    index_version: str | None = Field(description="null where a packed model serves without an index")
    arm: str = Field(description="which of the models that share the traffic answered")
    naive: bool = Field(description="whether this is the naive answer, the same to every row: no model is better yet")
    predictions: list[Prediction] | list[NumberPrediction]


class SearchRequest(JsonRequest):
    """Near what: a `row` (embedded here) or a `vector`, not both."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"row": {"temperature": 21.5, "season": "summer"}, "limit": 10, "label": "many"}}
    )

    row: Row | None = Field(default=None, description="an object of feature names and values")
    vector: list[float] | None = Field(default=None, description="as long as the index's vectors")
    limit: int = Field(default=10, description="neighbours at most")
    label: int | str | None = Field(default=None, description="only neighbours of this class; not for a regression")


class FoundRow(BaseModel):
    """One row that the model learned from."""

    label: int | float | str
    distance: float = Field(description="squared Euclidean distance between the vectors")
    batch: str = Field(description="the incoming file that the row came with")
    row: int = Field(description="its position there, from 0")
    row_id: str | None = Field(description="what the table's own `id` column calls it; null where there is none")


class SearchAnswer(EndpointModel):
    """Neighbours, nearest first."""

    request_id: str
    scenario: str
    model_version: str
    index_version: str
    arm: str
    neighbours: list[FoundRow]


class FeedbackRequest(JsonRequest):
    """What the right answers were; late and out of order are fine.

    Of several labels for one row the newest counts: for the live accuracy at once, for training until the row is
    harvested. A label corrected after that never reaches the training rows.
    """

    model_config = ConfigDict(json_schema_extra={"example": {"labels": [{"id": ROW_ID, "label": "many"}]}})

    labels: list[Row] = Field(
        description="objects with the `id` of a predicted row and its `label`: a class, or the number of a regression"
    )


class FeedbackAnswer(EndpointModel):
    """All labels are on disk; none is when the answer is an error."""

    request_id: str
    accepted: int


class StatusRequest(JsonRequest):
    """Nothing is asked for; the body may be empty."""


class StatusAnswer(EndpointModel):
    """What this worker serves."""

    request_id: str
    scenario: str
    release: Release | None = Field(description="null without a registry's release")
    model_version: str | None
    since: str | None = Field(description="ISO 8601, UTC")
    loaded: bool = Field(description="whether the model is in memory; if not, the next request loads it")
    naive: bool | None = Field(
        description="whether the naive answer serves, as no model is better yet; null before it is loaded"
    )
    registry_reachable: bool | None = Field(description="null where a packed model serves without a registry")
    index_reachable: bool | None = Field(description="null where there is no index")
    ledger_problem: str | None = Field(description="why no answer can be written, and so none is given; mostly null")
    rows_answered: int = Field(description="by this worker since it started, or since the scenario was archived")
