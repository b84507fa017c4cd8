"""What is documented is what is offered: every path of ours, and every fault that one can bring."""

from typing import Any, cast

import jsonschema_rs
import pytest

from releve.core.errors import Conflict, ReleveError
from releve.serving import native
from releve.serving.explain import routes as explain
from releve.serving.mlflow_scoring import routes as mlflow_scoring
from releve.serving.open_inference import routes as open_inference
from releve.serving.openapi.document import ERRORS, service_document
from releve.serving.page import routes as page


def subclasses(kind: type[ReleveError]) -> set[type[ReleveError]]:
    return {kind}.union(*(subclasses(each) for each in kind.__subclasses__()))


def test_every_path_that_is_offered_is_documented():
    paths = service_document()["paths"]
    documented = {(method.upper(), path) for path, methods in paths.items() for method in methods}

    nothing = cast(Any, None)
    others = [route for each in (open_inference, mlflow_scoring) for route in each.routes(nothing)]
    others += explain.routes(nothing, {})
    offered = {(route.method, route.path) for route in [*native.routes(nothing, {}, nothing), *others]}
    for_people = {(route.method, route.path) for route in page.routes(nothing, {}, nothing, nothing)}

    below = "/scenarios/{scenario}"
    short = {(method, path.removeprefix(below)) for method, path in documented if path.startswith(below)}
    assert offered <= documented | short
    assert documented - offered - for_people == {("GET", f"{below}/openapi.json")}  # the page answers / as JSON, too


def test_every_fault_of_the_service_is_declared():
    raised = {kind for kind in subclasses(ReleveError) if kind.__module__.startswith(("releve.serving", "releve.core"))}

    assert {kind.status for kind in raised if kind is not Conflict} <= ERRORS.keys()


@pytest.mark.parametrize("name", sorted(service_document()["components"]["schemas"]))
def test_every_part_is_a_json_schema_of_the_version_that_openapi_3_1_names(name: str):
    part = service_document()["components"]["schemas"][name]

    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **part})
