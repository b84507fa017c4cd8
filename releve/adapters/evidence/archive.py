"""The file of a pack: a zip whose bytes follow from what is in it, on every machine."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from releve.adapters.evidence import verify_pack
from releve.domain.evidence.pack import MANIFEST, VERIFIER, PackedFile, PackManifest

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
UNIX, MODE = 3, 0o100644 << 16  # of the files in it


def pack_files(files: Mapping[str, bytes], manifest: PackManifest) -> bytes:
    """Write the archive, with its verifier. Files are stored as they are: compressors differ between machines."""
    everything = {**files, VERIFIER: Path(verify_pack.__file__).read_bytes()}
    listed = {
        name: PackedFile(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        for name, content in sorted(everything.items())
    }
    whole = manifest.model_copy(update={"files": listed})
    everything[MANIFEST] = (whole.model_dump_json(indent=2) + "\n").encode()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(everything):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = UNIX, MODE
            archive.writestr(entry, everything[name])
    return written.getvalue()
