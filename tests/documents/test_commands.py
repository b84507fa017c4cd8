"""Every command of the README and of docs/ is typed here, in one clone, or it is said where else it is tried."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from releve.adapters.local_stack import stack
from releve.adapters.registry.registry import Registry
from releve.core.params import Params
from releve.domain.approval.people import token_hash, token_of
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.schema import TABLE_KEYS
from tests.adapters.local_stack.small import free_settings
from tests.documents.blocks import PAGES, ROOT, SHELLS, Block, blocks
from tests.documents.reader import Reader
from tests.projects import SETTINGS, fresh_project

# In which order a reader comes to the pages: each goes on with what those before have left.
ORDER = (
    "README.md",
    *(f"docs/{name}.md" for name in ("bring_a_table", "open_inference", "explain", "ingest", "experiment", "score")),
    *(f"docs/{name}.md" for name in ("fleet", "storage", "evidence", "operate", "arms", "approval", "notes", "backup")),
    "docs/prefect.md",
)
NO_ENGINE = "tests/deploy/test_containers.py"  # reads what would run: there is no engine, cluster or account here
# How a command begins -> the test that tries it. These want minutes, servers or a state of their own.
ELSEWHERE = {
    "make demo": "tests/test_demo.py",
    "make fleet": "tests/flows/test_fleet.py",
    "make bring": "tests/guide/test_browser.py",
    "make backtest": "tests/tasks/test_backtest.py",
    "make promote": "tests/tasks/release/test_promote.py",
    "make up": "tests/adapters/local_stack/test_stack.py",
    "make retrain SCENARIO=digits": "tests/test_demo.py",
    "make retrain SCENARIO=churn": "tests/tasks/retraining/test_decide.py",
    "make release": "tests/tasks/release/test_release.py",
    ".venv/bin/releve bring": "tests/tasks/retraining/test_bring.py",
    "RELEVE_ENV=": "tests/core/test_environments.py",
    "export RELEVE_REGISTRY_URL": "tests/adapters/local_stack/test_shared_server.py",
    "export PREFECT_API_DATABASE": "tests/adapters/local_stack/test_shared_server.py",
    "export PREFECT_SERVER": "tests/adapters/local_stack/test_shared_server.py",
    "export PREFECT_API_AUTH": "tests/adapters/local_stack/test_shared_server.py",
    "OPENLINEAGE": "tests/adapters/test_lineage.py",
    "export OTEL": "tests/adapters/test_telemetry.py",
    **dict.fromkeys(
        ("uv tool install", "openssl", "RELEVE_SIGNING_KEY", "model_signing"),
        "tests/compatibility/test_model_signing.py",
    ),
    "python verify.py": "tests/tasks/test_evidence.py",
    "git clone": "tests/tasks/backup/test_backup.py",
    ".venv/bin/releve restore": "tests/tasks/backup/test_backup.py",
    "releve changes": "tests/tasks/delivery/test_revisions.py",
    "releve export-kubeflow": "tests/tasks/delivery/test_kubeflow.py",
    "releve label-queue": "tests/tasks/arms/test_label_queue.py",
    "releve labels": "tests/tasks/arms/test_label_queue.py",
    "python -m conformance.oip": "tests/conformance/test_oip.py",
    "python -m examples.support_messages": "tests/serving/test_examples.py",
    "make scenario NAME=support": "tests/serving/test_examples.py",
    "curl -s 127.0.0.1:3000/scenarios/digits": "tests/test_demo.py",
    **dict.fromkeys(("docker ", "kubectl ", "kfp ", "cp deploy/", "mkdir -p var"), NO_ENGINE),
}
PYTHON_ELSEWHERE = {
    "docs/storage.md": "tests/adapters/prediction_ledger/test_compaction.py"
}  # wants a day that is over
ANNA = token_of(bytes(range(32)))
NEW_CUSTOMERS = count(4000, 100)
CHALLENGE = """
from tasks.ingestion.ingest import ingest
from tasks.retraining.retrain import retrain
ingest(settings, "churn")
retrain(settings, "churn", reason="newer rows")
"""
BEFORE: dict[str, Callable[[Reader], Any]] = {}  # how a command begins -> what a reader has or does before it


def before(*commands: str) -> Callable[[Callable[[Reader], Any]], Callable[[Reader], Any]]:
    def known(prepare: Callable[[Reader], Any]) -> Callable[[Reader], Any]:
        BEFORE.update(dict.fromkeys(commands, prepare))
        return prepare

    return known


def customers(first: int, rows: int) -> pd.DataFrame:
    """Of the README's table, from the customer with this number on."""
    random = np.random.default_rng(first)
    leaves = random.random(rows) < 0.5
    days = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.arange(first, first + rows), unit="D")
    table = {
        "customer": [f"C-{number}" for number in range(first, first + rows)],
        "signed_up": days.strftime("%Y-%m-%d"),
        "tenure_months": random.permutation(np.arange(rows) % 72),
        "plan": random.choice(["basic", "plus", "pro"], rows),
        "last_login_days": random.integers(0, 30, rows) + 15 * leaves,
        "comment": [
            " ".join(random.permutation(["all", "is", "fine", "here", "thanks", "a", "lot"])) for _ in range(rows)
        ],
        "churned": np.where(leaves, "yes", "no"),
    }
    return pd.DataFrame(table)


