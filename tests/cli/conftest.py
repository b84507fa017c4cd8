import pytest


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with the folder of one scenario, moons, and no state; commands find it by the environment."""
    (tmp_path / "scenarios" / "moons").mkdir(parents=True)
    monkeypatch.setenv("RELEVE_PROJECT", str(tmp_path))
    monkeypatch.delenv("RELEVE_HOME", raising=False)
    return tmp_path
