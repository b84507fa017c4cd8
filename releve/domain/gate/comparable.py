"""Whether the champion can be compared with what the scenario has become: one question, of columns that are there."""

from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

START_OVER = "Change the scenario back, or start it from scratch (`make archive`)"


def check_comparable(learned: Schema, now: Schema, *, champion: str) -> None:
    """Raises BadInput where the model `champion`, which learned by `learned`, cannot be asked the scenario's rows."""
    if (learned.target.task == REGRESSION) != (now.target.task == REGRESSION):
        raise BadInput(
            f"the champion {champion} answers a {learned.target.task} question and the scenario asks a "
            f"{now.target.task} one, so they cannot be compared. {START_OVER}"
        )
    if missing := [name for name in learned.names if name not in now.by_name]:
        raise BadInput(
            f"the champion {champion} needs the columns {', '.join(missing)}, which the scenario no longer has, so it "
            f"cannot be compared. {START_OVER}"
        )
    for column in learned.features:
        if column.type != now.column(column.name).type:
            raise BadInput(
                f"the champion {champion} learned {column.name} as a {column.type} and the scenario calls it a "
                f"{now.column(column.name).type}, so they cannot be compared. {START_OVER}"
            )
