"""The model card, as HTML and as Markdown."""
