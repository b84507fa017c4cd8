"""compose.yaml says what docs and settings say: its schema is checked by tests/compatibility/test_delivery_files.py."""

import re
import subprocess
import sys

import pytest

from releve.core.environments import SECRETS, VARIABLES
from tests.deploy.files import COMPOSE, OURS, PAGES, ROOT

SERVICES = COMPOSE["services"]
TEXT = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / "deploy" / "compose.env.example").read_text()
ASKED = dict(re.findall(r"(?<!\$)\$\{(\w+)(:[?-][^}]*)?\}", TEXT))  # name -> how it is asked for
CONTAINER_FILES = ("worker.sh",)
SECRET = re.compile(r"PASSWORD|TOKEN|AUTH|(S3|ROOT)_USER|KEY")
BY_HAND = {  # what people's commands read, and what compose.yaml settles itself
    **dict.fromkeys(("RELEVE_APPROVER_TOKEN", "RELEVE_SIGNING_KEY", "RELEVE_MODEL_SIGNING"), "of a person's command"),
    **dict.fromkeys(("RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT", "RELEVE_MILVUS_PORT"), "ports of the parts"),
    "RELEVE_GUIDE_PORT": "`make bring` runs on a person's machine",
    "RELEVE_HOME": "the images set it",
    "MILVUS_TOKEN": "its Milvus asks for none",
}
READ_BY = {
    "RELEVE_SERVICE_WORKERS": {"service"},
    "RELEVE_SERVICE_MEMORY": {"service"},
    "RELEVE_SCENARIO": {"service"},
    "RELEVE_TOKEN_READ": {"service", "worker"},
    "RELEVE_TOKEN_LABEL": {"service"},
    "RELEVE_TOKEN_EXPLAIN": {"service"},
    "RELEVE_TOKEN_OPERATE": {"service"},
    "RELEVE_TOKEN_RATE": {"service"},
    "RELEVE_WAIT_SECONDS": {"worker"},
    "RELEVE_EVIDENTLY_PAGES": {"worker"},
}
ours = {name: each for name, each in SERVICES.items() if each["image"] in OURS}


def test_every_part_of_the_stack_is_there() -> None:
    parts = {"service", "shadow", "worker", "deployments", "prefect", "postgres", "s3", "buckets", "etcd", "milvus"}
    assert SERVICES.keys() == parts


@pytest.mark.parametrize("name", sorted({key for each in ours.values() for key in each.get("environment", {})}))
def test_every_variable_of_ours_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGES


@pytest.mark.parametrize("name", sorted(ASKED))
def test_every_variable_that_a_person_sets_is_in_the_example_and_documented(name: str) -> None:
    assert re.search(rf"^(# )?{name}=", EXAMPLE, re.MULTILINE)
    assert f"`{name}`" in PAGES


@pytest.mark.parametrize("name", sorted(name for name in ASKED if SECRET.search(name)))
def test_a_secret_has_no_default(name: str) -> None:
    assert ASKED[name].startswith(":?") or ASKED[name] == ":-"
    assert re.search(rf"^(# )?{name}=$", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted({*VARIABLES, *SECRETS} - BY_HAND.keys()))
def test_what_decides_how_a_server_behaves_reaches_the_parts_that_read_it(name: str) -> None:
    having = {part for part, each in ours.items() if name in each["environment"]}

    assert having >= READ_BY.get(name, {"service", "shadow", "worker", "deployments"})


def test_secrets_stand_in_no_file_that_git_holds() -> None:
    values = [value for each in SERVICES.values() for value in each.get("environment", {}).items()]

    assert [name for name, value in values if SECRET.search(name) and "${" not in str(value)] == []
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_ports_are_on_this_machine_alone() -> None:
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]

    assert ports and all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_part_that_lasts_starts_again_and_says_how_it_is(name: str) -> None:
    part = SERVICES[name]
    if part.get("restart") == "no":
        return
    assert part["restart"] == "unless-stopped"
    assert part["image"] in OURS or part["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", sorted(ours))
def test_what_is_ours_can_write_its_state_alone(name: str) -> None:
    part = ours[name]

    assert part["read_only"] and part["cap_drop"] == ["ALL"] and part["user"].startswith("${CHECKOUT_USER")
    if part["image"] == "releve-service":
        assert part["volumes"] == [".:/srv/releve/project:ro", "./var:/srv/releve/project/var"]


def test_whom_a_part_waits_for_is_there_and_can_become_that() -> None:
    for name, part in SERVICES.items():
        for other, condition in part.get("depends_on", {}).items():
            if condition["condition"] == "service_completed_successfully":
                assert SERVICES[other]["restart"] == "no", name
            else:
                assert SERVICES[other]["restart"] != "no", name


def test_images_of_others_have_a_version() -> None:
    others = [each["image"] for each in SERVICES.values() if each["image"] not in OURS]

    assert all(re.search(r":[\w.]*\d[\w.-]*$", image) for image in others)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("bentoml", ("serve",)),
        ("prefect", ("server", "start")),
        ("prefect", ("worker", "start")),
        ("releve", ("deploy",)),
    ],
)
def test_every_command_of_a_container_takes_its_options(module: str, words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *words, "--help"], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    commands = [
        *(each.get("command", []) for each in ours.values()),
        *((ROOT / "deploy" / "containers" / name).read_text().split() for name in CONTAINER_FILES),
    ]
    used = [option for command in commands if follows(command, [module, *words]) for option in options(command)]
    assert [option for option in used if option not in done.stdout] == []


def follows(command: list[str], words: list[str]) -> bool:
    plain = [word for word in command if not word.startswith("-")]
    return any(plain[place : place + len(words)] == words for place in range(len(plain)))


def options(command: list[str]) -> list[str]:
    return [word for word in command if re.fullmatch(r"--(host|port|pool|type|with-healthcheck)", word)]
