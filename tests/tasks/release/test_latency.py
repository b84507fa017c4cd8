from dataclasses import replace

from releve.adapters.models.description import GoldenRows
from releve.adapters.models.model_runtime import load
from tasks.release.latency import answer_milliseconds
from tests.factories import make_model_folder, make_row


def test_an_answer_takes_some_cpu_time_and_the_figure_has_two_digits(tmp_path):
    model = load(make_model_folder(tmp_path), tag="flowers:one")
    golden = GoldenRows(rows=(make_row(),))
    model = replace(model, description=model.description.model_copy(update={"golden": golden}))

    found = answer_milliseconds(model)

    assert 0 < found < 50
    assert found == float(f"{found:.2g}")
