"""The life of a model version as a picture, drawn from its table of transitions."""

from collections.abc import Mapping, Sequence


def mermaid(transitions: Mapping[str, Sequence[str]]) -> str:
    """A mermaid state diagram. The first state is where a life begins; a state without a next one is final."""
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{state}" as {_id(state)}' for state in transitions if _id(state) != state]
    lines += [f"    [*] --> {_id(state)}" for state in list(transitions)[:1]]
    for state, next_states in transitions.items():
        lines += [f"    {_id(state)} --> {_id(next_state)}" for next_state in next_states or ["[*]"]]
    return "\n".join(lines)


def _id(state: str) -> str:
    return state.replace(" ", "_")
