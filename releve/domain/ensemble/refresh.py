"""A refresh: which weights the members of the last one would have had before each window, and what they answered."""

from collections.abc import Sequence

from releve.domain.ensemble.forward import ForwardWindow, MemberAnswers, counted
from releve.domain.ensemble.weights import Weighing, mix, of_answering, weigh
from releve.domain.evaluation.scored_predictions import Floats


def weigh_forward(windows: Sequence[MemberAnswers], *, plain: str, loss: str) -> tuple[ForwardWindow, ...]:
    """Weigh the members before each window by the windows before it, as refreshes would have done.

    For a first model, for what a search proposes, and for a backtest. Before the first window nothing is known, and the
    plain refit serves. `loss`: see `weights.LOSSES`.
    """
    weighed: list[ForwardWindow] = []
    for window in windows:
        known = weighed[-counted([len(each) for each in weighed]) :]
        weighing = weigh(known, plain=plain, loss=loss, members=tuple(window.answers))
        weighed.append(weighed_window(window, weighing))
    return tuple(weighed)


def weighed_window(window: MemberAnswers, weighing: Weighing, *, served: Floats | None = None) -> ForwardWindow:
    """Add what the ensemble of `weighing` answers to the window. `served`: None where that is what served."""
    refreshed = mix(window.answers, of_answering(weighing.serving, window.answers))
    return ForwardWindow(
        truth=window.truth,
        answers=window.answers,
        blend=mix(window.answers, of_answering(weighing.weights, window.answers)),
        refreshed=refreshed,
        served=refreshed if served is None else served,
    )
