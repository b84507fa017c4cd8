import json

import numpy as np
import pytest

from releve.adapters.vectors.encoders import import_model
from releve.adapters.vectors.sentence_model import NETWORK, POOLINGS, TOGETHER, SentenceModel
from releve.core.errors import BadInput
from tests.sentence_models import WIDTH, make_sentence_model

TEXTS = ["red apple", "green apples", "fast car", "a slow, red car with green apples", "", "car"]


def imported(folder, source):
    folder.mkdir()
    for name, content in import_model(source).items():
        (folder / name).write_bytes(content)
    return SentenceModel(folder)


@pytest.fixture
def model(tmp_path):
    return imported(tmp_path / "model", make_sentence_model(tmp_path / "source"))


def test_a_text_becomes_a_vector_of_unit_length_and_an_empty_one_of_none(model):
    vectors = model.encode(TEXTS)

    assert vectors.shape == (len(TEXTS), model.dimension) == (len(TEXTS), WIDTH)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1, 1, 1, 1, 0, 1], abs=1e-6)


@pytest.mark.parametrize("mode", POOLINGS)
def test_the_texts_beside_it_do_not_change_a_vector(mode, tmp_path):
    source = make_sentence_model(tmp_path / "source", pooling={"pooling_mode": mode})
    model = imported(tmp_path / "model", source)

    alone = np.vstack([model.encode([text]) for text in TEXTS])

    np.testing.assert_allclose(model.encode(TEXTS), alone, atol=1e-6)
    np.testing.assert_allclose(model.encode(TEXTS * TOGETHER)[-len(TEXTS) :], alone, atol=1e-6)


def test_the_mean_is_over_the_tokens_of_the_text_and_over_no_padding(model):
    """Computed by hand from the network's table: [CLS] red apple [SEP]."""
    import onnx

    graph = onnx.load(str(model.folder / NETWORK)).graph
    table = next(onnx.numpy_helper.to_array(each) for each in graph.initializer if each.name == "table")
    expected = 2 * table[[2, 4, 5, 3]].mean(axis=0)

    vector = model.encode(["red apple", "a much longer text with many words of no meaning"])[0]

    np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)


def test_the_way_of_pooling_comes_from_the_folder(tmp_path):
    modes = [("old", {"pooling_mode_cls_token": True}), ("new", {"pooling_mode": "cls"}), ("mean", None)]
    old, new, mean = (
        imported(tmp_path / f"{name}-model", make_sentence_model(tmp_path / name, pooling=mode)) for name, mode in modes
    )

    assert (old.encode(TEXTS) == new.encode(TEXTS)).all()
    assert not np.allclose(old.encode(TEXTS), mean.encode(TEXTS))


def test_a_long_text_is_cut_where_the_model_says(tmp_path):
    model = imported(tmp_path / "model", make_sentence_model(tmp_path / "source", max_tokens=4))

    assert (model.encode(["red apple car car car"]) == model.encode(["red apple"])).all()
    assert not (model.encode(["red car"]) == model.encode(["red apple"])).all()


def test_another_network_is_another_version(tmp_path):
    versions = {
        imported(tmp_path / f"{seed}-{copy}", make_sentence_model(tmp_path / f"s{seed}-{copy}", seed=seed)).version
        for seed, copy in [(1, 1), (1, 2), (2, 1)]
    }

    assert len(versions) == 2


def test_a_network_beside_the_tokenizer_is_found_too(tmp_path):
    source = make_sentence_model(tmp_path / "source", network="model.onnx")

    assert imported(tmp_path / "model", source).encode(["car"]).shape == (1, WIDTH)


def test_a_folder_that_is_not_there_is_told_with_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"neighbours\.model is .*nowhere, and there is no such folder\. Name"):
        import_model(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["tokenizer.json", "1_Pooling/config.json", "onnx/model.onnx"])
def test_a_missing_file_is_named(name, tmp_path):
    source = make_sentence_model(tmp_path / "source")
    (source / name).unlink()

    with pytest.raises(BadInput, match=name):
        import_model(source)


def test_a_model_with_a_layer_that_is_not_run_here_is_refused(tmp_path):
    source = make_sentence_model(tmp_path / "source", modules=("Transformer", "Pooling", "Dense"))

    with pytest.raises(BadInput, match=r"modules\.json names Dense; only Transformer, Pooling, Normalize are run"):
        import_model(source)


@pytest.mark.parametrize(
    ("pooling", "found"),
    [
        ({"pooling_mode": "lasttoken"}, "lasttoken"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, "mean, max"),
        ({"pooling_mode_mean_tokens": False}, "nothing"),
    ],
)
def test_a_way_of_pooling_that_is_not_known_is_refused(pooling, found, tmp_path):
    source = make_sentence_model(tmp_path / "source", pooling=pooling)

    with pytest.raises(BadInput, match=f"pools by {found}; expected one of mean, cls, max"):
        import_model(source)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("modules.json", "{", "Invalid JSON"),
        ("modules.json", '{"type": "x"}', "Input should be a valid array"),
        ("modules.json", '[{"path": "x"}]', "0.type: Field required"),
        ("1_Pooling/config.json", "[]", "Input should be an object"),
        ("sentence_bert_config.json", "nope", "Invalid JSON"),
        ("sentence_bert_config.json", '{"max_seq_length": -1}', "max_seq_length: Input should be greater than"),
        ("sentence_bert_config.json", '{"max_seq_length": "long"}', "max_seq_length: Input should be a valid integer"),
    ],
)
def test_a_broken_description_is_named_with_its_key(name, text, reason, tmp_path):
    source = make_sentence_model(tmp_path / "source")
    (source / name).write_text(text)

    with pytest.raises(BadInput, match=f"{name} cannot be used: {reason}"):
        import_model(source)


@pytest.mark.parametrize("name", ["model.onnx_data", "model.onnx.data"])
def test_weights_in_a_file_of_their_own_are_refused(name, tmp_path):
    source = make_sentence_model(tmp_path / "source")
    (source / "onnx" / name).write_bytes(b"weights")

    with pytest.raises(BadInput, match="keeps its weights in a file of their own"):
        import_model(source)


def test_how_it_is_read_is_kept_beside_it(model):
    assert json.loads((model.folder / "sentence_reading.json").read_text()) == {
        "max_tokens": 16,
        "output": "last_hidden_state",
        "pooling": "mean",
    }
