"""The model that answers: a folder written by `tasks.pipeline.package`, run by ONNX Runtime (or scikit-learn where the
export failed its parity check).

The folder holds `model.json` (what it is), `model.onnx` or `model.skops` (what runs), and `reference_rows.json`
(against which answers are explained).
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.description import DESCRIPTION, ModelDescription, read_description
from releve.adapters.vectors.embedder_files import load_embedder
from releve.core.documents import parse_document
from releve.core.errors import Conflict, NotFound, ReleveError, Unavailable
from releve.domain.decision.policy import Decided
from releve.domain.decision.rules import Cells, RuleBook
from releve.domain.explanation.references import ReferenceRows
from releve.domain.features.known import KnownValues
from releve.domain.neighbours.embedding import Arrays, Embedder
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Label
from releve.domain.training.pipeline import model_frame

ONNX_FILE, SKOPS_FILE = "model.onnx", "model.skops"
REFERENCE_ROWS_FILE = "reference_rows.json"
NO_REFERENCES = ReferenceRows()
HISTORY = "history.json"  # what was known of lagged columns when the model was made, where it has lags
DECIMALS = 6  # of a probability that is sent
PROBABILITIES, VALUES = "probabilities", "values"  # what an exported model's output is called, by its task
# What the recipes write beyond the estimators that skops knows. Named one by one: a whole module would let in
# functions that run anything (builtins.eval).
TRUSTED_TYPES = frozenset(
    {
        "numpy.dtype",
        "releve.adapters.models.brought_pipeline.BroughtPipeline",
        "releve.domain.ensemble.ensemble.WeightedEnsemble",
        "releve.domain.training.networks.BriefNetworkClassifier",
        "releve.domain.training.networks.BriefNetworkRegressor",
        "releve.domain.training.transformers.BoundedScaler",
        "releve.domain.training.transformers.KnownTfidf",
        "releve.domain.training.transformers.TextFolder",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    }
)


class ModelAltered(Conflict):
    """A model's files are not the ones that were registered."""

    code = "model_altered"


class GoldenMismatch(ReleveError):
    """A model no longer gives the answers it gave when it was packaged."""

    code = "golden_mismatch"


class RuntimeMissing(Unavailable):
    """What a model runs on is not installed here."""

    code = "runtime_missing"


@dataclass(frozen=True)
class ModelOutput:
    """One label per row, and the probability of every class of the target, in its order: float (rows, classes).

    A regression has no probabilities; its labels are floats, not finite where the model could not answer.
    """

    labels: list[Label]
    probabilities: NDArray[np.float64] | None


class Runner(Protocol):
    def __call__(self, arrays: Arrays) -> NDArray[Any]:
        """Probabilities (rows, classes), or the values (rows, 1) of a regression."""


@dataclass(frozen=True)
class Model:
    """A loaded model and everything it takes to ask it."""

    tag: str
    schema: Schema
    embedder: Embedder
    description: ModelDescription
    run: Runner
    references: ReferenceRows = NO_REFERENCES  # none of a model that was made elsewhere, without rows
    known: KnownValues | None = None  # of lagged columns

    def answer(self, arrays: Arrays) -> ModelOutput:
        """Predict rows given as `arrays_of_rows` or `arrays_of_frame` makes them."""
        outputs = self.outputs(arrays)
        if self.schema.target.task == REGRESSION:
            return ModelOutput([float(value) for value in outputs[:, 0]], None)
        classes = self.schema.target.classes
        return ModelOutput([classes[best] for best in outputs.argmax(axis=1)], outputs)

    def outputs(self, arrays: Arrays) -> NDArray[Any]:
        """Predict rows: the probability of every class of the target (n, classes), or the values (n, 1)."""
        outputs = self.run(arrays)
        if self.schema.target.task == REGRESSION:
            return outputs.reshape(-1, 1)
        if self._places is None:
            return outputs
        probabilities = np.zeros((len(outputs), len(self.schema.target.classes)), dtype=outputs.dtype)
        probabilities[:, self._places] = outputs  # a class that no row of the training had is never answered
        return probabilities

    def intervals(self, output: ModelOutput) -> list[list[float]] | None:
        """Return [low, high] of each answer; None of classes, and of a model that was packaged without."""
        conformal, target = self.description.intervals, self.schema.target
        if conformal is None:
            return None
        return conformal.around([float(label) for label in output.labels], low=target.min, high=target.max)

    def decide(self, output: ModelOutput, cells: Cells) -> Decided | None:
        """Decide by answers as they are sent; None of a model without costs. `cells`: of each column, for rules."""
        policy = self.description.decision
        if policy is None:
            return None
        if output.probabilities is None:
            return policy.decide(np.array(output.labels, dtype=np.float64), cells, self._rules)
        return policy.decide(output.probabilities.astype(np.float64).round(DECIMALS), cells, self._rules)

    @cached_property
    def _rules(self) -> RuleBook:
        policy = self.description.decision
        assert policy is not None, "it decides"
        return policy.rule_book(self.schema)

    @cached_property
    def reference_arrays(self) -> Arrays:
        """The reference rows as the model takes them."""
        return arrays_of_rows(self.schema, [each.cells for each in self.references.rows])

    @cached_property
    def _places(self) -> list[int] | None:
        """The place of each class that the model learned among the target's; None when they are the same."""
        learned, classes = self.description.classes, self.schema.target.classes
        return None if learned == classes else [classes.index(label) for label in learned]


