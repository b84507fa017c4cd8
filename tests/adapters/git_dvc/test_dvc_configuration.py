import pytest

from releve.adapters.git_dvc.dvc_configuration import as_nested, configuration, remote_folder, write_configuration
from releve.core.errors import BadInput
from releve.core.params import Data
from tests.repositories import DVC_CONFIG, write

NOTHING = Data(remote="", endpoint="")


@pytest.fixture
def project(tmp_path):
    write(tmp_path / ".dvc/config", DVC_CONFIG)
    return tmp_path


def default_remote(found):
    return as_nested(found)["remote"][found["core"]["remote"]]


@pytest.mark.parametrize("params", [None, NOTHING])
def test_without_a_remote_in_params_the_one_of_dvcs_configuration_is_meant(params, project):
    found = configuration(project, params)

    assert default_remote(found) == {"url": str(project / "remote"), "verify": "true"}
    assert remote_folder(found) == project / "remote"


def test_a_bucket_in_params_becomes_the_default_remote_and_is_verified(project):
    found = configuration(project, Data(remote="s3://rows/releve", endpoint="http://127.0.0.1:9000"))

    assert default_remote(found) == {
        "url": "s3://rows/releve",
        "endpointurl": "http://127.0.0.1:9000",
        "verify": "true",
    }
    assert remote_folder(found) is None


@pytest.mark.parametrize(("place", "meant"), [("../rows", "../rows"), ("rows", "rows"), ("/mnt/rows", "/mnt/rows")])
def test_a_folder_in_params_is_meant_from_the_projects_root(place, meant, project):
    found = configuration(project, Data(remote=place, endpoint=""))

    assert remote_folder(found) == (project / meant).resolve()


def test_a_remote_cannot_be_left_unverified(project):
    write(project / ".dvc/config.local", "['remote \"local\"']\n    verify = false\n")

    assert default_remote(configuration(project))["verify"] == "true"


def test_a_project_without_any_remote_has_none(tmp_path):
    write(tmp_path / ".dvc/config", "")

    found = configuration(tmp_path)

    assert remote_folder(found) is None
    assert as_nested(found)["remote"] == {}


@pytest.mark.parametrize("name", ["a #b", "it's", 'so "said"', 'it\'s "both" #1, 2', "50%", "ü", "[x]", "a,b"])
def test_dvc_reads_the_paths_that_are_written_whatever_is_in_them(name, tmp_path):
    from dvc.config import Config

    project, tree = tmp_path / name, tmp_path / "tree"
    write(project / ".dvc/config", DVC_CONFIG)
    found = configuration(project)
    write(tree / ".dvc/config", "")

    write_configuration(tree / ".dvc/config.local", found)

    read = Config(dvc_dir=str(tree / ".dvc"), validate=False)
    assert read["cache"]["dir"] == str(project / ".dvc/cache")
    assert read["remote"]["local"]["url"] == str(project / "remote")


def test_a_path_that_a_person_wrote_in_quotes_is_read_without_them(project):
    write(project / ".dvc/config.local", '[\'remote "local"\']\n    url = "/mnt/a #b"\n')

    assert default_remote(configuration(project))["url"] == "/mnt/a #b"


def test_a_file_that_is_no_configuration_is_named(project):
    write(project / ".dvc/config.local", "[core\n")

    with pytest.raises(BadInput, match=r"config\.local cannot be read"):
        configuration(project)
