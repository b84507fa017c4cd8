"""OpenSSF's model_signing accepts the signature in a pack of evidence, and no other model by it."""

import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from releve.adapters.models.model_store import ModelStore
from releve.core.errors import Unavailable
from tasks.evidence import verify_evidence, write_evidence
from tests.compatibility.environments import environment
from tests.tables import SHOP
from tests.tasks.conftest import made_challenged, made_fresh, made_ingested, made_released, released

__all__ = ["made_challenged", "made_fresh", "made_ingested", "made_released", "released"]

pytestmark = pytest.mark.compat

REQUIREMENTS = ("model-signing==1.1.1", "pyopenssl")  # which it imports, and does not ask for


def write_keys(folder: Path) -> tuple[Path, Path]:
    """A private key on an elliptic curve, and its public one."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "private.pem", folder / "public.pem"
    plain = serialization.NoEncryption()
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain),
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def test_model_signing_accepts_the_signature_and_refuses_an_altered_model(released, tmp_path):
    program = environment("model_signing", *REQUIREMENTS).with_name("model_signing")
    private, public = write_keys(tmp_path)
    signing = replace(released.settings, signing_key=str(private), model_signing=str(program))
    model = released.registry.current(SHOP).release.model

    pack = write_evidence(signing, model, tmp_path / "pack.zip")
    again = write_evidence(signing, model, tmp_path / "again.zip")

    assert again.path.read_bytes() == pack.path.read_bytes()  # a signature is made once
    assert verify_evidence(signing, pack.path).sha256 == pack.sha256
    with zipfile.ZipFile(pack.path) as archive:
        archive.extract("model.sig", tmp_path)
    folder = tmp_path / "model"
    shutil.copytree(ModelStore(released.settings.home).folder(model), folder)

    def verify(key: Path) -> int:
        command = [program, "verify", "key", folder, "--signature", tmp_path / "model.sig", "--public_key", key]
        command += ["--ignore-paths", folder / "model.yaml"]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert verify(public) == 0
    (tmp_path / "other").mkdir()
    assert verify(write_keys(tmp_path / "other")[1]) != 0
    altered = bytearray((folder / "model.json").read_bytes())
    altered[10] ^= 1
    (folder / "model.json").write_bytes(altered)
    assert verify(public) != 0

    private.write_text("no key")
    with pytest.raises(Unavailable, match="did not sign"):
        write_evidence(signing, model, tmp_path / "third.zip")
