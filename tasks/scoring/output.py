"""The folder of a scored table: parts, rejected rows and the manifest, which alone says what is finished.

Behind a URL each part is sent there before its line is written, and the manifest at the beginning, which claims the
place, and at the end. The lines, and what is being written, are in the state of this machine meanwhile. Whoever claims
a place last has it: everybody else finds that out before a next part, and no two outputs share the name of one.

    part-000000.parquet ...          answered rows, in the order of the input
    _rejected/part-000000.parquet    rejected rows of the same part, as in quarantine
    _manifest.jsonl                  see releve.domain.scoring.manifest
    _known.json                      of a model with lags: what they are looked up in, as it was at the beginning
    _work/                           what is being written; it goes at the end

pandas, pyarrow, DuckDB and Spark skip names that begin with "_" when they read a folder.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from releve.adapters.journal import JournalBusy, LineJournal
from releve.adapters.remote.files import check_no_password, is_url, open_url
from releve.adapters.remote.folder import RemoteFolder
from releve.adapters.tables.file_types import FILE_TYPES
from releve.core.errors import BadInput, Conflict, explained_storage
from releve.domain.scoring.manifest import START_OVER, Form, Line, ScoringManifest, part_name, read_manifest

MANIFEST, REJECTED, WORK = "_manifest.jsonl", "_rejected", "_work"
KNOWN = "_known.json"  # of a model with lags: the values that they are looked up in
FORMS = {".parquet": Form.PARQUET, ".csv": Form.CSV, ".jsonl": Form.JSONL, ".ndjson": Form.JSONL}


def form_of(output: str) -> Form:
    """Choose the parts' form by the ending of the folder's name; Parquet where it says none. Raise BadInput."""
    check_no_password(output, of="an output")
    name = Path(output).name.lower()
    known = next((form for ending, form in FORMS.items() if name.endswith(ending)), None)
    if known is None and name.endswith((*FILE_TYPES, ".json", ".gz", ".txt")):
        raise BadInput(
            f"--out {output}: such parts cannot be written; name a folder, or one that ends in {', '.join(FORMS)}"
        )
    return known or Form.PARQUET


@dataclass(frozen=True)
class OutputPlace:
    """What `--out` names."""

    name: str  # as it was given
    folder: Path  # on this machine
    remote: RemoteFolder | None  # where the parts go, in place of that folder

    @classmethod
    def of(cls, output: str, *, state: Path) -> "OutputPlace":
        """`state`: a folder of this machine for what goes elsewhere, as long as it is being made.

        Raise BadInput, and Conflict where something else is there already.
        """
        if not output or "\0" in output:
            raise BadInput("--out names a folder for the answers, or a URL")
        if output.startswith("~"):
            raise BadInput(f"--out {output}: a shell would have replaced the ~; write the whole path")
        if (folder := local_path(output)) is None:
            remote = RemoteFolder(output)
            return cls(output, state / sha256(remote.url.encode()).hexdigest()[:16], remote)
        if folder.exists() and not folder.is_dir():
            raise Conflict(
                f"{output} is a file; --out names a folder, which gets the answers in parts: name another one"
            )
        if folder.is_dir() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
            raise Conflict(describe_foreign(output))
        return cls(output, folder, None)

    def check_apart(self, source: str) -> None:
        """Raise BadInput where input and output lie in each other: another run would take answers for rows."""
        there, here = local_path(source), self.folder.resolve()
        if self.remote is not None:
            is_apart = there is not None or self.remote.is_apart(source)
        else:
            there = there and there.resolve()
            is_apart = there is None or not (there.is_relative_to(here) or here.is_relative_to(there))
        if not is_apart:
            raise BadInput(f"--in {source} and --out {self.name} lie in each other; name an output elsewhere")


def describe_foreign(output: str) -> str:
    """Say that a place holds what is not ours."""
    return f"{output} exists and is no output of `releve score`; name another folder, or remove it"


def local_path(text: str) -> Path | None:
    """Return the path of this machine that a path or a file:// names; None for another URL."""
    if not is_url(text):
        return Path(text)
    return Path(open_url(text, of="a table")[1]) if text.startswith(("file://", "local://")) else None


def rejected_name(part: str) -> str:
    """Name the file of a part's rejected rows, below the output."""
    return f"{REJECTED}/{Path(part).stem}.parquet"


