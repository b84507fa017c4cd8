from releve.adapters.registry.registry import Registry
from releve.domain.registry.chain import CHALLENGED
from tasks.release.retrain import last_challenger

OLD = {
    "model": "shop:1",
    "model_digest": "d",
    "revision": "r",
    "data_version": "v",
    "rows": 200,
    "champion": "",
    "evaluation": {
        "holdout_rows": 100,
        "challenger": {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95},
        "against": {},
    },
    "promote": True,
    "reasons": ["better"],
}


def test_a_challenge_told_before_there_were_overrides_and_latencies_is_still_read(tmp_path):
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    registry.append("shop", CHALLENGED, reason="a test", actor="Ada", payload=OLD)

    found = last_challenger(registry, "shop")
    registry.close()

    assert (found.score, found.overrides, found.latency_ms) == (0.9, (), None)


def test_overrides_come_back_as_they_were_told(tmp_path):
    one = {"floor": "fairness", "by": "Ada", "reason": "a trial", "until": "2026-01-31"}
    registry = Registry(f"sqlite:///{tmp_path / 'registry.db'}")
    told = {**OLD, "overrides": [one], "latency_ms": 1.5}
    registry.append("shop", CHALLENGED, reason="a test", actor="Ada", payload=told)

    found = last_challenger(registry, "shop")
    registry.close()

    assert (found.overrides, found.latency_ms) == ((one,), 1.5)
