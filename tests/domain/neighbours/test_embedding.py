import json

import numpy as np
import pytest

from releve.core.documents import parse_document
from releve.core.errors import BadInput
from releve.domain.neighbours.embedding import Embedder, EmbedderDescription
from releve.domain.neighbours.text_vectors import NgramVectors
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.images import png
from tests.tables import shop_row, shop_rows, shop_schema

ROWS = [
    shop_row(price=0.0, weight=1.0, kind="apple"),
    shop_row(price=50.0, weight=3.0, kind="bread"),
    shop_row(price=100.0, weight=2.0, kind="apple"),
]


def fitted(rows=ROWS):
    return Embedder.fit(arrays_of_rows(shop_schema(), rows))


def distance(one, other, *, embedder=None):
    first, second = (embedder or fitted()).embed(arrays_of_rows(shop_schema(), [one, other]))
    return float(((first - second) ** 2).sum())


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, 0.0),
        ({"price": 70.0}, 0.5**2),  # 50 of a range of 100
        ({"weight": 2.0}, 0.25**2),  # 0.5 of a range of 2
        ({"kind": "apple"}, 1.0),  # another category is as far as a full range
        ({"price": 70.0, "weight": 2.0, "kind": "apple"}, 0.5**2 + 0.25**2 + 1.0),
    ],
)
def test_the_squared_distance_is_the_sum_over_the_columns(change, expected):
    assert distance(shop_row(), shop_row(**change)) == pytest.approx(expected, abs=1e-6)


def test_a_missing_number_stands_in_the_middle_of_its_range():
    assert distance(shop_row(weight=None), shop_row(weight=2.0)) == pytest.approx(0.0, abs=1e-6)
    assert distance(shop_row(weight=None), shop_row(weight=3.0)) == pytest.approx(0.25, abs=1e-6)


def test_numbers_come_out_of_a_vector_again_but_for_missing_ones_and_constant_columns():
    rows = [shop_row(price=0.0, weight=1.0), shop_row(price=30.0, weight=1.0), shop_row(price=100.0, weight=1.0)]
    embedder = fitted(rows)
    asked = [shop_row(price=120.0, weight=1.0), shop_row(price=None, weight=5.0)]

    found = embedder.numbers_of(embedder.embed(arrays_of_rows(shop_schema(), asked)))

    names = shop_schema().model_numbers
    prices, weights = (found[:, names.index(name)].tolist() for name in ("price", "weight"))
    assert prices == pytest.approx([120.0, 50.0], abs=1e-4)
    assert weights == [1.0, 1.0]


@pytest.mark.parametrize("kind", ["cheese", None])
def test_an_unseen_category_is_like_none_of_the_known_and_like_another_unseen_one(kind):
    assert distance(shop_row(kind=kind), shop_row(kind="apple")) == pytest.approx(0.5, abs=1e-6)
    assert distance(shop_row(kind=kind), shop_row(kind="bread")) == pytest.approx(0.5, abs=1e-6)
    assert distance(shop_row(kind=kind), shop_row(kind="unheard of")) == 0.0


def test_a_constant_column_divides_by_no_zero():
    embedder = fitted([shop_row(price=5.0), shop_row(price=5.0, weight=9.0)])

    vectors = embedder.embed(arrays_of_rows(shop_schema(), [shop_row(price=5.0), shop_row(price=6.0)]))

    assert np.isfinite(vectors).all()
    assert vectors[:, 0].tolist() == [0.0, 1.0]


def test_numbers_outside_the_known_range_go_on_in_proportion():
    vector = fitted().embed(arrays_of_rows(shop_schema(), [shop_row(price=200.0)]))[0]

    assert vector[0] == pytest.approx(2.0)


def test_missing_numbers_do_not_change_the_range():
    assert fitted([*ROWS, shop_row(weight=None)]).low == fitted().low
    assert fitted([*ROWS, shop_row(weight=None)]).high == fitted().high


def test_a_column_without_any_number_stands_in_the_middle_and_still_goes_through_json():
    embedder = fitted([shop_row(weight=None), shop_row(weight=None, price=9.0)])

    json.dumps(embedder.describe().model_dump(), allow_nan=False)
    vectors = embedder.embed(arrays_of_rows(shop_schema(), [shop_row(weight=None)]))

    assert (embedder.low[1], embedder.high[1]) == (0.0, 0.0)
    assert vectors[0, 1] == 0.5


@pytest.mark.parametrize("block", ["numbers", "categories"])
def test_a_table_of_one_type_alone_has_vectors_too(block):
    arrays = {block: arrays_of_frame(shop_schema(), check_frame(shop_schema(), shop_rows(50)).accepted)[block]}

    embedder = Embedder.fit(arrays)
    vectors = embedder.embed(arrays)

    assert vectors.shape == (50, embedder.dimension)
    assert vectors.dtype == np.float32


def test_a_vector_has_one_place_per_number_and_one_per_known_category():
    embedder = fitted()

    assert embedder.dimension == 2 + 2
    assert embedder.embed(arrays_of_rows(shop_schema(), ROWS)).shape == (3, 4)


