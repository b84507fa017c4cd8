"""Send a part of the ledger through any model version, and list the answers that change."""

from collections.abc import Callable, Iterator, Sequence

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.models.model_runtime import Model
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.core.errors import BadInput
from releve.core.names import ModelTag
from releve.core.settings import Settings
from releve.domain.prediction_log.decisions import ChangedAnswer, DecisionBlock, as_asked
from releve.domain.prediction_log.records import AnswerLine, parse_moment
from releve.domain.prediction_log.reproduction import same_label
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.plain_rows import arrays_of_plain_rows
from releve.domain.schema.validation import row_problems
from tasks.places import ScenarioState
from tasks.release.fetch import fetched_model

BLOCK_ROWS = 500  # that are asked at once, or one request where it has more


def decisions(
    settings: Settings,
    tag: str,
    *,
    since: str,
    until: str | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> Iterator[DecisionBlock]:
    """Ask the model "<scenario>:<version>" what was answered from `since` on and before `until`, block by block.

    Its files are those of the store, or of the data remote where they left it. Holds one block of the ledger at a time,
    however long it is. Raises BadInput for what is no time, NotFound for a model that nobody judged, ReleveError.
    """
    start, end = parse_moment(since, "since"), parse_moment(until, "until") if until else None
    if end is not None and start >= end:
        raise BadInput(f"since is {since} and until is {until}: nothing lies between them")
    scenario = ModelTag.parse(tag).scenario
    remote = read_committed(settings, scenario).params.data
    ledger = LedgerReader(ScenarioState(settings.home, scenario).ledger)
    with fetched_model(settings, tag, remote=remote, from_store=True, progress=progress) as fetched:
        asked = 0
        for lines in _blocks(ledger.requests(since=start, until=end)):
            block = _ask(fetched.model, lines)
            yield block
            asked += block.answers
            progress(f"asked {asked:,} answers, up to {lines[-1].at[:10]}")


def _blocks(lines: Iterator[AnswerLine]) -> Iterator[list[AnswerLine]]:
    block, rows = list[AnswerLine](), 0
    for line in lines:
        block.append(line)
        rows += len(line.rows)
        if rows >= BLOCK_ROWS:
            yield block
            block, rows = [], 0
    if block:
        yield block


def _ask(model: Model, lines: Sequence[AnswerLine]) -> DecisionBlock:
    answered = [(line, place) for line in lines for place in line.left]
    asked = {line.id: as_asked(line, model.schema) for line in lines}
    rows = [asked[line.id][place] for line, place in answered]
    arrays, problems = arrays_of_plain_rows(model.schema, rows), []
    if arrays is None:
        problems = row_problems(model.schema, rows)
        wrong = {problem.row for problem in problems}
        answered = [each for number, each in enumerate(answered) if number not in wrong]
        rows = [row for number, row in enumerate(rows) if number not in wrong]
        arrays = arrays_of_rows(model.schema, rows)
    labels = model.answer(arrays).labels if rows else []
    changes = [
        ChangedAnswer(f"{line.id}.{place}", line.at, line.model, old, new)
        for (line, place), new in zip(answered, labels, strict=True)
        if not same_label(old := line.labels[place], new)
    ]
    refused = sum(len(line.left) for line in lines) - len(rows)
    return DecisionBlock(len(rows), changes, refused, str(problems[0]) if problems else "")