@dataclass
class ScoringOutput:
    """An output that nobody else writes."""

    place: OutputPlace
    form: Form
    manifest: ScoringManifest | None
    _journal: LineJournal

    @property
    def folder(self) -> Path:
        return self.place.folder

    @property
    def work(self) -> Path:
        return self.folder / WORK

    def part_name(self, number: int) -> str:
        """Name a part; behind a URL as no other output does, for another machine may begin one there."""
        return part_name(number, self.form, output=self._id if self.place.remote else "")

    def note(self, line: Line) -> None:
        """Write a line of the manifest; it is on disk when this returns."""
        self._journal.append(line.model_dump_json())

    def claim(self) -> None:
        """Show behind a URL whose output it is, and delete parts that are none of it; before anything is answered, so
        that a place that refuses says so."""
        if (remote := self.place.remote) is not None:
            remote.write(MANIFEST, self._lines)
            self._sweep(remote)

    def send(self, *names: str) -> None:
        """Send finished files to where they belong; those behind a URL are not kept here.

        Raise Conflict where somebody else has begun it anew.
        """
        if (remote := self.place.remote) is None:
            return
        paths = {name: path for name in names if (path := self.folder / name).is_file()}
        try:
            self._check_claim(remote)
            for name, path in paths.items():
                remote.put(name, path)
            self._check_claim(remote, sent=[*paths])
        finally:  # also of a part that did not get there: it is done again
            for path in paths.values():
                path.unlink()

    def complete(self) -> None:
        """Say behind a URL that all of it is there, and nothing else. Raise Conflict where somebody else has begun it
        anew."""
        if (remote := self.place.remote) is None:
            return
        self._sweep(remote)
        if not self.is_shown():
            remote.write(MANIFEST, self._lines)
        with explained_storage(self.folder):
            (self.folder / KNOWN).unlink(missing_ok=True)

    def is_shown(self) -> bool:
        """Whether it says where the parts are that all of them are there."""
        there = _manifest_there(self.place.remote) if self.place.remote else self.manifest
        return there is not None and there.ended is not None

    def _check_claim(self, remote: RemoteFolder, *, sent: Sequence[str] = ()) -> None:
        """Raise Conflict where somebody else has begun it anew; what was `sent` meanwhile is taken back."""
        there = _manifest_there(remote)
        if there is None or there.begun.output != self._id:
            remote.delete(sent)
            raise Conflict(f"another scoring has begun {remote.url} anew meanwhile; name another place")

    def _sweep(self, remote: RemoteFolder) -> None:
        """Delete parts that the manifest does not have: of an earlier output, or of one that this one took the place
        of. They are listed before the claim is checked, so that nothing of a later one is among them."""
        held = {name for name in remote.names() if name.startswith(("part-", f"{REJECTED}/"))}
        self._check_claim(remote)
        manifest = read_manifest(self._journal.lines(), source=MANIFEST)
        assert manifest is not None, "it has begun"
        remote.delete(held - {name for part in manifest.parts for name in (part.name, rejected_name(part.name))})

    @property
    def _id(self) -> str:
        assert self.manifest is not None, "it has begun"
        return self.manifest.begun.output

    @property
    def _lines(self) -> bytes:
        return b"".join(line + b"\n" for line in self._journal.lines())

    def clear(self) -> None:
        """Forget what is here. The manifest goes first: whoever is killed leaves parts that count for nothing. Behind a
        URL `claim` does so: without a manifest it would be anybody's folder."""
        self._journal.clear()
        self.manifest = None
        with explained_storage(self.folder):
            for part in self.folder.glob("part-*"):
                part.unlink()
            (self.folder / KNOWN).unlink(missing_ok=True)
            shutil.rmtree(self.folder / REJECTED, ignore_errors=True)

    def check_parts(self) -> None:
        """Raise Conflict where a part is gone that the manifest has."""
        remote = self.place.remote
        there = remote.names() if remote and self.manifest else set[str]()
        for part in self.manifest.parts if self.manifest else ():
            for rows, name in ((part.answered, part.name), (part.rejected, rejected_name(part.name))):
                if rows and not (name in there if remote else (self.folder / name).is_file()):
                    raise Conflict(f"{name} is gone from {self.place.name}, whose manifest has it; {START_OVER}")


@contextmanager
def open_output(place: OutputPlace, *, again: bool) -> Iterator[ScoringOutput]:
    """Hold the output against every other scoring; `again`: whatever its manifest says.

    Raise Conflict, BadInput, Unavailable, DiskFull, StorageRefused.
    """
    output, folder, form = place.name, place.folder, form_of(place.name)
    try:
        with explained_storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:  # such as below /proc
        raise BadInput(f"--out {output}: such a folder cannot be made ({error.strerror}); name another one") from None
    try:
        journal = LineJournal(folder / MANIFEST)
    except JournalBusy:
        raise Conflict(f"another scoring writes {output} now; wait for it, or name another folder") from None
    with journal:
        manifest = None if again else read_manifest(journal.lines(), source=f"{output}/{MANIFEST}")
        if place.remote is not None:
            manifest = _agreed(place.remote, journal, manifest, again=again)
        opened = ScoringOutput(place, form, manifest, journal)
        shutil.rmtree(opened.work, ignore_errors=True)  # of a killed run
        if manifest is None and not again:
            opened.clear()
        try:
            yield opened
        finally:
            shutil.rmtree(opened.work, ignore_errors=True)


def _agreed(
    remote: RemoteFolder, journal: LineJournal, manifest: ScoringManifest | None, *, again: bool
) -> ScoringManifest | None:
    """Say what is gone on with behind a URL: what this machine began, or what is complete there.

    Raise Conflict where something else is there.
    """
    held = remote.names()
    if not held:
        return manifest
    if MANIFEST not in held:
        raise Conflict(describe_foreign(remote.url))
    if again:
        return None
    there = _manifest_there(remote)
    is_ours = manifest is not None and (there is None or there.begun.output == manifest.begun.output)
    if is_ours:
        return manifest
    if there is None or there.ended is None:
        raise Conflict(
            f"{remote.url} was begun elsewhere, or with a state that is gone from here, and is not complete; the same "
            f"command there goes on with it; here, {START_OVER}"
        )
    journal.clear()
    for line in remote.read(MANIFEST).splitlines():
        journal.append(line.decode())
    return there


def _manifest_there(remote: RemoteFolder) -> ScoringManifest | None:
    """Read the whole lines of the manifest behind a URL."""
    content = remote.read(MANIFEST)
    whole = content[: content.rfind(b"\n") + 1]
    return read_manifest(whole.splitlines(), source=f"{remote.url}/{MANIFEST}")
