"""What was ingested of the columns whose lags are features, for the service, which follows the file."""

from releve.adapters.git_dvc.committed import Committed
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.known_values import known_values_path, read_known_values, write_known_values
from releve.core.errors import ReleveError
from releve.core.settings import Settings
from releve.domain.features.known import KnownValues
from tasks.pipeline.rows import rows_at


def refresh_known_values(settings: Settings, scenario: str, truth: Committed) -> KnownValues | None:
    """Write the file anew where it is of another data version, as after a run that was killed; none without lags.

    Return what it holds.

    Raises BadInput where a batch no longer fits params.yaml, PipelineFailed, RemoteUnavailable.
    """
    path, schema = known_values_path(settings.home, scenario), truth.schema
    history = DataHistory(settings.project, scenario, remote=truth.params.data)
    lagged = schema.derived.lagged if schema.derived else ()
    newest = history.newest() if lagged else None
    if newest is None:
        path.unlink(missing_ok=True)
        return None
    try:
        held = read_known_values(path)
        is_same = held.columns.keys() == {*lagged} and schema.derived and held.by == schema.derived.by
        if held.data_version == newest.data_version and is_same:
            return held
    except (ReleveError, OSError):  # none yet, or a damaged one
        pass
    rows = rows_at(history, newest, schema.sent).rows
    known = KnownValues.of(schema, rows, data_version=newest.data_version)
    write_known_values(path, known)
    return known
