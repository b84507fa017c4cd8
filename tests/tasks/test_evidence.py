"""Packs of evidence of real model versions."""

import hashlib
import io
import json
import random
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from huggingface_hub import ModelCard

from releve.adapters.evidence import verify_pack
from releve.adapters.evidence.verify_pack import PackDoesNotHold, check_pack
from releve.adapters.models.model_runtime import ModelAltered
from releve.adapters.models.model_store import ModelStore
from releve.cli.app import main
from releve.core.errors import BadInput, NotFound, Unavailable
from releve.domain.evidence.pack import EvidencePacked
from releve.domain.registry.chain import PACKED
from releve.reporting.evidence.contents import ABOUT, README, SIGNATURE
from tasks.evidence import PackAltered, verify_evidence, write_evidence
from tests.tables import SHOP

pytestmark = pytest.mark.slow

TODAY = date(2026, 6, 1)
FLIPS = 1000


@pytest.fixture(scope="module")
def packed(made_released, tmp_path_factory):
    """The shop whose champion was packed, its model, and the pack."""
    shop = made_released.copy(tmp_path_factory.mktemp("packed"))
    model = shop.registry.current(SHOP).release.model
    pack = write_evidence(shop.settings, model, shop.root.parent / "pack.zip", today=TODAY)
    return shop, model, pack