def test_a_vector_that_no_index_holds_is_refused_with_what_it_is_made_of():
    fits = Embedder((0.0,) * 32_765, (1.0,) * 32_765, (("a", "b", "c"),))
    of_numbers = Embedder((0.0,) * 32_766, (1.0,) * 32_766, (("a", "b", "c"),))
    of_categories = Embedder((0.0,), (1.0,), (tuple(map(str, range(40_000))),))

    fits.check_dimension()
    with pytest.raises(
        BadInput, match=r"has 32,769 numbers, .* at most 32,768; 32,766 are of numbers, dates and pixels"
    ):
        of_numbers.check_dimension()
    with pytest.raises(BadInput, match=r"has 40,001 numbers, .*; 40,000 are of categories"):
        of_categories.check_dimension()


def test_an_embedder_survives_json_with_its_version_and_its_vectors():
    embedder = fitted()

    read = EmbedderDescription.model_validate_json(embedder.describe().model_dump_json())
    again = Embedder(read.low, read.high, read.categories)

    assert again == embedder
    assert again.version == embedder.version
    arrays = arrays_of_rows(shop_schema(), ROWS)
    assert (again.embed(arrays) == embedder.embed(arrays)).all()


def test_a_description_from_before_images_had_encoders_is_read():
    text = json.dumps({"low": [0], "high": [1], "categories": [], "texts": []})

    assert parse_document(text, EmbedderDescription, source="a model").images == ()


@pytest.mark.parametrize("other", [shop_row(price=100.1), shop_row(kind="cheese"), shop_row(weight=0.9)])
def test_another_range_or_category_is_another_version(other):
    assert fitted([*ROWS, other]).version != fitted().version


@pytest.mark.parametrize("same", [shop_row(price=50.0), shop_row(kind="apple"), shop_row(weight=1.0)])
def test_rows_that_teach_nothing_new_keep_the_version(same):
    assert fitted([*ROWS, same]).version == fitted().version
    assert len(fitted().version) == 12


TITLES = ["red apple", "green apple", "fast car", ""]


def with_texts(titles=TITLES, *, columns=1):
    numbers = np.zeros((len(titles), 1), np.float32)
    return {"numbers": numbers, "texts": np.array([[title] * columns for title in titles], dtype=object)}


def learn(texts):
    return NgramVectors.fit(texts, dimensions=3, max_features=200)


def text_distance(one, other, *, columns=1):
    embedder = Embedder.fit(with_texts(columns=columns), encoder=learn)
    first, second = embedder.embed(with_texts([one, other], columns=columns))
    return float(((first - second) ** 2).sum())


def test_the_distance_of_texts_is_one_less_their_cosine():
    one, other = learn(TITLES).encode(["red apple", "green apple"])

    assert text_distance("red apple", "green apple") == pytest.approx(1 - float(one @ other), abs=1e-6)
    assert text_distance("red apple", "red apple") == pytest.approx(0.0, abs=1e-6)


def test_texts_that_share_nothing_are_as_far_apart_as_two_categories():
    assert text_distance("red apple", "fast car") == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("nothing", ["", "   "])
def test_an_empty_text_stands_between_all_others(nothing):
    assert text_distance("red apple", nothing) == pytest.approx(0.5, abs=1e-6)


def test_each_text_weighs_as_one_column():
    assert text_distance("red apple", "", columns=2) == pytest.approx(2 * 0.5, abs=1e-6)


def test_what_texts_teach_is_in_the_version_and_not_in_the_description():
    embedder = Embedder.fit(with_texts(), encoder=learn)

    assert embedder.describe().texts == (learn(TITLES).version,)
    assert embedder.version != Embedder.fit(with_texts([*TITLES[:3], "slow car"]), encoder=learn).version
    assert embedder.dimension == 1 + 3


def test_a_number_far_outside_its_range_counts_as_one_range_outside():
    embedder = Embedder.fit(arrays_of_rows(shop_schema(), [shop_row(price=5.0), shop_row(price=5.0 + 1e-6)]))

    vectors = embedder.embed(arrays_of_rows(shop_schema(), [shop_row(price=1e30), shop_row(price=-1e30)]))

    assert vectors[:, 0].tolist() == [2.0, -1.0]


def test_an_image_weighs_as_much_as_any_other_column_however_many_pixels_it_has():
    columns = {"photo": {"type": "image", "size": [4, 4], "nullable": True}, "price": {"type": "number"}}
    schema = Schema.from_dict({"columns": columns, "target": {"name": "y", "task": "regression"}})
    black, white, half = (png(np.full((4, 4), light)) for light in (0, 255, 51))
    rows = [{"price": 1.0, "photo": photo} for photo in (black, white, half, None)]
    embedder = Embedder.fit(arrays_of_rows(schema, [*rows, {"price": 2.0, "photo": black}]), pixels=[16])

    first, *others = embedder.embed(arrays_of_rows(schema, rows))

    assert [float(((first - each) ** 2).sum()) for each in others] == pytest.approx([1.0, 0.04, 0.25], abs=1e-6)
