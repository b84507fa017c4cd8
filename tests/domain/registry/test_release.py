from itertools import product
from pathlib import Path

import pytest
from pydantic import ValidationError

from releve.core.errors import Conflict
from releve.domain.registry.release import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    REFUSED,
    RETIRED,
    TRANSITIONS,
    UNEVALUATED,
    Release,
    can_become,
    check_can_become,
)
from tests.events import make_any_release

LIFECYCLE = Path(__file__).parents[3] / "docs" / "operate.md"


def test_every_state_has_its_line_in_the_table():
    named = {state for next_states in TRANSITIONS.values() for state in next_states}

    assert set(TRANSITIONS) == named | {UNEVALUATED} == {UNEVALUATED, CHALLENGER, CHAMPION, PREVIOUS, REFUSED, RETIRED}


@pytest.mark.parametrize(("state", "new_state"), list(product(TRANSITIONS, repeat=2)))
def test_asking_and_checking_agree_on_every_pair_of_states(state, new_state):
    if can_become(state, new_state):
        check_can_become(state, new_state)
        return

    with pytest.raises(Conflict, match=f"'{state}' cannot become '{new_state}'"):
        check_can_become(state, new_state)


def test_a_previous_champion_can_come_back():
    assert can_become(CHAMPION, PREVIOUS)
    assert can_become(PREVIOUS, CHAMPION)


def test_nothing_serves_without_having_been_a_challenger():
    assert [state for state in TRANSITIONS if can_become(state, CHAMPION)] == [CHALLENGER, PREVIOUS]
    assert not can_become(UNEVALUATED, CHAMPION)


@pytest.mark.parametrize("state", [REFUSED, RETIRED])
def test_what_was_refused_or_retired_serves_only_after_another_challenge(state):
    assert can_become(state, CHALLENGER)
    with pytest.raises(Conflict, match=rf"'{state}' cannot become 'champion'; it can become challenger$"):
        check_can_become(state, CHAMPION)


def test_a_refusal_names_the_moves_that_are_open():
    with pytest.raises(Conflict, match=r"it can become champion, retired$"):
        check_can_become(PREVIOUS, CHALLENGER)


def test_a_release_survives_the_way_into_the_registry_and_back():
    release = make_any_release()

    assert Release.model_validate(release.model_dump(mode="json")) == release


def test_a_release_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        make_any_release().model = "digits:v2"


def mermaid(transitions):
    """Draw a mermaid state diagram. A life begins in the first state; a state without a next one is final."""
    ids = {state: state.replace(" ", "_") for state in transitions}
    lines = ["stateDiagram-v2", *(f'    state "{state}" as {ids[state]}' for state in ids if ids[state] != state)]
    lines.append(f"    [*] --> {ids[next(iter(ids))]}")
    for state, next_states in transitions.items():
        lines += [f"    {ids[state]} --> {ids.get(next_state, next_state)}" for next_state in next_states or ["[*]"]]
    return "\n".join(lines)


def test_the_lifecycle_page_shows_the_table_of_transitions():
    expected = f"```mermaid\n{mermaid(TRANSITIONS)}\n```"

    assert expected in LIFECYCLE.read_text(encoding="utf-8"), f"put this into docs/operate.md:\n{expected}"
