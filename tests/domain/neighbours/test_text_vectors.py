import numpy as np
import pytest

from releve.domain.neighbours.text_vectors import ROWS_AT_ONCE, NgramVectors, ngrams_of

TEXTS = ["red apple pie", "green apple tart", "a fast car", "the slow car", "rainy day", "sunny day", ""]


def fitted(texts=TEXTS, *, dimensions=4, max_features=500):
    return NgramVectors.fit(texts, dimensions=dimensions, max_features=max_features)


def cosine(one, other, *, encoder=None):
    first, second = (encoder or fitted()).encode([one, other])
    return float(first @ second)


def test_ngrams_stay_inside_words_and_know_where_a_word_begins():
    assert list(ngrams_of("ab c")) == [" a", "ab", "b ", " ab", "ab ", " c", "c ", " c "]


@pytest.mark.parametrize(
    "same", ["RED APPLE PIE", "red\tapple\n pie", "\uff52\uff45\uff44 apple pie", "red\0apple pie"]
)
def test_case_width_and_spaces_make_no_difference(same):
    assert cosine("red apple pie", same) == pytest.approx(1.0, abs=1e-6)


def test_texts_that_share_words_are_nearer_than_texts_that_do_not():
    assert cosine("red apple pie", "apple tart") > 0.5 > cosine("red apple pie", "the fast car")


def test_a_typing_error_changes_little():
    assert cosine("a fast car", "a fsat car") > 0.8


def test_vectors_have_unit_length_and_an_empty_or_unknown_text_has_none():
    lengths = np.linalg.norm(fitted().encode(["red apple", "sunny", "", "   ", "ⵣⵣⵣ"]), axis=1)

    assert lengths.tolist() == pytest.approx([1, 1, 0, 0, 0], abs=1e-6)


def test_a_vector_does_not_depend_on_the_texts_beside_it():
    encoder = fitted()
    alone = [encoder.encode([text])[0] for text in TEXTS]

    assert (np.array(alone) == encoder.encode(TEXTS)).all()
    assert (encoder.encode(TEXTS * (ROWS_AT_ONCE // len(TEXTS) + 1))[-len(TEXTS) :] == np.array(alone)).all()


@pytest.mark.parametrize("texts", [[], [""], ["", "  "]])
def test_texts_that_say_nothing_teach_nothing_and_are_no_error(texts):
    encoder = fitted(texts)

    assert encoder.encode(["anything", ""]).tolist() == [[0.0], [0.0]]
    assert encoder.encode([]).shape == (0, 1)


@pytest.mark.parametrize(("dimensions", "expected"), [(1, 1), (3, 3), (6, 6), (64, 6)])
def test_there_are_no_more_dimensions_than_asked_for_or_texts_to_learn_from(dimensions, expected):
    assert fitted(dimensions=dimensions).dimension == expected


def test_only_the_most_frequent_ngrams_are_known():
    assert len(fitted(max_features=5).ngrams) == 5


def test_the_same_texts_are_the_same_version_and_other_texts_another():
    assert fitted().version == fitted().version
    assert fitted([*TEXTS, "one more"]).version != fitted().version
    assert fitted(dimensions=3).version != fitted().version


def test_few_templates_leave_no_directions_of_rounding():
    texts = ["all is well", "price is too high", "wants to cancel"] * 20

    learned = NgramVectors.fit(texts, dimensions=64, max_features=1000)

    assert learned.dimension == 3


def test_a_text_of_which_only_rounding_is_left_says_nothing():
    axes = np.array([[1.0], [1e-9]], dtype=np.float32)
    vectors = NgramVectors((" a", "b "), np.ones(2, dtype=np.float32), axes)

    assert vectors.encode(["a", "b"]).tolist() == [[1.0], [0.0]]