@before("make scenario NAME=churn")
def a_table_of_customers(reader: Reader) -> None:
    customers(1000, 500).to_csv(reader.root / "churn.csv", index=False)


@before("git add scenarios/churn")
def a_short_search(reader: Reader) -> None:
    with (reader.root / "scenarios/churn/params.yaml").open("a") as file:
        file.write("\nsearch: {trials: 2}\n")


@before("make scenario NAME=rides")
def a_table_of_rides(reader: Reader) -> None:
    days = pd.date_range("2024-01-01", periods=400, freq="D").strftime("%Y-%m-%d")
    warm = np.arange(400) % 30
    pd.DataFrame({"day": days, "warm": warm, "total": 100 + 7 * warm}).to_csv(reader.root / "rides.csv", index=False)


@before(".venv/bin/releve challenge", ".venv/bin/dvc plots")
def an_experiment(reader: Reader) -> None:
    told = reader.type("releve experiments churn --json")
    listed = json.loads(told[told.index("{") :])
    reader.names["churn-1a2b3c4d"] = listed["experiments"][0]["experiment"]


@before("make score")
def a_table_without_labels(reader: Reader) -> None:
    customers(3000, 50).drop(columns="churned").to_csv(reader.root / "customers.csv", index=False)


@before("make rebuild", "releve evidence", "releve decisions")
def a_model_that_serves(reader: Reader) -> None:
    reader.names["churn:1a2b3c4d5e6f"] = current_model(reader)


@before('.venv/bin/releve note churn "prices')
def a_name(reader: Reader) -> None:
    a_model_that_serves(reader)
    reader.exported["RELEVE_APPROVER_TOKEN"] = ANNA


@before("releve backup")
def a_disk_for_backups(reader: Reader) -> None:
    reader.names["/mnt/backups"] = str(reader.root.parent / "backups")
    reader.type("git add scenarios && git commit --quiet -m 'Add the scenario rides'")


@before("releve reproduce")
def an_answer(reader: Reader) -> None:
    asked = next(each for block in read() for each in block.commands if "scenarios/churn/predict" in each)
    found = re.search(r'"request_id":"([^"]+)"', reader.type(asked))
    assert found is not None
    reader.names["20261129-212335d4.3c0.d151c0"] = found[1]


@before("prefect automation")
def a_server_to_tell(reader: Reader) -> None:
    reader.exported["PREFECT_API_URL"] = f"http://127.0.0.1:{reader.ports.prefect_port}/api"


@before(".venv/bin/releve arms churn --shadow")
def a_challenger(reader: Reader) -> None:
    """New rows come in, and a model that learned from them waits."""
    customers(next(NEW_CUSTOMERS), 100).to_csv(reader.root / "var/incoming/churn/new.csv", index=False)
    (reader.root / "challenge.py").write_text(SETTINGS + CHALLENGE)
    reader.type("python challenge.py")


