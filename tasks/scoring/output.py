"""The folder of a scored table: parts, rejected rows and the manifest, which alone says what is finished.

    part-000000.parquet ...          answered rows, in the order of the input
    _rejected/part-000000.parquet    rejected rows of the same part, as in quarantine
    _manifest.jsonl                  see releve.domain.scoring.manifest
    _known.json                      of a model with lags: what they are looked up in, as it was at the beginning
    _work/                           what is being written; it goes at the end

pandas, pyarrow, DuckDB and Spark skip names that begin with "_" when they read a folder.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.journal import JournalBusy, LineJournal
from releve.adapters.remote.files import is_url
from releve.adapters.tables.file_types import FILE_TYPES
from releve.core.errors import BadInput, Conflict, explained_storage
from releve.domain.scoring.manifest import START_OVER, Form, Line, ScoringManifest, read_manifest

MANIFEST, REJECTED, WORK = "_manifest.jsonl", "_rejected", "_work"
KNOWN = "_known.json"  # of a model with lags: the values that they are looked up in
FORMS = {".parquet": Form.PARQUET, ".csv": Form.CSV, ".jsonl": Form.JSONL, ".ndjson": Form.JSONL}


def form_of(output: str) -> Form:
    """Choose the parts' form by the ending of the folder's name; Parquet where it says none. Raise BadInput."""
    name = Path(output).name.lower()
    known = next((form for ending, form in FORMS.items() if name.endswith(ending)), None)
    if known is None and name.endswith((*FILE_TYPES, ".json", ".gz", ".txt")):
        raise BadInput(
            f"--out {output}: such parts cannot be written; name a folder, or one that ends in {', '.join(FORMS)}"
        )
    return known or Form.PARQUET


def folder_of(output: str) -> Path:
    """Return the folder that `--out` names. Raise BadInput, and Conflict where something else is there already."""
    if is_url(output) or not output or "\0" in output:
        raise BadInput("--out names a folder of this machine; copy it elsewhere once it is complete")
    if output.startswith("~"):
        raise BadInput(f"--out {output}: a shell would have replaced the ~; write the whole path")
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise Conflict(f"{output} is a file; --out names a folder, which gets the answers in parts: name another one")
    if folder.is_dir() and not (folder / MANIFEST).exists() and any(folder.iterdir()):
        raise Conflict(f"{output} exists and is no output of `releve score`; name another folder, or remove it")
    return folder


def check_apart(source: str, folder: Path) -> None:
    """Raise BadInput where input and output lie in each other: another run would take answers for rows."""
    there, here = Path(source).resolve(), folder.resolve()
    if not is_url(source) and (there.is_relative_to(here) or here.is_relative_to(there)):
        raise BadInput(f"--in {source} and --out {folder} lie in each other; name an output elsewhere")


def rejected_name(part: str) -> str:
    """Name the file of a part's rejected rows, below the output."""
    return f"{REJECTED}/{Path(part).stem}.parquet"


@dataclass
class ScoringOutput:
    """An output that nobody else writes."""

    folder: Path
    form: Form
    manifest: ScoringManifest | None
    _journal: LineJournal

    @property
    def work(self) -> Path:
        return self.folder / WORK

    def note(self, line: Line) -> None:
        """Write a line of the manifest; it is on disk when this returns."""
        self._journal.append(line.model_dump_json())

    def clear(self) -> None:
        """Forget what is there. The manifest goes first: whoever is killed leaves parts that count for nothing."""
        self._journal.clear()
        self.manifest = None
        with explained_storage(self.folder):
            for part in self.folder.glob("part-*"):
                part.unlink()
            (self.folder / KNOWN).unlink(missing_ok=True)
            shutil.rmtree(self.folder / REJECTED, ignore_errors=True)

    def check_parts(self) -> None:
        """Raise Conflict where a part is gone that the manifest has."""
        for part in self.manifest.parts if self.manifest else ():
            for rows, name in ((part.answered, part.name), (part.rejected, rejected_name(part.name))):
                if rows and not (self.folder / name).is_file():
                    raise Conflict(f"{name} is gone from {self.folder}, whose manifest has it; {START_OVER}")


@contextmanager
def open_output(output: str, *, again: bool) -> Iterator[ScoringOutput]:
    """Hold the output against every other scoring; `again`: whatever its manifest says.

    Raise Conflict, BadInput, DiskFull, StorageRefused.
    """
    form, folder = form_of(output), folder_of(output)
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
        opened = ScoringOutput(folder, form, manifest, journal)
        shutil.rmtree(opened.work, ignore_errors=True)  # of a killed run
        if manifest is None and not again:
            opened.clear()
        try:
            yield opened
        finally:
            shutil.rmtree(opened.work, ignore_errors=True)
