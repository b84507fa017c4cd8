"""A Bento of the model that a commit makes, and the golden requests that prove a service of it right."""

from collections.abc import Callable
from dataclasses import dataclass

from releve.adapters.http.predictions import ask_predictions
from releve.adapters.models import bento_builds
from releve.adapters.models.description import GoldenRequests
from releve.adapters.models.model_runtime import check_golden, folder_digest
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import Conflict
from releve.core.settings import Settings
from tasks.delivery.checkouts import checked_out


class OtherAnswers(Conflict):
    """A service answers golden requests otherwise, or by another model."""

    code = "other_answers"


@dataclass(frozen=True)
class Packed:
    """The Bento, and what a service of it has to answer."""

    bento: bento_builds.BuiltBento
    golden: GoldenRequests


def pack(settings: Settings, scenario: str, *, progress: Callable[[str], None] = lambda line: None) -> Packed:
    """Pack the model that the commit makes; what the data remote has of it is not made again.

    The same commit makes the same model, and so the same version. Raises BadInput, PipelineFailed, GoldenMismatch.
    """
    with checked_out(settings, scenario, holder="pack") as checkout:
        checkout.build(pull=True, progress=progress)
        version, store = folder_digest(checkout.files.model)[:12], ModelStore(settings.home)
        stored = store.save(checkout.files.model, scenario=scenario, version=version, labels={"project": "releve"})
        model = store.load(stored.tag)
        check_golden(model)
        progress(f"building the Bento of {stored.tag}")
        sources = checkout.branch.code_digest(checkout.truth.revision)
        bento = bento_builds.build(checkout.tree.path, settings.home, stored.tag, version=version, sources=sources)
        return Packed(bento, GoldenRequests.of(model.description, model=stored.tag))


def check_service(settings: Settings, address: str, golden: GoldenRequests) -> int:
    """Ask the service at `address` the golden requests; how many rows it answered as the model was packed.

    Raises OtherAnswers, Unavailable, TokenRefused.
    """
    answered = ask_predictions(address, golden.scenario, golden.golden.rows, token=settings.service_token)
    if answered.model != golden.model:
        raise OtherAnswers(f"{address} answers {golden.scenario} with {answered.model}; expected {golden.model}")
    if not golden.golden.are_answered_by(answered.labels, task=golden.task):
        raise OtherAnswers(
            f"{address} answers the golden rows of {golden.model} with {list(answered.labels)}; it was packed with "
            f"{list(golden.golden.labels)}. Compare the image's onnxruntime with requirements-service.lock"
        )
    return len(golden.golden.rows)
