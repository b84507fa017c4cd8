import random
from dataclasses import replace

import pytest

from releve.adapters.files import write_parquet
from releve.core.errors import BadInput
from releve.domain.schema.schema import BATCH, ROW
from tasks.pipeline.rows import in_order, read_rows
from tests.tables import shop_rows, shop_schema


def batches(folder, *names):
    for seed, name in enumerate(names):
        write_parquet(folder / f"{name}.parquet", shop_rows(2, seed=seed))
    return folder


def shuffled(names):
    return random.Random(7).sample(names, len(names))


@pytest.mark.parametrize("digits", [4, 8])
def test_ten_thousand_and_one_batches_are_in_the_order_of_their_numbers(digits):
    names = [f"{number:0{digits}d}-{number % 16:08x}" for number in range(1, 10_002)]

    assert in_order(shuffled(names)) == names


def test_the_list_decides_where_there_is_one():
    names = [f"{number}-{number % 16:08x}" for number in range(10_001, 0, -1)]

    assert in_order(shuffled(names), names) == names


def test_batches_that_are_not_listed_come_last():
    assert in_order(["0003-a", "0001-a", "00000002-b"], ["0003-a", "gone"]) == ["0003-a", "0001-a", "00000002-b"]


def test_names_without_a_number_are_in_alphabetical_order():
    assert in_order(["b", "a", "-c", "\N{SUPERSCRIPT TWO}"]) == ["-c", "a", "b", "\N{SUPERSCRIPT TWO}"]


def test_nothing_is_in_order():
    assert in_order([], ["0001-a"]) == []


def test_rows_are_joined_in_the_order_of_the_list(tmp_path):
    folder = batches(tmp_path, "0001-a", "0002-b", "0003-c")

    rows = read_rows(folder, shop_schema(), listed=["0002-b", "0003-c", "0001-a"]).rows

    assert rows[BATCH].unique().tolist() == ["0002-b", "0003-c", "0001-a"]


def test_a_folder_without_rows_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"there are no rows in .*; put files into the incoming folder"):
        read_rows(tmp_path, shop_schema())


def table(folder, name, frame):
    write_parquet(folder / f"{name}.parquet", frame)


def test_rows_of_a_batch_are_in_the_order_of_their_time_and_batches_in_their_own(tmp_path):
    table(tmp_path, "0001-a", shop_rows(3).assign(price=[3.0, 1.0, 2.0]))
    table(tmp_path, "0002-b", shop_rows(2).assign(price=[2.0, 0.0]))
    schema = replace(shop_schema(), time="price")

    rows = read_rows(tmp_path, schema).rows

    assert rows["price"].tolist() == [1.0, 2.0, 3.0, 0.0, 2.0]
    assert rows[ROW].tolist() == [1, 2, 0, 1, 0]


def test_a_new_column_is_missing_in_the_rows_of_older_batches(tmp_path):
    table(tmp_path, "0001-a", shop_rows(2).drop(columns="weight"))
    table(tmp_path, "0002-b", shop_rows(2, seed=8))

    rows = read_rows(tmp_path, shop_schema()).rows

    assert rows["weight"].isna().tolist()[:2] == [True, True]
    assert len(rows) == 4


@pytest.mark.parametrize("column", ["price", "bought"])
def test_a_new_column_that_may_not_be_missing_says_what_to_edit(column, tmp_path):
    table(tmp_path, "0001-a", shop_rows(2).drop(columns=column))

    with pytest.raises(BadInput, match=rf"0001-a has no '{column}'.* add `nullable: true` there"):
        read_rows(tmp_path, shop_schema())


def test_a_column_that_was_removed_is_left_out_of_older_batches(tmp_path):
    table(tmp_path, "0001-a", shop_rows(2).assign(colour="red"))

    assert "colour" not in read_rows(tmp_path, shop_schema()).rows


@pytest.mark.parametrize(("categories", "fits"), [(["apple", "bread", "cheese", "tea"], True), (["apple"], False)])
def test_a_longer_list_of_categories_fits_older_batches_and_a_shorter_one_is_rejected(categories, fits, tmp_path):
    table(tmp_path, "0001-a", shop_rows(5).assign(kind="bread"))
    schema = shop_schema(kind={"categories": categories})

    if fits:
        assert len(read_rows(tmp_path, schema).rows) == 5
    else:
        with pytest.raises(BadInput, match=r"no longer fits .* widen it to what the data hold"):
            read_rows(tmp_path, schema)


def test_a_row_that_comes_again_counts_once_with_its_newest_cells(tmp_path):
    schema = replace(shop_schema(), id="kind")
    rows = shop_rows(3).assign(kind=["apple", "bread", "cheese"], bought="no")
    table(tmp_path, "0001-a", rows)
    table(tmp_path, "0002-b", rows[1:2].assign(bought="yes"))

    newest = read_rows(tmp_path, schema)

    assert newest.rows["bought"].tolist() == ["no", "yes", "no"]
    assert newest.rows[BATCH].tolist() == ["0001-a"] * 3
    assert newest.superseded == 1
    assert len(newest.rows) + newest.superseded == 4
