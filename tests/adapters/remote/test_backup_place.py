import hashlib
import io
from pathlib import Path

import pytest

from releve.adapters.remote.backup_place import BackupDamaged, BackupPlace, BackupUnavailable
from releve.core.errors import BadInput, NotFound, StorageRefused

CONTENT = b"rows" * 100_000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["folder", "url"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> BackupPlace:
    """A folder, and the same by a URL, as any other file system is written to."""
    folder = tmp_path / "backups"
    return BackupPlace(str(folder) if request.param == "folder" else folder.as_uri())


def keep(place: BackupPlace, source: Path) -> tuple[str, int, bool]:
    with source.open("rb") as file:
        kept = place.keep(file)
    return kept.sha256, kept.size, kept.is_new


def objects(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "backups" / "objects").rglob("*") if path.is_file()]


def test_a_content_is_kept_once_and_comes_back_as_it_was(tmp_path: Path, source: Path) -> None:
    place = BackupPlace(str(tmp_path / "backups"))
    first, second = keep(place, source), keep(place, source)

    place.fetch(DIGEST, tmp_path / "back" / "rows")

    assert first == (DIGEST, len(CONTENT), True)
    assert second == (DIGEST, len(CONTENT), False)
    assert (tmp_path / "back" / "rows").read_bytes() == CONTENT
    assert objects(tmp_path) == [tmp_path / "backups" / "objects" / DIGEST[:2] / DIGEST]


def test_a_content_that_was_half_written_elsewhere_is_written_anew(tmp_path: Path, source: Path) -> None:
    place = BackupPlace((tmp_path / "backups").as_uri())
    half = tmp_path / "backups" / "objects" / DIGEST[:2] / DIGEST
    half.parent.mkdir(parents=True)
    half.write_bytes(CONTENT[:7])

    assert keep(place, source) == (DIGEST, len(CONTENT), True)
    assert half.read_bytes() == CONTENT


def test_a_file_that_grows_is_kept_as_long_as_it_was(tmp_path: Path, source: Path) -> None:
    place = BackupPlace(str(tmp_path / "backups"))
    with source.open("rb") as file:
        grows = _Growing(file, source)
        kept = place.keep(grows)

    assert (kept.sha256, kept.size) == (DIGEST, len(CONTENT))
    assert source.stat().st_size > len(CONTENT)


class _Growing(io.RawIOBase):
    """A file that another process adds a line to, each time that somebody reads."""

    def __init__(self, file, path):
        self._file, self._path = file, path

    def read(self, size=-1):
        with self._path.open("ab") as more:
            more.write(b"a line\n")
        return self._file.read(size)

    def seek(self, *arguments):
        return self._file.seek(*arguments)

    def fileno(self):
        return self._file.fileno()


def test_an_altered_content_is_refused_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    place = BackupPlace(str(tmp_path / "backups"))
    keep(place, source)
    objects(tmp_path)[0].write_bytes(CONTENT[:-1] + b"x")

    with pytest.raises(BackupDamaged, match=f"the file {DIGEST} in .* was altered: its content gives"):
        place.fetch(DIGEST, tmp_path / "back" / "rows")

    assert list((tmp_path / "back").iterdir()) == []


def test_a_lost_content_is_named(tmp_path: Path) -> None:
    place = BackupPlace(str(tmp_path / "backups"))

    with pytest.raises(BackupDamaged, match=f"has lost the file {DIGEST}; restore another backup"):
        place.fetch(DIGEST, tmp_path / "rows")


def test_a_place_that_is_not_there_yet_has_no_backup(place: BackupPlace) -> None:
    assert place.names() == []
    with pytest.raises(NotFound, match=r"there is no 20260131T020000Z\.json"):
        place.read("20260131T020000Z.json")


def test_what_was_written_is_listed_and_read(place: BackupPlace, source: Path, tmp_path: Path) -> None:
    keep(place, source)
    place.write("20260131T020000Z.json", b"{}")
    place.put_named("20260131T020000Z.bundle", source)

    place.fetch_named("20260131T020000Z.bundle", tmp_path / "bundle", DIGEST)

    assert sorted(place.names()) == ["20260131T020000Z.bundle", "20260131T020000Z.json", "objects"]
    assert place.read("20260131T020000Z.json") == b"{}"
    assert (tmp_path / "bundle").read_bytes() == CONTENT


def test_only_its_owner_can_read_a_backup_on_this_machine(tmp_path: Path, source: Path) -> None:
    keep(BackupPlace(str(tmp_path / "backups")), source)

    assert (tmp_path / "backups").stat().st_mode & 0o777 == 0o700


def test_a_file_where_the_folder_should_be_is_explained(tmp_path: Path, source: Path) -> None:
    (tmp_path / "backups").write_text("a file")

    with pytest.raises((StorageRefused, BackupUnavailable), match="backups"):
        keep(BackupPlace(str(tmp_path / "backups")), source)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadInput, match="the URL of a backup holds a password") as refused:
        BackupPlace("sftp://ana:sesame@host/backups")

    assert "sesame" not in str(refused.value)


@pytest.mark.parametrize("place", ["", "~/backups"])
def test_what_a_shell_left_open_is_no_place(place: str) -> None:
    with pytest.raises(BadInput, match="is no place of backups; give the whole path of a folder, or a URL"):
        BackupPlace(place)


def test_a_file_system_that_nobody_knows_is_explained() -> None:
    with pytest.raises(BackupUnavailable, match="the place of the backups, nowhere://x, cannot be used: ValueError"):
        BackupPlace("nowhere://x")
