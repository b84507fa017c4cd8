"""What a model card says of how a model version was made: for what, of which data, by which recipe; and its life."""

from collections.abc import Mapping
from typing import Any

from releve.domain.evaluation.evaluation import Sanity
from releve.reporting.blocks import MISSING, Block, FactList, TableBlock, TextBlock
from releve.reporting.card.card import Evidence, facts, figure, nothing, said

LINEAGE = ("git revision", "model digest", "data version", "params digest", "requirements.lock digest")
HAPPENED = ("at", "what", "by", "why")
SHOWN_TRIALS = 8  # of a search, the best first
SHOWN_COLUMNS = 40  # that the table of columns names


def purpose(evidence: Evidence) -> list[Block]:
    """What only a person can say, and the question."""
    card, target = evidence.params.get("card", {}), evidence.description.get("schema", {}).get("target", {})
    told = tuple((name, said(card.get(name))) for name in ("purpose", "limits", "owner"))
    question = (("predicts", said(target.get("name"))), ("task", said(evidence.description.get("task"))))
    classes = target.get("classes")
    allowed = (("classes", ", ".join(map(str, classes))),) if classes else (("range", _range(target)),)
    positive = (("positive class", str(target["positive"])),) if target.get("positive") is not None else ()
    return [FactList((*told, *question, *allowed, *positive))]


def data(evidence: Evidence) -> list[Block]:
    """Which rows, and the columns they have."""
    challenge, data = evidence.challenge, evidence.data
    window = evidence.description.get("recipe", {}).get("last_batches")
    told = {
        "data version": challenge.get("data_version"),
        "labelled rows": challenge.get("rows"),
        "batches": data.get("batches"),
        "newest batch": data.get("batch"),
        "ingested at": data.get("at"),
        "window": {None: None, 0: "all rows"}.get(window, f"the newest {window} batches"),
        "holdout": _of(challenge, "holdout_rows", " rows, the newest; what was judged had not learned from them"),
    }
    return [FactList(facts(told)), *_features(evidence.description.get("schema", {}))]


def _features(schema: Mapping[str, Any]) -> list[Block]:
    columns = schema.get("columns", {})
    rows = [
        (name, str(spec.get("type")), _allowed(spec), "yes" if spec.get("feature", True) else "no")
        for name, spec in list(columns.items())[:SHOWN_COLUMNS]
    ]
    more = [TextBlock((f"and {len(columns) - SHOWN_COLUMNS} more columns",))] if len(columns) > SHOWN_COLUMNS else []
    return [TableBlock(("column", "type", "allowed", "seen by the model"), tuple(rows)), *more] if rows else [nothing()]


def recipe(evidence: Evidence) -> list[Block]:
    """The recipe, how it was found, and that it was refitted."""
    recipe = evidence.description.get("recipe", {})
    told = {
        "recipe": recipe.get("recipe"),
        "scale": recipe.get("scale"),
        "options": _options(recipe.get("options")),
        "seed": recipe.get("seed"),
        "search": _search(recipe) if recipe else None,
    }
    refit = (
        "The recipe was refitted on all labelled rows of its window, the holdout included: that refit is this model. "
        "The figures below are those of the same recipe, fitted without the rows it was judged on."
    )
    return [FactList(facts(told)), TextBlock((refit,)), *_trials(evidence)]


def _trials(evidence: Evidence) -> list[Block]:
    """The best of a search, best first."""
    recipe = evidence.description.get("recipe", {})
    scored = [trial for trial in recipe.get("trials", ()) if trial.get("score") is not None]
    best = sorted(scored, key=lambda trial: -evidence.sign * trial["score"])[:SHOWN_TRIALS]
    rows = [
        (
            said(trial.get("number")),
            said(trial.get("origin")),
            said(trial.get("recipe")),
            said(_options(trial.get("options"))),
            figure(trial["score"]),
        )
        for trial in best
    ]
    return (
        [TableBlock(("trial", "origin", "recipe", "options", said(recipe.get("metric"))), tuple(rows))] if rows else []
    )


def serving(evidence: Evidence) -> list[Block]:
    """What answers, and how fast."""
    description, latency = evidence.description, evidence.challenge.get("latency_ms")
    parity = description.get("parity") or "the exported model answers as the trained one"
    told = {
        "runtime": description.get("runtime"),
        "parity": parity if "parity" in description else None,
        "latency": None if latency is None else f"{latency:.3g} ms of CPU time for one answer, 95 of 100 times",
        "golden rows": len(description["golden"]["rows"]) if description.get("golden") else None,
        "slightly altered rows": str(Sanity.model_validate(description["sanity"]))
        if description.get("sanity")
        else None,
    }
    return [FactList(facts(told))]


def life(evidence: Evidence) -> list[Block]:
    """Where it stands, and how it came there."""
    rows = tuple(tuple(map(str, line)) for line in evidence.life)
    return [FactList((("state", said(evidence.state)),)), TableBlock(HAPPENED, rows) if rows else nothing()]


def lineage(evidence: Evidence) -> list[Block]:
    """What it can be made of again."""
    made = evidence.description.get("environment", {})
    lines = tuple((name, said(evidence.lineage.get(name))) for name in LINEAGE)
    return [FactList((*lines, *((name, said(made.get(name))) for name in (made or ("python", "platform")))))]


def _of(challenge: Mapping[str, Any], key: str, unit: str) -> str | None:
    value = challenge.get("evaluation", {}).get(key)
    return None if value is None else f"{value}{unit}"


def _options(options: Mapping[str, Any] | None) -> str | None:
    if options is None:
        return None
    return ", ".join(f"{name} = {_option(value)}" for name, value in options.items()) or "the defaults"


def _option(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _search(recipe: Mapping[str, Any]) -> str:
    if not recipe.get("asked"):
        return "none: named in params.yaml"
    stopped = f", stopped by {recipe['stopped_by']}" if recipe.get("stopped_by") else ""
    score = f"{recipe.get('metric')} {figure(recipe.get('score'))} on blocks before the holdout"
    return f"{recipe.get('done')} of {recipe['asked']} trials{stopped}; the chosen one has {score}"


def _range(target: Mapping[str, Any]) -> str:
    if not target:
        return MISSING
    low, high = target.get("min"), target.get("max")
    return f"{'any' if low is None else low} to {'any' if high is None else high}"


def _allowed(spec: Mapping[str, Any]) -> str:
    parts = [f"{name} {spec[name]}" for name in ("min", "max", "max_length") if spec.get(name) is not None]
    parts += [", ".join(map(str, spec["categories"]))] if spec.get("categories") else []
    return "; ".join([*parts, *(["may be missing"] if spec.get("nullable") else [])])
