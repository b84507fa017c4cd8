"""The demo on one self-contained page: pictures, decisions, history."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader

from releve.adapters.files import write_bytes
from releve.reporting.drawing.style import STYLE

STATIC, LOOP, EVERY = "#9a8c98", "#c1440e", "#3d5a80"  # told apart in grey print too: light, strong, dark
TEMPLATE = "demo_report.html.jinja"


def write_report(folder: Path, story: Any, *, events: Sequence[Any]) -> Path:
    """Write report.html and loop.png into `folder`; returns the page's path."""
    picture = loop_picture(story)
    write_bytes(folder / "loop.png", picture)
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True)
    page = templates.get_template(TEMPLATE).render(
        style=STYLE,
        story=story,
        loop=sum(turn.right for turn in story.turns) / sum(turn.rows for turn in story.turns),
        static=story.comparison.static.mean(),
        every=story.comparison.every.mean(),
        picture=_data_url(picture),
        digits=_data_url(digits_picture(story)),
        reports=[path.as_uri() for path in story.reports],
        events=events,
    )
    write_bytes(folder / "report.html", page.encode())
    return folder / "report.html"


def loop_picture(story: Any) -> bytes:
    """Accuracy per window of the three policies, with what the loop decided."""
    numbers = [turn.number for turn in story.turns]
    with _figure(width=10, height=5) as (figure, axes):
        axes.plot(numbers, story.comparison.static_by_window, color=STATIC, lw=2, label="never retrained")
        axes.plot(
            numbers, story.comparison.every_by_window, color=EVERY, lw=1.5, ls="--", label="retrained every window"
        )
        axes.plot(
            numbers, [turn.accuracy for turn in story.turns], color=LOOP, lw=2.5, marker="o", ms=4, label="this loop"
        )
        for turn in story.turns:
            if turn.decision != "wait":
                released = "released" in turn.decision
                axes.axvline(
                    turn.number + 0.5, color=LOOP if released else "#bbbbbb", lw=1, ls="-" if released else ":"
                )
        axes.plot([], [], color=LOOP, lw=1, label="challenger released")
        axes.plot([], [], color="#bbbbbb", lw=1, ls=":", label="challenger refused")
        axes.set(xlabel="window (about 90 digits each, in the order they were written)", ylabel="accuracy")
        axes.set_xticks(numbers)
        figure.legend(loc="outside lower center", frameon=False, ncols=5)
        axes.set_title("A model that stays fresh, and one that does not", loc="left")
        return _png(figure)


def digits_picture(story: Any) -> bytes:
    """The digit that was asked, and the labelled digits nearest to it."""
    import matplotlib.pyplot as plt

    shown = [("asked", story.query)] + [
        (f"{label}  ({distance:.1f})", pixels) for label, distance, pixels in story.neighbours
    ]
    figure, axes = plt.subplots(1, len(shown), figsize=(1.4 * len(shown), 1.8), layout="constrained")
    for place, (title, pixels) in zip(axes, shown, strict=True):
        place.imshow(np.asarray(pixels, dtype=float).reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        place.set_title(title, fontsize=10)
        place.axis("off")
    return _png(figure)


class _figure:
    """A figure with quiet axes, closed afterwards."""

    def __init__(self, *, width: float, height: float):
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        self._figure, self._axes = plt.subplots(figsize=(width, height), layout="constrained")
        self._axes.spines[["top", "right"]].set_visible(False)
        self._axes.grid(axis="y", color="#e5e5e5")

    def __enter__(self) -> tuple[Any, Any]:
        return self._figure, self._axes

    def __exit__(self, *_: object) -> None:
        import matplotlib.pyplot as plt

        plt.close(self._figure)


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
