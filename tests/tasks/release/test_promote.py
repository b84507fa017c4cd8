import shutil
from dataclasses import replace
from datetime import date

import pytest

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_runtime import ModelAltered, folder_digest
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.core.errors import BadInput, NotFound
from releve.core.settings import PEOPLE
from releve.domain.approval.answers import ApprovalChoice
from releve.domain.approval.approval import ApprovalState
from releve.domain.approval.people import token_hash, token_of
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.promotion.promotion import NotPromotable
from releve.domain.registry.chain import CHALLENGED, MOVES, RELEASED
from releve.domain.registry.events import Challenger, ModelReleased
from releve.domain.registry.origin import Basis
from releve.reporting.messages.gate import event_reason
from tasks.approval import answer, by_token, look
from tasks.history import last_challenger
from tasks.release.acceptance import ask_people
from tasks.release.promote import promote
from tasks.release.rejudge import NotComparable, rejudge
from tasks.release.rollback import rollback
from tests.repositories import commit
from tests.serving.process import free_port
from tests.tables import SHOP

pytestmark = pytest.mark.slow

NAMES = ("staging", "prod")


def prod_of(shop):
    """A second home and registry beside the shop's, of the same clone."""
    home = shop.root / "var" / "environments" / "prod"
    return replace(
        shop.settings,
        home=home,
        registry_url=f"sqlite:///{home / 'registry.db'}",
        milvus_uri=str(home / "milvus.db"),
        service_port=free_port(),
    )


def to_prod(shop, prod, **options):
    return promote(prod, SHOP, source=shop.settings, environments=NAMES, environ={}, **options)


def test_what_serves_in_staging_serves_in_prod_with_the_same_digests_and_its_history_says_where_from(replaced):
    prod, staging = prod_of(replaced), replaced.registry
    registry = Registry(prod.registry_url)
    newer = staging.current(SHOP)
    rollback(replaced.settings, SHOP, reason="begin with the first")
    first = staging.current(SHOP)

    done = to_prod(replaced, prod)

    assert done.release == first.release.model_copy(update={"index_check": done.release.index_check})
    assert ModelStore(prod.home).get(first.release.model).digest == first.release.model_digest
    origin = registry.events(SHOP, kinds=[RELEASED])[-1].read(ModelReleased).origin
    source = staging.events(SHOP)[first.number - 1]
    assert (origin.environment, origin.number, origin.hash) == ("staging", source.number, source.hash)
    assert origin.basis is Basis.GATE  # nothing served in either when the gate judged it
    assert f"promoted from staging, event {source.number} ({source.hash[:12]})" in event_reason(
        registry.events(SHOP, kinds=[RELEASED])[-1]
    )

    # again it changes nothing
    before = registry.events(SHOP)
    to_prod(replaced, prod)
    assert registry.events(SHOP) == before

    # what the gate compared with the very champion of prod
    rollback(replaced.settings, SHOP, reason="and forward")
    to_prod(replaced, prod)
    assert registry.current(SHOP).release.model == newer.release.model
    assert registry.events(SHOP, kinds=[RELEASED])[-1].read(ModelReleased).origin.basis is Basis.GATE
    assert registry.previous(SHOP).model == first.release.model

    # an older one takes a reason, which stays
    rollback(replaced.settings, SHOP, reason="back again")
    before = registry.events(SHOP)
    with pytest.raises(NotPromotable, match=r"which serves in prod, is newer: staging released it.*give --reason"):
        to_prod(replaced, prod)
    assert registry.events(SHOP) == before
    to_prod(replaced, prod, reason="the newer one is slow at the till")
    last = registry.events(SHOP, kinds=MOVES)[-1].read(ModelReleased)
    assert (last.release.model, last.origin.basis) == (first.release.model, Basis.PERSON)
    judged = registry.events(SHOP, kinds=[CHALLENGED])[-1].read(Challenger)
    assert judged.reasons == ("a person promoted it: the newer one is slow at the till",)
    assert Opponent.CHAMPION not in judged.evaluation.against
    registry.verify()