@before(".venv/bin/releve approve churn")
def a_release_that_waits(reader: Reader) -> None:
    """Anna may approve, and somebody asks for a release."""
    people = f'release: {{approval: required, approvers: {{anna: "{token_hash(ANNA)}"}}}}\n'
    params = reader.root / "scenarios/churn/params.yaml"
    if "approvers" not in params.read_text():
        params.write_text(params.read_text() + people)
        reader.type("git commit --quiet --all -m 'Have Anna approve'")
    a_challenger(reader)
    reader.type("make release SCENARIO=churn || test $? = 2")  # make's own code where a command ends with another one
    reader.exported["RELEVE_APPROVER_TOKEN"] = ANNA
    found = re.search(r"--model (churn:\w+)", reader.type("releve approve churn"))
    assert found is not None
    reader.names["churn:1a2b3c4d5e6f"] = found[1]


before(".venv/bin/releve refuse churn")(a_release_that_waits)


def current_model(reader: Reader) -> str:
    registry = Registry(f"sqlite:///{reader.root / 'var/registry.db'}")
    current = registry.current("churn")
    registry.close()
    assert current is not None
    return current.release.model


def read() -> list[Block]:
    return [block for page in (*ORDER, *PAGES) for block in blocks(page) if block.language in SHELLS]


def test_of_every_command_it_is_known_who_tries_it() -> None:
    untold = [
        (block.page, command)
        for page in PAGES
        if page not in ORDER
        for block in blocks(page)
        if block.language in SHELLS
        for command in block.commands
        if not command.startswith((*ELSEWHERE, *typed()))
    ]

    assert untold == []


def typed() -> list[str]:
    return [
        command for page in ORDER for block in blocks(page) if block.language in SHELLS for command in block.commands
    ]


def test_what_is_tried_elsewhere_is_on_a_page_and_there_is_a_test() -> None:
    commands = [command for block in read() for command in block.commands]

    assert [start for start in ELSEWHERE if not any(command.startswith(start) for command in commands)] == []
    assert [path for path in ELSEWHERE.values() if not (ROOT / path).is_file()] == []


def is_typed(command: str, done: set[str]) -> bool:
    """Whether it was typed, or its targets as the first ones of a longer `make`."""
    return command in done or (command.startswith("make ") and any(each.startswith(f"{command} ") for each in done))


@pytest.fixture(scope="module")
def reader(work_dir: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    project = fresh_project(work_dir).copy(tmp_path_factory.mktemp("reader"))
    ports = free_settings(project.root)
    yield Reader(replace(project, name="churn"), ports)
    stack.down(ports)


@pytest.mark.whole
@pytest.mark.timeout(1200)
def test_a_reader_can_type_what_the_pages_show(reader: Reader, subtests: Any) -> None:
    done, prepared = set[str](), set[str]()
    for page in ORDER:
        for block in blocks(page):
            for command in block.commands if block.language in SHELLS else []:
                if is_typed(command, done) or command.startswith(tuple(ELSEWHERE)):
                    continue
                done.add(command)
                with subtests.test(page=page, command=command):
                    for start in [each for each in BEFORE if command.startswith(each) and each not in prepared]:
                        prepared.add(start)
                        BEFORE[start](reader)
                    reader.type(command)
            if block.language == "python" and page not in PYTHON_ELSEWHERE:
                with subtests.test(page=page):
                    (reader.root / "shown.py").write_text(block.text)
                    reader.type("python shown.py")
        reader.exported.clear()


@pytest.mark.parametrize("page", PAGES)
def test_settings_that_a_page_shows_are_settings(page: str) -> None:
    shown = [yaml.safe_load(block.text) for block in blocks(page) if block.language == "yaml"]
    known = {*Params.model_fields, *TABLE_KEYS} if page != "docs/bring_a_model.md" else {*MappingFile.model_fields}

    assert [key for values in shown for key in values if key not in known] == []