def load(folder: Path, *, tag: str, digest: str | None = None) -> Model:
    """Load the model in `folder`. Raises NotFound, or ModelAltered when its bytes do not match `digest`."""
    if not (folder / DESCRIPTION).is_file():
        raise NotFound(f"there is no model in {folder}: {DESCRIPTION} is missing")
    if digest is not None:
        check_digest(folder, tag=tag, digest=digest)
    description, schema = _described(folder, tag)
    if description.runtime == "onnx":
        runner = onnx_runner((folder / ONNX_FILE).read_bytes())
    else:
        runner = pipeline_runner(load_pipeline(folder / SKOPS_FILE), schema)
    known = None
    if (folder / HISTORY).is_file():
        known = parse_document((folder / HISTORY).read_bytes(), KnownValues, source=f"{HISTORY} of model {tag}")
    return Model(
        tag, schema, load_embedder(folder, description.embedder), description, runner, _references(folder, tag), known
    )


def check_golden(model: Model) -> None:
    """Ask a loaded model its golden rows. Raises GoldenMismatch when an answer differs."""
    golden = model.description.golden
    now, packaged = model.answer(arrays_of_rows(model.schema, golden.rows)).labels, list(golden.labels)
    if not golden.are_answered_by(now, task=model.schema.target.task):
        raise GoldenMismatch(
            f"model {model.tag} answers its golden rows with {now}, it was packaged with {packaged}; "
            "it is not released. Compare the installed onnxruntime with the one in requirements.lock"
        )


def schema_of(folder: Path, *, tag: str) -> Schema:
    """The schema that the model in `folder` learned by."""
    return _described(folder, tag)[1]


def _described(folder: Path, tag: str) -> tuple[ModelDescription, Schema]:
    description = read_description(folder, tag=tag)
    return description, Schema.from_dict(description.table, source=f"model {tag}")


def _references(folder: Path, tag: str) -> ReferenceRows:
    path = folder / REFERENCE_ROWS_FILE
    if not path.is_file():
        return NO_REFERENCES
    source, remedy = f"{REFERENCE_ROWS_FILE} of model {tag}", "restore the model store from its backup"
    return parse_document(path.read_bytes(), ReferenceRows, source=source, remedy=remedy)


def folder_digest(folder: Path) -> str:
    """sha256 over names and contents of the model's own files; what BentoML adds does not count."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file() and path.name != "model.yaml"):
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def check_digest(folder: Path, *, tag: str, digest: str) -> None:
    """Raise ModelAltered where the files of a model are not those that were registered."""
    if (actual := folder_digest(folder)) != digest:
        raise ModelAltered(
            f"the files of model {tag} have the digest {actual[:12]}, but {digest[:12]} was registered; "
            "nothing was loaded. Restore the model store from its backup, or roll back"
        )


def onnx_runner(exported: bytes) -> Runner:
    """A runner over an exported model's bytes; one thread, as one worker is one core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])

    wanted = [VALUES if VALUES in {each.name for each in session.get_outputs()} else PROBABILITIES]

    def run(arrays: Arrays) -> NDArray[Any]:
        return np.asarray(session.run(wanted, dict(arrays))[0])

    return run


def load_pipeline(path: Path) -> Any:
    """A pipeline that the stage `train` wrote. Raises ModelAltered for types that no recipe writes, RuntimeMissing."""
    try:
        import pandas  # noqa: F401 - pipelines are asked with frames
        import sklearn  # noqa: F401 - the file names it where it is needed
        import skops.io
        import skops.io.exceptions
    except ImportError as error:
        raise RuntimeMissing(
            f"{path} is a scikit-learn pipeline, and {error.name} is not installed here: install releve[native] "
            "(the service alone needs it only for such models; model.json says at 'parity' why this is one)"
        ) from None

    try:
        return skops.io.load(path, trusted=sorted(TRUSTED_TYPES))
    except skops.io.exceptions.UntrustedTypesFoundException:
        foreign = sorted(set(skops.io.get_untrusted_types(file=path)) - TRUSTED_TYPES)
        raise ModelAltered(
            f"{path} holds types that no recipe writes: {', '.join(foreign)}; nothing was loaded"
        ) from None


def pipeline_runner(pipeline: Any, schema: Schema) -> Runner:
    """A runner over a fitted scikit-learn pipeline, which takes all blocks side by side."""

    def classify(arrays: Arrays) -> NDArray[Any]:
        return np.asarray(pipeline.predict_proba(model_frame(arrays, schema)))

    def estimate(arrays: Arrays) -> NDArray[Any]:
        return np.asarray(pipeline.predict(model_frame(arrays, schema)), dtype=np.float64).reshape(-1, 1)

    return estimate if schema.target.task == REGRESSION else classify
