from releve.domain.prediction_log.records import AnswerLine
from releve.domain.prediction_log.reproduction import Difference, Differs, ModelSource, Obstacle, Reproduction
from releve.reporting.messages.ledger import describe_reproduction

REQUEST = "20240131-9f2c01ab.1a40.5e77c0"
LINE = AnswerLine(
    REQUEST, "2024-01-31T12:00:00.000000Z", "shop", "shop:one", None, "champion", [{}], ["a"], None, None, 1
)


def found(**changes) -> Reproduction:
    known = {"line": LINE, "revision": "f" * 40, "data_version": "abc.dir", "source": ModelSource.REMOTE}
    return Reproduction(REQUEST, **{**known, **changes})


def test_an_answer_that_comes_out_again_says_from_what():
    assert describe_reproduction(found()).splitlines() == [
        f"{REQUEST}: 1 answer of shop, champion shop:one, 2024-01-31T12:00:00Z",
        "  its model was fetched from the data remote: revision ffffffffffff, data version abc.dir",
        "  the same comes out again",
    ]


def test_what_differs_is_shown_as_it_was_and_as_it_is():
    said = describe_reproduction(found(differences=(Difference(0, Differs.LABEL, "a", "b"),), is_altered=True))

    assert "its bytes are others than those that served" in said
    assert said.splitlines()[-1] == "  row 0: a was answered, b comes out"


def test_what_cannot_be_given_again_has_a_reason():
    unknown = Reproduction(REQUEST, obstacle=Obstacle.NOT_FOUND, detail="it is too old")

    assert describe_reproduction(unknown) == f"{REQUEST}\n  CANNOT be given again: no ledger holds it: it is too old"
