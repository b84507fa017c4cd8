"""The signature of a model's files in OpenSSF's format, by the program `model_signing`, in an environment of its own.

Its libraries stay out of ours. A signature differs each time that one is made, and a pack may not: so each model is
signed once with a key, and the signature is kept.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.core.errors import BadInput, Unavailable
from releve.core.names import ModelTag

PROGRAM = "model_signing"
SECONDS = 600.0
NO_KEY = "no RELEVE_SIGNING_KEY named a private key"


@dataclass(frozen=True)
class Signer:
    """Who signs: `key` is the path of a private key (PEM, an elliptic curve without a password), `program` that of
    `model_signing`, "" where it is on PATH."""

    key: str
    program: str
    home: Path

    def sign(self, model: str, folder: Path, digest: str) -> bytes:
        """Return the signature of a model's folder, less the `model.yaml` that BentoML adds.

        Raises BadInput for a key that is none, Unavailable where the program is missing or fails.
        """
        try:
            named = hashlib.sha256(Path(self.key).read_bytes() + digest.encode()).hexdigest()[:16]
        except OSError as error:
            raise BadInput(
                f"RELEVE_SIGNING_KEY names {self.key}, which cannot be read: {error.strerror}; expected the path of a "
                "private key on an elliptic curve, as PEM"
            ) from None
        tag = ModelTag.parse(model)
        kept = self.home / "signatures" / tag.scenario / f"{tag.version}-{named}.sig"
        if not kept.is_file():
            write_bytes(kept, self._signature(folder))
        return kept.read_bytes()

    def _signature(self, folder: Path) -> bytes:
        program = shutil.which(self.program or PROGRAM)
        if program is None:
            raise Unavailable(
                f"RELEVE_SIGNING_KEY is set, and there is no program {self.program or PROGRAM}: install model-signing "
                "in an environment of its own, and name its program in RELEVE_MODEL_SIGNING (docs/evidence.md)"
            )
        with tempfile.TemporaryDirectory() as work_dir:
            signature = Path(work_dir) / "model.sig"
            signing = [program, "sign", "key", str(folder), "--signature", str(signature), "--private_key", self.key]
            signing += ["--ignore-paths", str(folder / "model.yaml")]
            own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            try:
                done = subprocess.run(signing, capture_output=True, text=True, env=own, timeout=SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Unavailable(f"{program} did not sign: {error}") from None
            if done.returncode or not signature.is_file():
                said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
                raise Unavailable(f"{program} did not sign: {said}; is RELEVE_SIGNING_KEY a key that it can use?")
            return signature.read_bytes()