@pytest.fixture(scope="module")
def files(packed):
    with zipfile.ZipFile(packed[2].path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repacked(files, **changes):
    """A pack with other files, whose manifest lists them as if they had always been there."""
    changed = {**files, **{name.replace("__", "."): content for name, content in changes.items()}}
    manifest = json.loads(changed["MANIFEST.json"])
    for name, content in changed.items():
        if name != "MANIFEST.json":
            manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    changed["MANIFEST.json"] = json.dumps(manifest).encode()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in changed.items():
            archive.writestr(name, content)
    return written.getvalue()


def run_verifier(folder, *arguments):
    """Run the pack's own verifier by Python alone, without any package of ours."""
    with zipfile.ZipFile(folder / "pack.zip") as archive:
        archive.extract("verify.py", folder / "alone")
    command = [sys.executable, "-I", "-S", "verify.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder / "alone", capture_output=True, text=True, check=False)


def test_a_pack_is_verified_by_the_registry_and_by_its_own_verifier(packed):
    shop, model, pack = packed

    found = verify_evidence(shop.settings, pack.path)
    alone = run_verifier(pack.path.parent, pack.path, pack.sha256)

    assert (found.model, found.sha256, found.event) == (model, pack.sha256, pack.event)
    assert alone.returncode == 0, alone.stderr
    assert alone.stdout.startswith(f"holds: {model}, ")
    assert all(f"MISSING: {each}" in alone.stdout for each in pack.missing)


def test_every_flipped_byte_is_found(packed):
    content, draw = packed[2].path.read_bytes(), random.Random(70)
    places = [0, len(content) - 1, *draw.sample(range(len(content)), FLIPS - 2)]

    found = 0
    for place in places:
        altered = bytearray(content)
        altered[place] ^= draw.randrange(1, 256)
        with pytest.raises(PackDoesNotHold, match="sha256"):
            check_pack(bytes(altered), packed[2].sha256)
        found += 1

    assert found == FLIPS


def test_an_altered_pack_ends_the_commands_with_an_error(packed, tmp_path, monkeypatch, capsys):
    shop, _, pack = packed
    altered = bytearray(pack.path.read_bytes())
    altered[-1] ^= 1
    (tmp_path / "pack.zip").write_bytes(altered)
    monkeypatch.setenv("RELEVE_PROJECT", str(shop.root))
    monkeypatch.setenv("RELEVE_HOME", str(shop.settings.home))

    assert main(["verify", str(tmp_path / "pack.zip")]) != 0
    assert "no event of this registry has the digest of pack.zip" in capsys.readouterr().err
    alone = run_verifier(pack.path.parent, tmp_path / "pack.zip", pack.sha256)
    assert (alone.returncode, "DOES NOT HOLD" in alone.stderr) == (1, True)
    assert main(["verify", str(pack.path)]) == 0
    assert pack.sha256 in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("evaluation.json", lambda text: text.replace(b"accuracy", b"accuracies"), "evaluation.json is not"),
        ("gate.json", lambda text: text.replace(b'"promote": true', b'"promote": false'), "gate.json, approvals.json"),
        ("releases.json", lambda text: text.replace(b"first", b"naive"), "gate.json, approvals.json"),
        ("chain.jsonl", lambda text: text.replace(b"the first champion", b"the last champion"), "event 3 of chain"),
        ("chain.jsonl", lambda text: b"\n".join(text.splitlines()[:-1]), "does not end at the head"),
    ],
)
def test_a_document_that_is_not_the_chains_is_found_whatever_the_digests_say(files, name, change, problem):
    assert change(files[name]) != files[name]
    content = repacked(files, **{name.replace(".", "__"): change(files[name])})

    with pytest.raises(PackDoesNotHold, match=problem):
        check_pack(content, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all"])
def test_what_is_no_pack_is_said_to_be_none(content):
    with pytest.raises(PackDoesNotHold, match="it is no pack of evidence"):
        check_pack(content, hashlib.sha256(content).hexdigest())


def test_a_digest_that_is_none_is_named(packed):
    with pytest.raises(PackDoesNotHold, match="'abc' is no sha256"):
        check_pack(packed[2].path.read_bytes(), "abc")


def test_the_same_state_makes_the_same_bytes_and_no_second_event(packed):
    shop, model, pack = packed

    again = write_evidence(shop.settings, model, shop.root.parent / "again.zip", today=TODAY)

    assert again.path.read_bytes() == pack.path.read_bytes()
    assert again.event == pack.event
    assert len(shop.registry.events(SHOP, kinds=[PACKED])) == 1


def test_the_digest_stands_in_the_chain_which_holds(packed):
    shop, model, pack = packed

    event = shop.registry.events(SHOP)[-1]

    assert event.read(EvidencePacked).sha256 == hashlib.sha256(pack.path.read_bytes()).hexdigest()
    assert event.read(EvidencePacked).head_hash == event.previous_hash
    assert event.payload["model"] == model
    assert shop.registry.verify(SHOP) == event.number


def test_a_pack_of_another_registry_is_refused(packed, tmp_path):
    shop, _, pack = packed
    elsewhere = replace(shop.settings, registry_url=f"sqlite:///{tmp_path / 'other.db'}")

    with pytest.raises(PackAltered, match="another registry knows it"):
        verify_evidence(elsewhere, pack.path)


def test_every_file_is_told_of_and_what_is_not_there_is_missing(packed, files):
    manifest = json.loads(files["MANIFEST.json"])

    assert {*files} | {SIGNATURE, "fairness.json", "monitoring.json"} == {*ABOUT, README}
    assert {each.partition(":")[0] for each in manifest["missing"]} == (
        {SIGNATURE, "fairness.json", "monitoring.json", "model-card.md", "annex-iv.md"}
    )
    assert all(name in files[README].decode() for name in files if name != README)
    assert files["verify.py"] == Path(verify_pack.__file__).read_bytes()


def test_the_data_versions_have_their_counts_and_the_lock_is_that_of_the_revision(packed, files):
    shop, model, _ = packed
    data, told = json.loads(files["data.json"]), json.loads(files["model.json"])

    assert [(each["batches"], each["rows"]) for each in data["versions"]] == [(1, 100), (2, 200)]
    assert [each["source"] for each in data["files"]] == ["day-1.parquet", "day-2.csv"]
    assert files["requirements.lock"].decode() == (shop.root / "requirements.lock").read_text()
    assert told["model"] == model and "golden" not in told
    assert told["files"].keys() >= {"model.json"}


def test_the_bill_of_materials_is_one_by_the_schema_that_its_library_ships(packed, files):
    bom = json.loads(files["bom.cdx.json"])
    model = bom["metadata"]["component"]

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(files["bom.cdx.json"].decode()) is None
    assert bom["specVersion"] == "1.6" and model["type"] == "machine-learning-model"
    assert model["hashes"] == [{"alg": "SHA-256", "content": json.loads(files["model.json"])["digest"]}]
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["type"] == "accuracy"
    assert {"onnxruntime", "scikit-learn"} <= {each["name"] for each in bom["components"]}


def test_the_contract_is_that_of_the_table(files):
    contract = yaml.safe_load(files["contract.odcs.yaml"])
    columns = {each["name"]: each for each in contract["schema"][0]["properties"]}

    assert contract["apiVersion"] == "v3.1.0"
    assert contract["version"] == json.loads(files["data.json"])["data_version"]
    assert columns["price"]["logicalType"] == "number" and columns["bought"]["tags"] == ["target"]


def test_hugging_face_reads_the_front_matter_of_the_card(files):
    card = ModelCard(files["model-card.md"].decode())

    assert card.data.pipeline_tag == "tabular-classification"
    assert card.data.eval_results[0].metric_type == "accuracy"
    assert card.text.strip().startswith("# Model card: shop:")


def test_a_key_without_the_program_that_signs_is_said_and_nothing_is_written(packed, tmp_path):
    shop, model, _ = packed
    key = tmp_path / "key.pem"
    key.write_text("a key")
    signing = replace(shop.settings, signing_key=str(key), model_signing=str(tmp_path / "none"))

    with pytest.raises(Unavailable, match="install model-signing in an environment of its own"):
        write_evidence(signing, model, tmp_path / "pack.zip")
    with pytest.raises(BadInput, match=r"RELEVE_SIGNING_KEY names .*, which cannot be read"):
        write_evidence(replace(signing, signing_key=str(tmp_path / "no.pem")), model, tmp_path / "pack.zip")

    assert not (tmp_path / "pack.zip").exists()


def test_what_cannot_be_packed_is_said(packed, tmp_path):
    shop, model, _ = packed

    with pytest.raises(BadInput, match=r"expected a file that ends in \.zip"):
        write_evidence(shop.settings, model, tmp_path)
    with pytest.raises(NotFound, match="there is no model shop:none"):
        write_evidence(shop.settings, "shop:none", tmp_path / "pack.zip")
    with pytest.raises(NotFound, match="there is no file"):
        verify_evidence(shop.settings, tmp_path / "pack.zip")


def test_a_model_whose_files_were_altered_is_neither_packed_nor_signed(packed, tmp_path):
    shop = packed[0].copy(tmp_path)
    description = ModelStore(shop.settings.home).folder(packed[1]) / "model.json"
    description.chmod(0o644)
    description.write_bytes(description.read_bytes() + b"\n")

    with pytest.raises(ModelAltered, match="was registered"):
        write_evidence(replace(shop.settings, signing_key="key.pem"), packed[1], tmp_path / "pack.zip", today=TODAY)

    assert not (tmp_path / "pack.zip").exists()


def test_packs_that_are_written_at_once_are_one_event(packed, made_released, tmp_path):
    shop = made_released.copy(tmp_path)
    model = shop.registry.current(SHOP).release.model

    with ThreadPoolExecutor(4) as at_once:
        made = list(
            at_once.map(
                lambda place: write_evidence(shop.settings, model, tmp_path / f"{place}.zip", today=TODAY), range(4)
            )
        )

    assert len({each.sha256 for each in made}) == 1
    assert {each.event for each in made} == {each.number for each in shop.registry.events(SHOP, kinds=[PACKED])}


def test_each_document_is_looked_up_in_the_chain_and_not_searched_for(files):
    told = [dict(json.loads(line)) for line in files["chain.jsonl"].splitlines()]
    compared = 0

    class Counted(dict):
        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return dict.__eq__(self, other)

        def __ne__(self, other):
            return not self == other

    verify_pack.check_documents({"monitoring.json": json.dumps({"events": told}).encode()}, [*map(Counted, told)])

    assert compared == len(told)
