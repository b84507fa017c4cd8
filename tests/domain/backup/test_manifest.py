import pytest

from releve.core.documents import parse_document
from releve.core.errors import BadInput
from releve.domain.backup.manifest import BackupManifest, SavedFile, newest_manifest

DIGEST = "ab" * 32


def make_file(path: str = "home/ledger/shop/a.jsonl", **changes: object) -> dict[str, object]:
    return {"path": path, "sha256": DIGEST, "size": 3, "mode": 0o644, "modified": 0, **changes}


def make_manifest(*files: dict[str, object]) -> BackupManifest:
    values = {
        "format": 1,
        "made_at": "2026-01-31T02:00:00+00:00",
        "version": "1",
        "head": "ef" * 20,
        "bundle": DIGEST,
        "branches": {},
        "scenarios": {},
        "files": files,
    }
    return BackupManifest.model_validate(values)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "home/../../etc/passwd", "home//a", "home/./a", "home", "home/a\0", ""]
)
def test_a_path_that_leads_elsewhere_is_no_file_of_a_backup(path: str) -> None:
    with pytest.raises(ValueError, match="is no path below a folder"):
        SavedFile.model_validate(make_file(path))


def test_a_name_with_two_dots_in_it_is_no_way_out() -> None:
    assert SavedFile.model_validate(make_file("home/incoming/shop/a..b.csv")).below == "incoming/shop/a..b.csv"


@pytest.mark.parametrize("digest", ["", "ab" * 31, "AB" * 32, "../" + "a" * 61])
def test_a_content_is_named_by_a_sha256(digest: str) -> None:
    with pytest.raises(ValueError, match="is no sha256"):
        SavedFile.model_validate(make_file(sha256=digest))


def test_a_content_that_two_files_have_counts_once() -> None:
    manifest = make_manifest(make_file(), make_file("data/shop/abc"), make_file("home/b/c", sha256="cd" * 32, size=10))

    assert manifest.size == 13
    assert [file.path for file in manifest.of("home")] == ["home/ledger/shop/a.jsonl", "home/b/c"]


def test_the_newest_backup_is_that_with_a_manifest() -> None:
    names = ["20260131T020000Z.json", "20260201T020000Z.json", "20260202T020000Z.bundle", "objects", "zzz.json"]

    assert newest_manifest(names) == "20260201T020000Z.json"
    assert newest_manifest(["objects"]) == ""


def test_a_manifest_of_another_format_is_refused() -> None:
    text = make_manifest().model_dump_json().replace('"format":1', '"format":2')

    with pytest.raises(BadInput, match="a backup is not as this version of Relève writes it: its 'format' is wrong"):
        parse_document(text, BackupManifest, source="a backup")
