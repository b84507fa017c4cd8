"""A model card as one HTML page."""

from releve.reporting.card.card import Card
from releve.reporting.drawing.page import document


def page(card: Card) -> str:
    """The whole page; what is missing is counted at its head."""
    warning = f"{card.missing} things are MISSING." if card.missing else ""
    return document(card.title, f"{card.summary}.", card.sections, warning=warning)
