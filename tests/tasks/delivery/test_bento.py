"""A Bento is packed from a commit, served, and asked its golden requests, as delivery does it."""

import json
from pathlib import Path

import httpx
import pytest

from releve.adapters.files import read_document
from releve.adapters.models.description import GoldenRequests
from releve.cli.app import main
from tasks.delivery.bento import pack
from tests.serving.process import free_port, serving, wait_until
from tests.tables import SHOP
from tests.tasks.shop import Shop


@pytest.mark.slow
def test_a_packed_model_answers_its_golden_requests_wherever_it_serves(
    challenged: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELEVE_PROJECT", str(challenged.root))
    monkeypatch.setenv("RELEVE_HOME", str(challenged.settings.home))
    golden, altered = tmp_path / "golden.json", tmp_path / "altered.json"

    assert main(["pack", SHOP, "--golden", str(golden)]) == 0
    tag = capsys.readouterr().out.strip()
    asked = read_document(golden, GoldenRequests)
    assert tag == f"releve:{asked.model.partition(':')[2]}"
    assert asked.golden.rows and len(asked.golden.rows) == len(asked.golden.labels)
    assert pack(challenged.settings, SHOP).golden == asked  # the same commit, the same model

    alone = {"RELEVE_HOME": "", "RELEVE_PROJECT": "", "RELEVE_SCENARIO": ""}
    with serving(challenged.settings.home, challenged.root, target=tag, **alone) as address:
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        assert main(["golden", address, str(golden)]) == 0
        assert "as it was packed" in capsys.readouterr().out

        other = ["no" if label == "yes" else "yes" for label in asked.golden.labels]
        values = asked.model_dump(mode="json")
        altered.write_text(json.dumps(values | {"golden": values["golden"] | {"labels": other}}))
        assert main(["golden", address, str(altered)]) != 0
        assert "was packed with" in capsys.readouterr().err
        altered.write_text(json.dumps(values | {"model": f"{SHOP}:another"}))
        assert main(["golden", address, str(altered)]) != 0
        assert f"expected {SHOP}:another" in capsys.readouterr().err
        altered.write_text(json.dumps(values | {"scenario": "rides"}))
        assert main(["golden", address, str(altered)]) != 0
        assert f"{address} answered 404" in capsys.readouterr().err


def test_what_answers_nowhere_or_is_no_address_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["golden", "http://127.0.0.1:1"]) != 0
    assert "`releve pack` writes it" in capsys.readouterr().err
    asked = {"format": 1, "scenario": SHOP, "model": f"{SHOP}:one", "task": "binary"}
    Path("golden.json").write_text(json.dumps(asked | {"golden": {"rows": [{"price": 1}], "labels": ["yes"]}}))

    for address, message in (
        (f"http://127.0.0.1:{free_port()}", "no service answers at"),
        ("127.0.0.1:3000", "is no address"),
        ("file:///etc/passwd", "is no address"),
    ):
        assert main(["golden", address]) != 0
        assert message in capsys.readouterr().err
