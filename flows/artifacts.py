"""What every flow needs to show something in the Prefect UI. What a flow shows lies beside it."""


def key_of(kind: str, scenario: str) -> str:
    """The key of an artifact: Prefect shows those of the same key as one history."""
    return f"{kind}-{scenario.replace('_', '-').strip('-')}"


def plain(text: str) -> str:
    """Escape user text inside Markdown, so that it brings no markup of its own."""
    return text.replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")
