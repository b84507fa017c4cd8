"""A backtest as a picture: score per window, and when each policy retrained. The only drawing of a backtest."""

import io
from collections.abc import Mapping
from typing import Any

SHOWN = 6  # policies whose scores are drawn, the best ones; all retrainings are
FAINT = "0.6"


def picture(found: Mapping[str, Any]) -> bytes:
    """PNG of what backtest.json says."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    ranked = sorted(found["policies"], key=lambda each: each["regret"]["value"])
    figure, (scores, dots) = pyplot.subplots(
        2, 1, figsize=(10, 4.5 + 0.3 * len(ranked)), height_ratios=(2, 1), sharex=True, layout="constrained"
    )
    try:
        _draw_scores(scores, ranked, found)
        _draw_retrainings(dots, ranked)
        dots.set_xlabel("window")
        dots.xaxis.get_major_locator().set_params(integer=True)
        with io.BytesIO() as file:
            figure.savefig(file, format="png", dpi=110)
            return file.getvalue()
    finally:
        pyplot.close(figure)


def _draw_scores(axes: Any, ranked: list[dict[str, Any]], found: Mapping[str, Any]) -> None:
    numbers = [window["number"] for window in found["windows"]]
    names = [found["recommended"]["policy"], "static"]
    shown = [each for place, each in enumerate(ranked) if place < SHOWN or each["name"] in names]
    for each in shown:
        is_chosen = each["name"] == names[0]
        (line,) = axes.plot(
            numbers, _floats(each["scores"]), linewidth=2.5 if is_chosen else 1.0, label=each["name"], marker="."
        )
        if is_chosen:
            bounds = [bound or [float("nan")] * 2 for bound in each["intervals"]]
            axes.fill_between(numbers, *zip(*bounds, strict=True), color=line.get_color(), alpha=0.15)
    limits = axes.get_ylim()
    for each in found["baselines"]:  # where they come near: far away they would flatten everything else
        axes.plot(numbers, _floats(each["scores"]), color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_ylim(limits)
    axes.set_ylabel(f"{found['metric']} ({'higher' if found['sign'] > 0 else 'lower'} is better)")
    axes.set_title(f"{found['scenario']}: policies backtested; dotted: naive baselines; band: of the recommended one")
    axes.legend(fontsize="small", ncols=2)


def _draw_retrainings(axes: Any, ranked: list[dict[str, Any]]) -> None:
    """A filled dot is a promotion, a hollow one a challenger that was refused."""
    for place, each in enumerate(reversed(ranked)):
        refused = [number for number in each["retrained_at"] if number not in each["promoted_at"]]
        axes.plot(refused, [place] * len(refused), "o", color="tab:blue", markerfacecolor="none", markersize=5)
        axes.plot(each["promoted_at"], [place] * len(each["promoted_at"]), "o", color="tab:blue", markersize=5)
    axes.set_yticks(range(len(ranked)), [each["name"] for each in reversed(ranked)], fontsize="small")
    axes.grid(axis="y", alpha=0.3)
    axes.set_title("retrained after the window; hollow: refused by the gate", fontsize="small")


def _floats(values: list[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
