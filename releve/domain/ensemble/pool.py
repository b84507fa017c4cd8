"""The pool: which members a refresh fits. A member is a recipe with its options, and the window of rows it learns from.

Boosting on several windows follows a table that moves, slower boosting and extra trees vary less, a linear model
extrapolates, Poisson boosting is for amounts, and the constant for a table that has nothing to learn:
docs/decisions/0032-ensemble.md.
"""

from collections.abc import Sequence
from typing import Literal

from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.core.params import SEARCHED_RECIPES, Train
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.recipes import Candidate, Value, default_candidate, fitting_recipes, search_spaces

LAST_BATCHES_OF_FIRST = (10, 5, 2)  # newest batches that the first recipe also learns from alone
CONSTANT = "constant"
BOOSTING = "hist_gradient_boosting"
Origin = Literal["default", "params", "search", "brought"]
DEFAULT: Origin = "default"
PARAMS: Origin = "params"
SEARCH: Origin = "search"
BROUGHT: Origin = "brought"  # a graph that somebody else fitted: docs/decisions/0065-brought-models.md
# Beside boosting, where train.recipe is auto.
OTHERS = {
    "slow_boosting": Candidate(BOOSTING, "none", {"learning_rate": 0.05, "max_iter": 200, "max_leaf_nodes": 15}),
    "extra_trees": Candidate("extra_trees", "none", {"n_estimators": 50, "max_leaf_nodes": 1000}),
    "linear": Candidate("linear", "standard"),
}
LAST_BATCHES = {"linear": (0, 5)}  # of another one that learns from several windows of rows; 0: all past rows
OF_AMOUNTS = {"poisson_boosting": Candidate(BOOSTING, "none", {"loss": "poisson"})}  # of a target that is never below 0


class Member(DocumentPart):
    """A recipe with its options and its window. The name is unique in a pool: files and columns are called so."""

    name: str
    recipe: str
    scale: str
    options: dict[str, Value]
    last_batches: int  # newest batches that it learns from; 0: all past rows
    origin: Origin

    @classmethod
    def of(cls, candidate: Candidate, *, origin: Origin, last_batches: int = 0, name: str = "") -> "Member":
        """Make a member of a candidate, called after its recipe where nobody gives a name."""
        window = f"_last_{last_batches}" if last_batches else ""
        return cls(
            name=f"{name or candidate.recipe}{window}",
            recipe=candidate.recipe,
            scale=candidate.scale,
            options=dict(candidate.options),
            last_batches=last_batches,
            origin=origin,
        )

    @property
    def candidate(self) -> Candidate:
        return Candidate(self.recipe, self.scale, self.options)


def brought_member(name: str, digest: str) -> Member:
    """Return a brought graph as a member: it fits nothing, and its digest tells it from others."""
    return Member(
        name=name, recipe=BROUGHT, scale="none", options={"graph": digest[:12]}, last_batches=0, origin=BROUGHT
    )


class MemberPool(DocumentPart):
    """The members of a refresh. The first is the plain refit, which serves where the ensemble is not better."""

    format: Literal[1] = 1
    members: tuple[Member, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)

    @property
    def plain(self) -> str:
        return self.members[0].name

    def extended(self, *members: Member) -> "MemberPool":
        """Return the pool with more members; one whose candidate and window are there already is left out."""
        known = [(each.candidate, each.last_batches) for each in self.members]
        new = [each for each in members if (each.candidate, each.last_batches) not in known]
        return self.model_copy(update={"members": (*self.members, *new)})


def pool_of(train: Train, schema: Schema, *, rows: int, more: Sequence[Member] = ()) -> MemberPool:
    """Return the members that params.yaml asks for, where there are so many rows to learn from, and `more`: those that
    searches found, and those that were brought.

    A named recipe stands for itself on every window; a list of recipes for each one's defaults. Without an ensemble the
    first member is alone, whatever there is more. Raises BadInput where none of the recipes learns from so many rows.
    """
    others: list[Member] = []
    if train.named:
        origin, first = PARAMS, Candidate.of(train)
    else:
        origin = DEFAULT if train.recipe == SEARCHED_RECIPES else PARAMS
        fitting, left_out = fitting_recipes(train.recipe, rows=rows)
        if not fitting:
            reasons = "; ".join(left_out)
            raise BadInput(f"train.recipe has none that learns from {rows} rows ({reasons}); name another one")
        defaults = {name: default_candidate(name, space) for name, space in search_spaces(fitting, schema).items()}
        first = defaults.pop(BOOSTING if BOOSTING in defaults else fitting[0])
        if origin == DEFAULT:
            is_amount = schema.target.task == REGRESSION and schema.target.min is not None and schema.target.min >= 0
            wanted = {**OTHERS, **(OF_AMOUNTS if is_amount else {})}
            others = [
                Member.of(each, origin=origin, name=name, last_batches=last)
                for name, each in wanted.items()
                if each.recipe in fitting
                for last in ((0,) if train.last_batches else LAST_BATCHES.get(name, (0,)))
            ]
        else:
            others = [Member.of(each, origin=origin) for each in defaults.values()]
    plain = Member.of(first, origin=origin, last_batches=train.last_batches)
    if not train.ensemble:
        return MemberPool(members=(plain,))
    windows = () if train.last_batches else LAST_BATCHES_OF_FIRST
    if first.recipe != CONSTANT:
        others.append(Member.of(Candidate(CONSTANT, "none"), origin=DEFAULT))
    of_first = (Member.of(first, origin=origin, last_batches=last) for last in windows)
    return MemberPool(members=(plain, *of_first, *others)).extended(*more)