def test_a_promotion_that_was_stopped_halfway_is_finished_by_the_next_and_judged_for_a_prod_without_a_champion(
    replaced,
):
    prod = prod_of(replaced)
    registry = Registry(prod.registry_url)
    away = replace(prod, milvus_uri=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(IndexUnavailable):
        to_prod(replaced, away)
    assert registry.current(SHOP) is None
    halfway = registry.events(SHOP)

    to_prod(replaced, prod)

    assert registry.events(SHOP)[: len(halfway)] == halfway
    assert [event.kind for event in registry.events(SHOP)] == [CHALLENGED, RELEASED]
    judged = registry.events(SHOP)[0].read(Challenger)
    assert (judged.champion, judged.origin.basis) == ("", Basis.REJUDGED)  # in staging it replaced another one
    assert registry.current(SHOP).release.model == replaced.registry.current(SHOP).release.model


def test_where_prod_asks_people_a_promotion_waits_for_them_there(released):
    prod = prod_of(released)
    registry, anna = Registry(prod.registry_url), token_of(bytes(range(32)))
    released.override(release={"approval": "required", "approvers": {"anna": token_hash(anna)}})

    waiting = to_prod(released, prod)
    assert (waiting.state, registry.current(SHOP)) == (ApprovalState.WAITING, None)
    before = registry.events(SHOP)
    assert (to_prod(released, prod).number, registry.events(SHOP)) == (waiting.number, before)

    answer(prod, SHOP, ApprovalChoice.APPROVE, by_token(anna))
    look(prod, SHOP)
    last = registry.events(SHOP, kinds=[RELEASED])[-1].read(ModelReleased)
    assert (last.approved_by, last.origin.environment, last.origin.basis) == (("anna",), "staging", Basis.GATE)


def test_where_prod_alone_asks_people_staging_releases_at_once_and_prod_does_not(released):
    anna = token_of(bytes(range(32)))
    released.override(release={"approvers": {"anna": token_hash(anna)}})
    prod = replace(prod_of(released), approval="required")
    registry = Registry(prod.registry_url)

    assert ask_people(released.settings, SHOP) is None
    assert to_prod(released, prod).state is ApprovalState.WAITING
    answer(prod, SHOP, ApprovalChoice.APPROVE, by_token(anna))
    look(prod, SHOP)
    assert registry.events(SHOP, kinds=[RELEASED])[-1].read(ModelReleased).approved_by == ("anna",)

    with pytest.raises(BadInput, match=r"RELEVE_APPROVAL is two_people, and 'release.approvers' .* names 1;"):
        to_prod(released, replace(prod, approval="two_people"))


def test_no_environment_asks_for_fewer_people_than_what_is_committed(released):
    people = {"anna": token_hash(token_of(bytes(range(32)))), "ben": token_hash(token_of(bytes(range(32, 64))))}
    released.override(release={"approval": "two_people", "approvers": people})

    for asked in PEOPLE:
        settings = replace(released.settings, approval=asked)
        assert read_committed(settings, SHOP).params.release.approval == "two_people"


def test_the_gate_judges_once_more_without_a_fit_and_finds_what_it_found(replaced):
    registry, params = replaced.registry, read_committed(replaced.settings, SHOP).params
    challenger, champion = last_challenger(registry, SHOP), registry.previous(SHOP)

    judged = rejudge(replaced.settings, challenger, champion, params, today=date(2026, 1, 31))

    assert (judged.champion, judged.promote) == (champion.model, True)
    assert judged.evaluation.rows == challenger.evaluation.rows
    assert 0 < judged.evaluation.holdout_rows <= challenger.evaluation.holdout_rows
    assert judged.evaluation.champion.gain.low > 0
    assert judged.evaluation.champion.gain.value == pytest.approx(challenger.evaluation.champion.gain.value, abs=0.1)


def test_rows_that_the_champion_learned_compare_nothing(replaced):
    registry, params = replaced.registry, read_committed(replaced.settings, SHOP).params
    newest = registry.current(SHOP).release
    older = next(
        event.read(Challenger)
        for event in registry.events(SHOP, kinds=[CHALLENGED])
        if event.read(Challenger).model != newest.model
    )

    judged = rejudge(replaced.settings, older, newest, params, today=date(2026, 1, 31))

    assert isinstance(judged, NotComparable)
    assert "came after what the champion learned" in judged.why


def test_nothing_is_promoted_that_is_not_released_altered_or_made_by_a_commit_that_is_not_here(released, tmp_path):
    prod = prod_of(released)
    empty = replace(
        released.settings,
        home=tmp_path / "empty",
        registry_url=f"sqlite:///{tmp_path / 'registry.db'}",
        milvus_uri=str(tmp_path / "m.db"),
    )
    with pytest.raises(NotFound, match=r"nothing serves shop in staging.*SCENARIO=shop RELEVE_ENV=staging"):
        promote(prod, SHOP, source=empty, environments=NAMES, environ={})

    folder = ModelStore(released.settings.home).folder(released.registry.current(SHOP).release.model)
    shutil.copytree(folder, tmp_path / "kept")
    (folder / "model.json").write_text((folder / "model.json").read_text() + " ")
    with pytest.raises(ModelAltered, match=f"in staging have the digest {folder_digest(folder)[:12]}"):
        to_prod(released, prod)
    assert ModelStore(prod.home).tags(SHOP) == set()
    shutil.copy(tmp_path / "kept" / "model.json", folder / "model.json")

    git_folder = released.root / ".git"
    git_folder.rename(tmp_path / "elsewhere.git")
    git(released.root, "init", "--quiet", "--initial-branch=main")
    commit(released.root, "another clone, which fetched no branch")
    with pytest.raises(NotFound, match=r"git push origin releve/shop, then here git fetch origin releve/shop"):
        to_prod(released, prod)
    assert Registry(prod.registry_url).events(SHOP) == []
