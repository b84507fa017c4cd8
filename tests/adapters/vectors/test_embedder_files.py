import numpy as np
import pytest

from releve.adapters.vectors.embedder_files import EmbedderAltered, load_embedder, text_files
from releve.domain.neighbours.embedding import Embedder
from releve.domain.neighbours.text_vectors import NgramVectors

TEXTS = np.array([["red apple", "one"], ["green apple", ""], ["", "three"], ["fast car \ud800", "four"]], dtype=object)
ARRAYS = {"numbers": np.array([[1.0], [2.0], [np.nan], [4.0]], np.float32), "texts": TEXTS}


def learn(texts):
    return NgramVectors.fit(texts, dimensions=3, max_features=100)


def packed(folder, embedder):
    folder.mkdir(exist_ok=True)
    for name, content in text_files(embedder).items():
        (folder / name).write_bytes(content)
    return folder


def test_an_embedder_read_back_gives_the_same_vectors_and_version(tmp_path):
    embedder = Embedder.fit(ARRAYS, encoder=learn)

    again = load_embedder(packed(tmp_path / "model", embedder), embedder.describe())

    assert again.version == embedder.version
    assert again.dimension == embedder.dimension
    assert (again.embed(ARRAYS) == embedder.embed(ARRAYS)).all()


def test_the_same_embedder_is_the_same_bytes():
    assert text_files(Embedder.fit(ARRAYS, encoder=learn)) == text_files(Embedder.fit(ARRAYS, encoder=learn))


def test_an_embedder_that_learned_no_ngram_is_read_back_too(tmp_path):
    embedder = Embedder.fit({"texts": np.array([[""], [""]], dtype=object)}, encoder=learn)

    again = load_embedder(packed(tmp_path / "model", embedder), embedder.describe())

    assert again.embed({"texts": np.array([["x"]], dtype=object)}).tolist() == [[0.0]]


def test_a_table_without_texts_needs_no_file(tmp_path):
    embedder = Embedder.fit({"numbers": ARRAYS["numbers"]}, encoder=learn)

    assert text_files(embedder) == {}
    assert load_embedder(tmp_path, embedder.describe()) == embedder


def test_files_of_another_embedder_are_refused(tmp_path):
    embedder, other = Embedder.fit(ARRAYS, encoder=learn), Embedder.fit({"texts": TEXTS[:2]}, encoder=learn)

    with pytest.raises(EmbedderAltered, match="but the model was packaged with"):
        load_embedder(packed(tmp_path / "model", other), embedder.describe())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EmbedderAltered, match=r"ngrams_0\.npz is missing"):
        load_embedder(tmp_path, Embedder.fit(ARRAYS, encoder=learn).describe())


def test_a_file_that_holds_objects_is_not_unpickled(tmp_path):
    embedder = Embedder.fit(ARRAYS, encoder=learn)
    np.savez(packed(tmp_path / "model", embedder) / "ngrams_0.npz", ngrams=np.array([{}], dtype=object))

    with pytest.raises(ValueError, match="allow_pickle"):
        load_embedder(tmp_path / "model", embedder.describe())
