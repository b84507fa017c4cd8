"""What is said of a model that somebody else fitted."""

from releve.core.formatting import counted
from releve.domain.brought.description import BroughtDescription

NEVER = (
    "it is not refreshed, ever: the loop goes on refreshing its own members, of which it is one, and what they answer "
    "together is held against it"
)

CHAMPION_MAY_KNOW = (
    "the champion was brought, and nobody has said which rows it learned: where some of these were among them, its "
    "score is flattered, and the gain over it too low"
)


def describe_brought(brought: BroughtDescription) -> tuple[str, ...]:
    """Write where it comes from, that nobody refreshes it, and what is known of the rows that it learned."""
    origin = (
        f"brought as {brought.file} ({brought.file_digest[:12]}), made by {brought.producer or 'nobody that it names'}"
    )
    return f"{origin}: {NEVER}", learned_rows(brought)


def learned_rows(brought: BroughtDescription) -> str:
    """Write which rows it has learned, as far as somebody has said so."""
    if brought.learned is None:
        return (
            "nobody has said which rows it learned: where some of those that it is judged on were among them, its "
            "score is flattered (releve bring --learned ROWS)"
        )
    return f"it learned {counted(brought.learned, 'row')} of the labelled ones, the oldest, as was said when it came"


def describe_reading(brought: BroughtDescription) -> list[str]:
    """Write how the file was understood."""
    lines = [f"input {name} takes {', '.join(columns)}" for name, columns in brought.inputs.items()]
    classes = f", in the order {', '.join(map(str, brought.classes))}" if brought.classes else ""
    lines.append(f"output {brought.output} is the {brought.means}{classes}")
    if brought.missing:
        lines.append(
            "missing cells become " + ", ".join(f"{name} {value:g}" for name, value in brought.missing.items())
        )
    return lines
