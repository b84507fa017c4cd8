import math

import pytest

from releve.adapters.search import STARTUP_TRIALS, CandidateSearch
from releve.domain.training.recipes import RECIPES as KNOWN
from releve.domain.training.recipes import Candidate, default_candidate, parameters_of

RECIPES = ("linear", "hist_gradient_boosting", "svm")
SPACES = {recipe: KNOWN[recipe].class_space for recipe in RECIPES}


def worth(candidate: Candidate) -> float:
    """A machine of C = 30 on scaled numbers is the best there is."""
    if candidate.recipe != "svm":
        return 0.0
    return 1.0 - abs(math.log10(float(candidate.options["C"]) / 30)) / 10 - (candidate.scale == "none") / 10  # type: ignore[arg-type]


def searched(*, rounds: int = 6, together: int = 4, seed: int = 7, sign: int = 1) -> list[Candidate]:
    search, asked = CandidateSearch(SPACES, sign=sign, seed=seed), []
    for _ in range(rounds):
        batch = [search.ask() for _ in range(together)]
        for candidate in batch:
            search.tell(candidate, sign * worth(candidate))
        asked += batch
    return asked


def test_the_same_seed_and_the_same_scores_ask_for_the_same() -> None:
    assert searched() == searched()


def test_another_seed_asks_for_something_else() -> None:
    assert searched(seed=7) != searched(seed=8)


def test_everything_that_is_asked_for_lies_in_its_space() -> None:
    assert all(parameters_of(candidate, SPACES[candidate.recipe]) is not None for candidate in searched())


@pytest.mark.parametrize("sign", [1, -1])
def test_what_scores_well_is_asked_for_more(sign: int) -> None:
    asked = searched(rounds=15, sign=sign)

    early, late = asked[:STARTUP_TRIALS], asked[-20:]
    assert sum(map(worth, late)) / len(late) > sum(map(worth, early)) / len(early) + 0.2
    assert max(map(worth, asked)) > 0.9


def test_a_candidate_brought_along_is_learned_from() -> None:
    first, second = CandidateSearch(SPACES, sign=1, seed=7), CandidateSearch(SPACES, sign=1, seed=7)
    for recipe in RECIPES * 4:
        second.tell(default_candidate(recipe, SPACES[recipe]), float(recipe == "svm"))

    without, informed = ([search.ask().recipe for _ in range(20)] for search in (first, second))

    assert informed.count("svm") > without.count("svm")


@pytest.mark.parametrize("stranger", [Candidate("svm", "none", {"kernel": "poly"}), Candidate("k_neighbors", "none")])
def test_a_candidate_from_outside_of_the_spaces_does_no_harm(stranger: Candidate) -> None:
    search = CandidateSearch(SPACES, sign=1, seed=7)

    search.tell(stranger, 0.9)

    assert search.ask().recipe in RECIPES


def test_failed_candidates_are_asked_for_less() -> None:
    search, asked = CandidateSearch(SPACES, sign=1, seed=7), []
    for _ in range(60):
        candidate = search.ask()
        search.tell(candidate, None if candidate.recipe == "svm" else 0.5)
        asked.append(candidate.recipe)

    assert asked[-20:].count("svm") < 5


def test_a_search_where_all_have_failed_so_far_goes_on() -> None:
    search = CandidateSearch(SPACES, sign=-1, seed=7)

    for _ in range(STARTUP_TRIALS + 2):
        search.tell(search.ask(), None)

    assert search.ask().recipe in RECIPES
