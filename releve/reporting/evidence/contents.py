"""All files of a pack, from its documents: for people, and in the forms that others have programs for."""

import json
from collections.abc import Mapping
from typing import Any

from releve.adapters.evidence.data_contract import ContractedTable, data_contract
from releve.adapters.evidence.ml_bom import BomContents, MeasuredScore, ml_bom
from releve.core.formatting import counted
from releve.core.names import ModelTag
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evidence.pack import CHAIN, MANIFEST, VERIFIER
from releve.domain.registry.chain import canonical_json
from releve.reporting.blocks import Block, CommandBlock, ReportPage, ReportSection, TableBlock, TextBlock
from releve.reporting.evidence.annex_iv import build_annex_iv, missing_points
from releve.reporting.evidence.documents import ModelEvidence, documents
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.model_card.card import build_model_card

SIGNATURE, CONTRACT, BOM, README = "model.sig", "contract.odcs.yaml", "bom.cdx.json", "README.md"
ABOUT = {  # every file that a pack can have: what it is, and what it means that it is not there
    "model-card.md": ("the model card, with front matter for Hugging Face", ""),
    "model-card.html": ("the same as a page", ""),
    "purpose.json": ("purpose, limits and owner, as people wrote them", ""),
    "model.json": ("what the model is: schema, members, runtime, digests of its files", ""),
    "gate.json": ("the event of the gate's decision, whole", "no gate has judged this model"),
    "evaluation.json": ("what the gate judged by", "no gate has judged this model"),
    "fairness.json": (
        "how groups are treated",
        "no protected columns are named (gate.protected), or no gate has judged it",
    ),
    "approvals.json": ("whom the registry asked, and what they said; no events where nobody had to be asked", ""),
    "releases.json": ("when it went into service", ""),
    "data.json": ("data versions, counts, files and the schema of the rows", "no gate has judged this model"),
    "lineage.json": ("code revision, digests, and the environment that it was made in", ""),
    "monitoring.json": (
        "drift and quality since it went into service",
        "it was not monitored since it went into service",
    ),
    "params.yaml": ("settings at the model's revision", "the model's revision is not in this clone"),
    "scenario.yaml": ("the scenario's own settings there", "the model's revision is not in this clone"),
    "requirements.lock": ("every library, with hashes, there", "the model's revision is not in this clone"),
    BOM: ("bill of materials: CycloneDX 1.6", ""),
    CONTRACT: ("data contract: ODCS 3.1", "the model's description left this machine, or no gate has judged it"),
    SIGNATURE: ("signature of the model's files: OpenSSF Model Signing", "{no_signature}"),
    "annex-iv.md": ("skeleton of Annex IV of Regulation (EU) 2024/1689", ""),
    "annex-iv.html": ("the same as a page", ""),
    CHAIN: ("every event of the scenario, each with the hash of the one before it", ""),
    VERIFIER: ("checks a pack by its digest; needs Python alone", ""),
    MANIFEST: ("the digest of every other file", ""),
}


def pack_contents(evidence: ModelEvidence) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """Return the files of a pack by name, less manifest and verifier, and what is MISSING, in sentences."""
    told, record = documents(evidence), evidence.record
    card, annex = build_model_card(record), build_annex_iv(record.model, told)
    texts = {name: json.dumps(each, indent=2, ensure_ascii=False) + "\n" for name, each in told.items()}
    texts |= {"model-card.md": render_markdown(card), "model-card.html": render_html(card), **evidence.texts}
    texts |= {"annex-iv.md": render_markdown(annex), "annex-iv.html": render_html(annex)}
    texts[CHAIN] = "".join(f"{canonical_json(event.as_dict())}\n" for event in evidence.chain)
    texts[BOM] = ml_bom(_bom_contents(evidence, told))
    if record.schema and record.challenger:
        texts[CONTRACT] = data_contract(_contracted_table(evidence))
    files = {name: text.encode() for name, text in texts.items()}
    if evidence.signature:
        files[SIGNATURE] = evidence.signature
    missing = _missing(evidence, {*files, VERIFIER, MANIFEST})
    for count, where in ((card.missing, "model-card.md"), (missing_points(told), "annex-iv.md")):
        if count:
            missing.append(f"{where}: {counted(count, 'thing')}, each named in its place")
    files[README] = render_markdown(_readme(evidence, {*files, VERIFIER, MANIFEST}, missing)).encode()
    return files, tuple(missing)


