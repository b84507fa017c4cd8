"""Tables of images and of texts, from the files of `examples/` over ingestion to an answer and its neighbours."""

from pathlib import Path

import pytest
import yaml

from examples.digit_images import write_digits
from examples.support_messages import write_messages
from releve import api
from releve.adapters.vectors.encoders import open_image_model
from releve.domain.onboarding.params_file import read_override
from releve.domain.onboarding.table import Roles
from tasks.ingestion.ingest import ingest
from tasks.onboarding import scaffold
from tests.image_models import make_image_model
from tests.repositories import commit
from tests.serving.tables import table_served
from tests.tasks.shop import make_shop

pytestmark = pytest.mark.whole


def brought(folder: Path, name: str, path: Path, roles: Roles, **columns):
    """The scenario's table and its rows, as ingestion versioned them."""
    shop = make_shop(folder)
    made = scaffold(shop.settings, name, data=path, roles=roles)
    written = yaml.safe_load((made.folder / "params.yaml").read_text())
    for column, keys in columns.items():
        written["columns"][column] |= keys
    (made.folder / "params.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    commit(shop.root, f"Add the scenario {name}")
    ingest(shop.settings, name)
    table = {key: written[key] for key in ("target", "columns")}
    return table, api.read_version(name, project=shop.root)


def test_images_are_read_from_files_asked_for_as_base64_and_found_by_an_encoder(milvus: int, tmp_path: Path) -> None:
    path = write_digits(tmp_path / "digits", rows=300)
    table, rows = brought(tmp_path / "shop", "photos", path, Roles("digit"), image={"size": [8, 8]})
    for image in (path.parent / "images").iterdir():
        image.unlink()  # the rows are whole without them

    encoder = make_image_model(tmp_path / "encoder")
    with table_served(tmp_path / "home", "photos", table, rows, milvus=milvus, encoder=encoder) as running:
        asked = [{"image": rows["image"][place]} for place in (3, 4)]
        answers = running.post("/predict", rows=asked).json()["predictions"]
        nearest = running.post("/search", row=asked[0], limit=3).json()["neighbours"]
        refused = running.post("/predict", rows=[{"image": "images/0003.png"}])

    assert len(rows) == 300
    assert [answer["label"] for answer in answers] == [3, 4]
    vectors = open_image_model(tmp_path / "home" / "made" / "photos").encode(rows["image"].tolist())
    distances = 1 - vectors @ vectors[3]
    order = distances.argsort()[:3]
    assert order[0] == 3
    assert [each["label"] for each in nearest] == rows["digit"].iloc[order].tolist()
    assert [each["distance"] for each in nearest] == pytest.approx(distances[order].tolist(), abs=1e-6)
    assert refused.status_code == 400 and "expected a PNG or JPEG image as base64" in refused.text


def test_texts_are_found_by_a_real_static_model_where_they_share_no_word(milvus: int, tmp_path: Path) -> None:
    package = pytest.importorskip("static_model", reason="it has a wheel for Linux on x86-64 alone")
    encoder = Path(package.__file__).parent / "model"
    path, setting = write_messages(tmp_path / "messages.csv"), read_override(f"neighbours.model={encoder}")
    table, rows = brought(tmp_path / "shop", "support", path, Roles("about", settings=(setting,)))

    with table_served(tmp_path / "home", "support", table, rows, milvus=milvus, encoder=encoder) as running:
        answer = running.post("/predict", rows=[{"message": rows["message"][0]}]).json()["predictions"][0]
        nearest = running.post("/search", row={"message": "money back"}, limit=3).json()["neighbours"]

    assert answer["label"] == rows["about"][0]
    assert [each["label"] for each in nearest] == ["payment"] * 3
