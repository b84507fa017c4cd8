from dataclasses import replace
from pathlib import Path

import pytest

from releve.core.errors import BadInput
from releve.core.settings import Settings
from tasks.release.promote import check_apart

STAGING = Settings(Path("/p"), Path("/p/staging"), "sqlite:////p/staging.db", "http://127.0.0.1:1")
PROD = Settings(Path("/p"), Path("/p/prod"), "sqlite:////p/prod.db", "http://127.0.0.1:2")
NAMES = ("staging", "prod")


def test_two_environments_that_share_nothing_are_apart():
    check_apart(STAGING, PROD, NAMES, environ={})


def test_one_environment_is_not_promoted_to_itself():
    with pytest.raises(BadInput, match="--from and --to are both prod"):
        check_apart(STAGING, PROD, ("prod", "prod"), environ={})


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("home", "RELEVE_HOME"),
        ("registry_url", "RELEVE_REGISTRY_URL"),
        ("milvus_uri", "RELEVE_MILVUS_URI"),
        ("milvus_uri", "RELEVE_MILVUS_PORT"),
    ],
)
def test_what_both_share_is_refused_with_the_variable_that_tells_them_apart(name, variable):
    same = replace(PROD, **{name: getattr(STAGING, name)})

    with pytest.raises(BadInput, match=f"have the same .*; set .*{variable}.* in environments/prod.env"):
        check_apart(STAGING, same, NAMES, environ={})
    with pytest.raises(BadInput, match=f"{variable} is set, which wins over both files: unset it"):
        check_apart(STAGING, same, NAMES, environ={variable: "x"})