def _missing(evidence: ModelEvidence, names: set[str]) -> list[str]:
    reasons = {name: reason.format(no_signature=evidence.no_signature) for name, (_, reason) in ABOUT.items()}
    return [f"{name}: {reason}" for name, reason in reasons.items() if name not in names]


def _readme(evidence: ModelEvidence, names: set[str], missing: list[str]) -> ReportPage:
    """Write what is in a pack, what is not, and how to check it."""
    rows = tuple((name, about) for name, (about, _) in ABOUT.items() if name in names)
    commands = "python verify.py PACK.zip SHA256"
    if evidence.signature:
        commands += "\nmodel_signing verify key MODEL_FOLDER --signature model.sig --public_key PUBLIC.pem"
    blocks: list[Block] = [TableBlock(("file", "what it is"), rows)]
    how = (
        "Ask who gave you the pack for its digest: it stands in the scenario's chain of events, in the event packed "
        f"that followed event {evidence.head.number}."
    )
    return ReportPage(
        f"Evidence of {evidence.record.model}",
        f"as of {evidence.record.today}; chain up to event {evidence.head.number}, {evidence.head.hash}",
        (
            ReportSection("Check it", (TextBlock((how,)), CommandBlock(commands))),
            ReportSection("What is in it", tuple(blocks)),
            ReportSection("MISSING", (TextBlock(tuple(missing) or ("nothing",), points=True),)),
        ),
    )


def _contracted_table(evidence: ModelEvidence) -> ContractedTable:
    record = evidence.record
    assert record.schema and record.challenger
    return ContractedTable(
        scenario=ModelTag.parse(record.model).scenario,
        schema=record.schema,
        data_version=record.challenger.data_version,
        made_at=record.data.at if record.data else "",
        rows=record.challenger.rows,
        **{name: str(record.texts.get(name) or "") for name in ("purpose", "limits", "owner")},
    )


def _bom_contents(evidence: ModelEvidence, told: Mapping[str, Any]) -> BomContents:
    record, tag = evidence.record, ModelTag.parse(evidence.record.model)
    challenger, schema = record.challenger, record.schema
    members = record.ensemble.members if record.ensemble else ()
    return BomContents(
        scenario=tag.scenario,
        version=tag.version,
        digest=challenger.model_digest if challenger else "",
        files=evidence.model_files,
        made_at=record.judgement.at if record.judgement else evidence.head.at,
        task=record.description.task if record.description else "",
        architecture=", ".join(dict.fromkeys(member.recipe for member in members if member.weight and member.recipe)),
        input=", ".join(f"{each.name}: {each.type}" for each in schema.features) if schema else "",
        output=f"{schema.target.name}: {schema.target.task}" if schema else "",
        data_version=challenger.data_version if challenger else "",
        rows=challenger.rows if challenger else None,
        personal=tuple(each.name for each in schema.columns if each.personal) if schema else (),
        scores=_scores(record.evaluation) if record.evaluation else (),
        properties={name: value for name, value in told["lineage.json"]["lineage"].items() if value},
        lock=evidence.texts.get("requirements.lock", ""),
        **{name: str(record.texts.get(name) or "") for name in ("purpose", "limits", "owner")},
    )


def _scores(evaluation: Evaluation) -> tuple[MeasuredScore, ...]:
    own, metric = evaluation.score, evaluation.metric
    others = [(name, value) for name, value in evaluation.challenger.metrics.items() if name != metric]
    return (
        MeasuredScore(metric, own.value, low=own.low, high=own.high),
        *(MeasuredScore(name, value) for name, value in others),
        *(
            MeasuredScore(metric, part.challenger, part.name)
            for part in evaluation.slices
            if part.challenger is not None
        ),
        *(
            MeasuredScore(
                metric, group.score.value, f"{group.column} = {group.value}", group.score.low, group.score.high
            )
            for group in evaluation.groups
            if group.score
        ),
    )
