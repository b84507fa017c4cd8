"""Notes of the team beside decisions."""

from typing import Annotated

import typer

from releve.cli.output import AsJson, begin, for_history, print_json, print_table
from releve.core.formatting import to_the_second
from releve.core.names import ModelTag

About = Annotated[str, typer.Argument(metavar="SCENARIO|MODEL", help="Such as churn, or churn:1a2b3c4d5e6f.")]
Text = Annotated[
    str, typer.Argument(metavar="[TEXT]", help="Left out, notes are listed.", show_default=False, callback=for_history)
]


def note(about: About, text: Text = "", json: AsJson = False) -> None:
    """Write a note or a question beside the decisions, as the holder of RELEVE_APPROVER_TOKEN; or list them."""
    settings = begin(ModelTag.parse(about).scenario)
    from releve.reporting.messages.notes import describe_note
    from tasks.notes import notes_on, take_note

    if text:
        written = take_note(settings, about, text)
        print(describe_note(written))
        return
    notes = notes_on(settings, about)
    if json:
        print_json([each.as_dict() for each in notes])
    elif not notes:
        print(f"nobody has written a note on {about}")
    else:
        rows = [(to_the_second(each.at), each.actor, each.payload["model"] or "", each.reason) for each in notes]
        print_table(("at", "by", "on", "note"), rows)
