"""Optuna: which candidate to try next, given the scores so far.

Ask and tell, in memory, seeded: what is asked depends on the seed and on the scores, in the order they were reported,
and on nothing else. TPE after Bergstra et al. (2011), "Algorithms for Hyper-Parameter Optimization"; one density per
parameter (`multivariate=False`), which is what a space where each recipe has its own parameters allows.
"""

from collections.abc import Mapping
from typing import Any

from releve.domain.training.recipes import Candidate, Choice, Number, Space, from_parameters, parameters_of

RECIPE = "recipe"
STARTUP_TRIALS = 10  # scored candidates, defaults included, before the model of the scores is asked


class CandidateSearch:
    """A search over the spaces of some recipes; higher scores are better when `sign` is 1, lower when it is -1."""

    def __init__(self, spaces: Mapping[str, Space], *, sign: int, seed: int):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)  # its lines would name trials that ours number otherwise
        self._spaces = spaces
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=True, seed=seed
        )
        self._study = optuna.create_study(direction="maximize" if sign > 0 else "minimize", sampler=sampler)
        self._open: dict[int, Any] = {}  # asked, without a score yet, by the candidate's identity

    def ask(self) -> Candidate:
        """Suggest a candidate: asked again before its score is reported, another one, as what is open counts as bad."""
        trial = self._study.ask()
        recipe = trial.suggest_categorical(RECIPE, list(self._spaces))
        space = self._spaces[recipe]

        def suggest(name: str, parameter: Number | Choice) -> Any:
            if isinstance(parameter, Choice):
                return trial.suggest_categorical(name, list(parameter.values))
            if parameter.whole:
                return trial.suggest_int(name, int(parameter.low), int(parameter.high), log=parameter.log)
            return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)

        parameters = {name: suggest(f"{recipe}.{name}", parameter) for name, parameter in space.items()}
        candidate = from_parameters(recipe, parameters, space)
        self._open[id(candidate)] = (trial, candidate)
        return candidate

    def tell(self, candidate: Candidate, score: float | None) -> None:
        """The score of a candidate, asked for or brought along; None when it failed, which counts as the worst yet."""
        import optuna

        trial, _ = self._open.pop(id(candidate), (None, None))
        if trial is not None:
            self._study.tell(trial, self._worst() if score is None else score)
            return
        space = self._spaces.get(candidate.recipe, {})
        parameters = parameters_of(candidate, space) if space else None
        if score is None or parameters is None:  # without a score, or outside of what is searched
            return
        params: dict[str, Any] = {RECIPE: candidate.recipe}
        distributions: dict[str, Any] = {RECIPE: optuna.distributions.CategoricalDistribution(list(self._spaces))}
        for name, value in parameters.items():
            params[f"{candidate.recipe}.{name}"] = value
            distributions[f"{candidate.recipe}.{name}"] = _distribution(space[name])
        self._study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=score))

    def _worst(self) -> float:
        """No better than the worst score yet: a huge number would drown the differences between good ones."""
        import optuna

        scores = [trial.value for trial in self._study.trials if trial.value is not None]
        lowest_is_best = self._study.direction == optuna.study.StudyDirection.MINIMIZE
        return float((max if lowest_is_best else min)(scores, default=0.0))


def _distribution(parameter: Number | Choice) -> Any:
    from optuna import distributions

    if isinstance(parameter, Choice):
        return distributions.CategoricalDistribution(list(parameter.values))
    if parameter.whole:
        return distributions.IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return distributions.FloatDistribution(parameter.low, parameter.high, log=parameter.log)
