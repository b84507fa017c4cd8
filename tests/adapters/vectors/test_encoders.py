"""Folders of encoders: what is taken as it is, and what is refused in one sentence before anything is released."""

import numpy as np
import pytest

from releve.adapters.vectors import encoders
from releve.adapters.vectors.encoders import import_model, open_text_model
from releve.core.errors import BadInput
from tests.image_models import make_image_model
from tests.sentence_models import WIDTH, make_onnx_model, make_sentence_model, make_static_model
from tests.spoilt_networks import (
    with_custom_operator,
    with_fewer_tokens,
    with_nan,
    with_sizes,
    with_weights_elsewhere,
)

DEEP = (100_000).to_bytes(8, "little") + b"[" * 100_000
TEXTS = ["red apple", "green apples", "a slow, red car with green apples", " ", "car"]


def opened(source, folder):
    folder.mkdir()
    for name, content in import_model(source).items():
        (folder / name).write_bytes(content)
    return open_text_model(folder)


def test_a_network_and_a_tokenizer_are_enough_and_the_mean_of_the_tokens_is_taken(tmp_path):
    bare = opened(make_onnx_model(tmp_path / "bare"), tmp_path / "one")
    described = opened(make_sentence_model(tmp_path / "described"), tmp_path / "other")

    np.testing.assert_array_equal(bare.encode(TEXTS), described.encode(TEXTS))


def test_a_network_that_pools_itself_is_asked_for_what_it_pooled(tmp_path):
    ready = opened(make_onnx_model(tmp_path / "ready", ready=True), tmp_path / "one")
    bare = opened(make_onnx_model(tmp_path / "bare"), tmp_path / "other")  # twice the same mean, at unit length

    np.testing.assert_allclose(ready.encode(TEXTS), bare.encode(TEXTS), atol=1e-6)


def test_a_static_model_is_the_weighted_mean_of_its_tokens(tmp_path):
    weights = np.arange(11, dtype=np.float32)
    table = np.eye(3, WIDTH, dtype=np.int8)
    rows = np.array([0] * 4 + [0, 1, 2, 2, 2, 2, 2])
    source = make_static_model(tmp_path / "source", embeddings=table, weights=weights, mapping=rows)

    model = opened(source, tmp_path / "model")

    red_apple, unknown, nothing = model.encode(["red apple", "red zebra apple", "zebra"])
    np.testing.assert_allclose(red_apple, np.array([4, 5, 0, 0, 0, 0]) / np.sqrt(41), atol=1e-6)  # of no [CLS]
    np.testing.assert_array_equal(unknown, red_apple)
    assert model.dimension == WIDTH and not nothing.any()


def test_static_models_of_other_vectors_are_of_other_versions(tmp_path):
    one, same, other = (
        opened(make_static_model(tmp_path / name, seed=seed), tmp_path / f"{name}-model")
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )

    assert one.version == same.version != other.version


def test_a_real_static_model_gives_the_vectors_that_its_own_package_gives(tmp_path):
    package = pytest.importorskip("static_model", reason="it has a wheel for Linux on x86-64 alone")
    model = opened(package_folder(package), tmp_path / "model")
    texts = ["Claim your FREE prize now!!!", "see you at home tonight", "Schöne Grüße aus Köln", "¿cuándo?"]

    expected = np.array(package.get_embeddings(texts))

    np.testing.assert_allclose(model.encode(texts), expected, atol=1e-5)


