import shlex
from typing import Any

from flagbench.cli.main import build_parser
from flagbench.cli.seeds import parse_seeds
from flagbench.reports.manifest import fields, manifest_tables, provenance_table, run_again


def record(seed: int, **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "run_id": "20201001T093000Z-1a2b3c",
        "created": f"2020-10-01T09:3{seed}:00+00:00",
        "spec": {"agent": "flag", "seeds": [0, 1]},
        "agent": "flag",
        "agent_source": {"object": "a.b:C", "sha256": "ab" * 32},
        "params": {"ppo": {"gamma": 0.5, "target_kl": None}, "adapt": "heads"},
        "seed": seed,
        "asset": {"id": "TSLA", "sources": [{"path": "x.csv", "makes": ["prices.csv"]}], "notes": ""},
        "market": {"kind": "market", "sha256": "cd" * 32, "bars": 274, "text_items": 5},
        "protocol": {"id": "standard", "version": 1},
        "setup": {"env_steps": 640},
        "observed": {"device": "cpu"},
        "provenance": {
            "flagbench": "0.1.0",
            "python": "3.11",
            "packages": {"torch": "2.13"},
            "git": {"commit": "f" * 40, "dirty": True},
            "platform": "Linux",
            "cpus": 2,
        },
        "seconds": {"training": 1.0 + seed, "evaluation": 0.5},
        "scores": {"test": {"sharpe_ratio": 1.0}},
        "buy_and_hold": {"test": {"sharpe_ratio": 2.0}},
        "knowledge": {"suite": "basics", "before": {"t": 1}, "after": {}, "retention": []},
        **changes,
    }


def test_every_field_that_is_no_score_is_flattened() -> None:
    flat = dict(fields(record(0)))
    assert flat["params.ppo.gamma"] == "0.5"
    assert flat["params.ppo.target_kl"] == "–"
    assert flat["asset.sources.0.makes"] == "prices.csv"
    assert flat["asset.notes"] == "–"
    assert flat["spec.seeds"] == "0, 1"
    assert flat["knowledge.suite"] == "basics"
    assert not [name for name in flat if name.split(".")[0] in ("scores", "buy_and_hold", "seed")]
    assert not [name for name in flat if name.startswith(("knowledge.before", "knowledge.retention"))]
    assert dict(fields(record(0, setup=None)))["setup"] == "–"


def test_what_seeds_share_stands_once_and_the_rest_seed_by_seed() -> None:
    shared, own = manifest_tables([record(0), record(1)])
    assert ["agent", "flag"] in shared.rows
    assert [row[0] for row in own.rows] == ["created", "seconds.training"]
    assert own.header == ["field", "seed 0", "seed 1"]
    assert own.rows[1] == ["seconds.training", "1.0", "2.0"]
    names = [row[0] for row in shared.rows + own.rows]
    assert len(names) == len(set(names)) == len(dict(fields(record(0))))


def test_one_seed_has_one_table() -> None:
    (table,) = manifest_tables([record(3)])
    assert table.header == ["field", "seed 3"]


def test_the_short_table_says_who_on_what_with_which_code() -> None:
    rows = {row[0]: row[1] for row in provenance_table([record(0), record(1)]).rows}
    assert rows["seeds"] == "0, 1"
    assert rows["params"] == "ppo (gamma 0.5, target_kl –), adapt heads"
    assert rows["flagbench"] == "0.1.0, commit ffffffffffff, with changes not committed"
    assert rows["wall time"] == "4.0 s over all seeds"
    plain = record(0, setup=None, observed=None)
    plain["provenance"]["git"] = None
    rows = {row[0]: row[1] for row in provenance_table([plain]).rows}
    assert (rows["set-up"], rows["ran on"]) == ("does not learn", "cpus 2")
    assert rows["flagbench"] == "0.1.0, installed, no repository"


def test_the_command_asks_for_what_was_asked_for() -> None:
    spec = {
        "agent": "my agents/a.py:Momentum",
        "asset": "bars.csv",
        "protocol": "standard",
        "seeds": [0, 2],
        "train": ["2020-07-01", "2020-09-30"],
        "test": ["2020-10-01", "2021-05-06"],
        "env_steps": 640,
        "settings": ["ppo.num_steps=4", "note=a b"],
        "knowledge": "none",
        "out": "/somewhere/runs",
    }
    words = shlex.split(run_again(spec))
    assert words[:2] == ["flagbench", "run"]
    arguments = build_parser().parse_args(words[1:])
    assert arguments.agent == "my agents/a.py:Momentum"
    assert parse_seeds(arguments.seeds) == (0, 2)
    assert (arguments.train, arguments.test) == ("2020-07-01:2020-09-30", "2020-10-01:2021-05-06")
    assert arguments.set == ["ppo.num_steps=4", "note=a b"]
    assert (arguments.env_steps, arguments.knowledge) == (640, "none")
    assert "--out" not in words


def test_a_flag_without_a_value_and_one_given_twice_are_written_so() -> None:
    assert run_again({"agent": "a", "quick": True, "slow": False, "track": ["x", "y"]}) == (
        "flagbench run --agent a --quick --track x --track y"
    )
