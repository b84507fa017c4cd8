"""The data remotes of a project's scenarios."""

from collections.abc import Iterable

from releve.adapters.files import scenario_names
from releve.adapters.git_dvc.committed import read_committed, read_committed_base
from releve.adapters.git_dvc.dvc_configuration import configuration
from releve.core.params import Data
from releve.core.settings import Settings


def remote_of(settings: Settings, scenario: str) -> Data:
    """Return where a scenario's rows are pushed; of one whose folder is gone, where those without a word are."""
    if scenario in scenario_names(settings.project):
        return read_committed(settings, scenario).params.data
    return read_committed_base(settings).data


def remotes(settings: Settings, scenarios: Iterable[str]) -> dict[str, Data]:
    """Return each remote once, by the first scenario that has it."""
    found = dict[str, tuple[str, Data]]()
    for scenario in scenarios:
        data = remote_of(settings, scenario)
        config = configuration(settings.project, data)
        section = config.get(f'remote "{config["core"].get("remote", "")}"', {})
        found.setdefault(str(sorted(section.items())), (scenario, data))
    return dict(found.values())