def package_folder(package):
    from pathlib import Path

    return Path(package.__file__).parent / "model"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (with_custom_operator, r"model\.onnx cannot be run by ONNX Runtime: .*our\.own"),
        (with_weights_elsewhere, r"model\.onnx cannot be run by ONNX Runtime"),
        (with_nan, "gives vectors that are not finite"),
        (lambda path: path.write_bytes(b"no network"), r"model\.onnx cannot be run by ONNX Runtime"),
        (lambda path: (path.parent / "tokenizer.json").unlink(), r"has no tokenizer\.json"),
        (lambda path: (path.parent / "tokenizer.json").write_text("{}"), "cannot be run"),
        (lambda path: (path.parent / "tokenizer.json").write_text("[]"), r"tokenizer\.json cannot be used: Input sho"),
        (lambda path: (path.parent / "tokenizer.json").write_bytes(b"\xff\xfe"), r"tokenizer\.json cannot be used"),
        (
            with_fewer_tokens,
            r"the network cannot be asked for the last of the tokenizer's 11 tokens: .*out of data bou",
        ),
        (with_sizes("texts", 16), r"the network cannot be asked for .* Got: 1 Expected: 16"),
        (with_sizes(1, "tokens"), r"cannot be run: .* Got: 3 Expected: 1"),
        (lambda path: path.write_bytes(path.read_bytes()[:-300]), r"model\.onnx cannot be run by ONNX Runtime"),
    ],
)
def test_a_network_that_cannot_be_released_is_refused(spoil, reason, tmp_path):
    source = make_onnx_model(tmp_path / "source")
    spoil(source / "model.onnx")

    with pytest.raises(BadInput, match=reason):
        import_model(source)


def test_a_text_of_which_the_tokenizer_makes_no_token_says_nothing(tmp_path):
    from tokenizers import Tokenizer, models

    source = make_onnx_model(tmp_path / "source")
    Tokenizer(models.BPE({"a": 0, "b": 1}, [])).save(str(source / "tokenizer.json"))

    alone, beside, known = opened(source, tmp_path / "model").encode(["zz", "z", "a"])

    assert not alone.any() and not beside.any()
    assert np.linalg.norm(known) == pytest.approx(1)


def test_a_network_with_other_inputs_is_refused(tmp_path):
    with pytest.raises(BadInput, match="takes input_ids, pixels; expected input_ids, and of attention_mask, tok"):
        import_model(make_onnx_model(tmp_path / "source", mask="pixels"))


def test_a_model_that_is_too_large_for_a_release_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(encoders, "MOST_BYTES", 100)

    for make in (make_onnx_model, make_static_model, make_image_model):
        with pytest.raises(BadInput, match=r"has [\d,]+ bytes, at most 100 fit"):
            import_model(make(tmp_path / make.__name__))


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"embeddings": np.full((11, WIDTH), np.nan, np.float32)}, "are no rows of finite numbers"),
        ({"embeddings": np.zeros((10, WIDTH), np.float32)}, "has no vector for some of the tokenizer's 11 tokens"),
        ({"weights": np.zeros(3, np.float32)}, "has no vector for some"),
        ({"mapping": np.array([11] * 11)}, "has no vector for some"),
        ({"mapping": np.zeros(11, np.float32)}, "the array mapping of .* is no list of numbers"),
        ({"weights": np.full(11, np.nan, np.float32)}, "the array weights of .* is no list of numbers"),
        ({"weights": np.ones((11, 2), np.float32)}, "the array weights of .* is no list of numbers"),
        ({"embeddings": np.ones(11, np.float32)}, "are no rows of finite numbers"),
        ({"embeddings": np.zeros((11, 0), np.float32)}, "gives vectors of 0 numbers, expected 1 to 32,768"),
        ({"embeddings": np.zeros((11, 32_769), np.int8)}, "gives vectors of 32,769 numbers, expected 1 to 32,768"),
    ],
)
def test_a_static_model_that_gives_no_vectors_is_refused(arrays, reason, tmp_path):
    with pytest.raises(BadInput, match=reason):
        import_model(make_static_model(tmp_path / "source", **arrays))


def test_a_static_model_of_as_many_numbers_as_milvus_takes_is_taken(tmp_path):
    import_model(make_static_model(tmp_path / "source", embeddings=np.zeros((11, 32_768), np.int8)))


def test_a_static_model_with_a_broken_tokenizer_is_refused(tmp_path):
    source = make_static_model(tmp_path / "source")
    (source / "tokenizer.json").write_text("{}")

    with pytest.raises(BadInput, match=r"the model in .*source cannot be run: Model missing"):
        import_model(source)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"\x04\0\0\0\0\0\0\0null", DEEP])
def test_a_broken_file_of_weights_is_named(content, tmp_path):
    source = make_static_model(tmp_path / "source")
    (source / "model.safetensors").write_bytes(content)

    with pytest.raises(BadInput, match=r"model\.safetensors is no safetensors file"):
        import_model(source)
