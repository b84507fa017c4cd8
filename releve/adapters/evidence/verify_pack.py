"""Check a pack of evidence of Relève by its digest: python verify.py PACK.zip SHA256

It needs Python's standard library alone, so that whoever was given a pack can read what checks it. The digest comes
from another place than the pack: `releve history SCENARIO --kind packed --json`, or whoever gave you the pack. Checked
are the digest of the whole file, those of the files in it, the hashes of the chain of events, and that the gate's
decision, the evaluation, the approvals and the monitoring runs are the chain's. Exit code 0: it holds; 1: it does not.
"""

import hashlib
import hmac
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

GENESIS = "0" * 64  # stands for the hash before the first event
DIGEST = 64  # hexadecimal digits of a sha256


class PackDoesNotHold(Exception):
    """What is wrong with a pack, as a sentence."""


def check_pack(content: bytes, digest: str) -> dict[str, Any]:
    """Return the manifest of a pack that holds. Raises PackDoesNotHold with the first thing that is wrong."""
    found, expected = hashlib.sha256(content).hexdigest(), digest.strip().lower()
    if len(expected) != DIGEST or set(expected) - set("0123456789abcdef"):
        raise PackDoesNotHold(f"{digest!r} is no sha256; expected {DIGEST} hexadecimal digits")
    if not hmac.compare_digest(found, expected):
        raise PackDoesNotHold(f"the file's sha256 is {found}, and not {expected}: it was altered, or is another pack")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            files = {name: archive.read(name) for name in names}
        manifest = json.loads(files.pop("MANIFEST.json"))
        check_files(manifest["files"], files, twice=len(names) != len(set(names)))
        events = [json.loads(line) for line in files["chain.jsonl"].splitlines()]
        check_chain(events, manifest)
        check_documents(files, events)
    except (zipfile.BadZipFile, KeyError, TypeError, AttributeError, ValueError, NotImplementedError) as error:
        raise PackDoesNotHold(f"it is no pack of evidence: {type(error).__name__}: {error}") from None
    return dict(manifest)


def check_files(listed: dict[str, dict[str, Any]], files: dict[str, bytes], *, twice: bool) -> None:
    """Check that the files are those that the manifest lists."""
    if twice or set(listed) != set(files):
        odd = ", ".join(sorted(set(listed) ^ set(files))) or "a name that stands twice"
        raise PackDoesNotHold(f"its files are not those of MANIFEST.json: {odd}")
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != listed[name]["sha256"] or len(content) != listed[name]["bytes"]:
            raise PackDoesNotHold(f"{name} is not the file that MANIFEST.json lists")


def check_chain(events: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
    """Check each hash and each number, and that the chain ends where the manifest says."""
    previous = GENESIS
    for number, event in enumerate(events, start=1):
        hashed = {name: value for name, value in event.items() if name != "hash"}
        text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        right = hashlib.sha256(text.encode()).hexdigest()
        if (event["number"], event["previous_hash"], event["hash"]) != (number, previous, right):
            raise PackDoesNotHold(f"event {number} of chain.jsonl was changed, or is not in its place")
        if event["scenario"] != manifest["scenario"]:
            raise PackDoesNotHold(f"event {number} of chain.jsonl is of another scenario")
        previous = right
    if (len(events), previous) != (manifest["head"], manifest["head_hash"]):
        raise PackDoesNotHold("chain.jsonl does not end at the head that MANIFEST.json names")


def check_documents(files: dict[str, bytes], events: list[dict[str, Any]]) -> None:
    """Check that what is told of events is what the chain has."""
    gate = json.loads(files["gate.json"]) if "gate.json" in files else None
    told = [gate] if gate else []
    for name in ("approvals.json", "releases.json", "monitoring.json"):
        told += json.loads(files[name])["events"] if name in files else []
    numbered = {event["number"]: event for event in events}
    if any(event != numbered.get(event["number"]) for event in told):
        raise PackDoesNotHold(
            "gate.json, approvals.json, releases.json or monitoring.json has what chain.jsonl has not"
        )
    if "evaluation.json" in files and (
        not gate or json.loads(files["evaluation.json"]) != gate["payload"]["evaluation"]
    ):
        raise PackDoesNotHold("evaluation.json is not the evaluation that the gate judged by")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python verify.py PACK.zip SHA256")
    try:
        held = check_pack(Path(sys.argv[1]).read_bytes(), sys.argv[2])
    except (PackDoesNotHold, OSError) as problem:
        sys.exit(f"DOES NOT HOLD: {problem}")
    print(f"holds: {held['model']}, {len(held['files'])} files, {held['head']} events up to {held['head_hash']}")
    print("\n".join(f"MISSING: {each}" for each in held["missing"]))
