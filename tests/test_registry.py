import sys
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from flagbench.errors import AgentError, ConfigError, DuplicateNameError, FlagbenchError, UnknownNameError
from flagbench.registry import agent_names, load_agent_class, load_metrics, metrics_from, ships, task_files
from flagbench.scoring.performance import Performance, standard_performance
from flagbench.trading.replay import Replay


class Installer(Protocol):
    def __call__(
        self, package: str, *, group: str, entries: dict[str, str], files: dict[str, str]
    ) -> None: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """Puts a distribution with entry points and files on the import path, as an installer would."""

    def install_distribution(
        package: str, *, group: str, entries: dict[str, str], files: dict[str, str]
    ) -> None:
        site = tmp_path / f"{package}-site"
        metadata = site / f"{package}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entries.items()]
        (metadata / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        for name, content in files.items():
            (site / name).parent.mkdir(parents=True, exist_ok=True)
            (site / name).write_text(content)
        monkeypatch.syspath_prepend(site)

    return install_distribution


def test_flagbench_declares_its_own_agents_through_entry_points() -> None:
    assert {"always-flat", "buy-and-hold", "flag", "random"} <= set(agent_names())
    assert agent_names() == sorted(agent_names())


def test_an_agent_of_another_package_is_found_by_its_name(install: Installer) -> None:
    install(
        "first_stranger",
        group="flagbench.agents",
        entries={"stranger": "first_stranger_agents:Stranger"},
        files={"first_stranger_agents.py": "class Stranger:\n    pass\n"},
    )
    assert "stranger" in agent_names()
    assert load_agent_class("stranger").__name__ == "Stranger"
    assert [ships(name) for name in ("flag", "stranger", "mine.py:Mine")] == [True, False, False]


def test_an_unknown_agent_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown agent `buy-and-hodl`") as caught:
        load_agent_class("buy-and-hodl")
    assert caught.value.hint == "did you mean `buy-and-hold`?"


def test_two_packages_cannot_declare_one_agent(install: Installer) -> None:
    for package in ("second_stranger", "third_stranger"):
        entries = {"twin": f"{package}:Twin"}
        install(package, group="flagbench.agents", entries=entries, files={})
    with pytest.raises(DuplicateNameError) as caught:
        load_agent_class("twin")
    assert caught.value.message.startswith("`twin` is declared twice under `flagbench.agents`: ")
    assert "second_stranger:Twin" in caught.value.message
    assert "third_stranger:Twin" in caught.value.message
    assert caught.value.hint == "uninstall one of the two packages"


def test_one_agent_that_is_listed_by_two_installs_of_its_package_is_no_duplicate(install: Installer) -> None:
    for package in ("fourth_stranger", "fourth_stranger_again"):
        install(
            package,
            group="flagbench.agents",
            entries={"same": "fourth_stranger_agents:Same"},
            files={"fourth_stranger_agents.py": "class Same:\n    pass\n"},
        )
    assert load_agent_class("same").__name__ == "Same"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module_here:Ghost", "No module named 'no_such_module_here'"),
        ("flagbench.errors:Ghost", "module 'flagbench.errors' has no attribute 'Ghost'"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_reported(install: Installer, value: str, reason: str) -> None:
    install("fifth_stranger", group="flagbench.agents", entries={"ghost": value}, files={})
    with pytest.raises(ConfigError) as caught:
        load_agent_class("ghost")
    assert caught.value.message == f"`ghost` cannot be loaded from {value}: {reason}"
    assert caught.value.hint == "reinstall the package that declares it under `flagbench.agents`"


def test_an_agent_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    answer = 42\n")
    assert load_agent_class(f"{path}:Mine").answer == 42


def test_an_agent_file_is_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "changing.py"
    for answer in (1, 22):
        path.write_text(f"class Mine:\n    answer = {answer}\n")
        assert load_agent_class(f"{path}:Mine").answer == answer


def test_an_agent_file_may_hold_a_dataclass_with_postponed_annotations(tmp_path: Path) -> None:
    path = tmp_path / "postponed.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "@dataclass\n"
        "class Mine:\n"
        "    width: int = 7\n"
    )
    assert load_agent_class(f"{path}:Mine")().width == 7


def test_an_agent_file_that_is_missing_is_answered_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "momentum.py").write_text("")
    path = tmp_path / "momentun.py"
    with pytest.raises(UnknownNameError) as caught:
        load_agent_class(f"{path}:Mine")
    assert caught.value.message == f"unknown agent file `{path}`"
    assert caught.value.hint == f"did you mean `{tmp_path / 'momentum.py'}`?"


def test_an_agent_file_in_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown agent file"):
        load_agent_class(f"{tmp_path / 'nowhere' / 'mine.py'}:Mine")


def test_a_class_that_the_file_lacks_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("Mind = 3\nclass Mine:\n    pass\n")
    with pytest.raises(UnknownNameError) as caught:
        load_agent_class(f"{path}:Mind")
    assert caught.value.message == f"unknown class in {path} `Mind`"
    assert caught.value.hint == "did you mean `Mine`?"


@pytest.mark.parametrize(
    ("source", "reason"),
    [("raise ValueError('no luck')\n", "ValueError('no luck')"), ("class Mine(\n", "SyntaxError(")],
)
def test_an_agent_file_that_raises_is_reported_with_its_cause(
    tmp_path: Path, source: str, reason: str
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(AgentError) as caught:
        load_agent_class(f"{path}:Mine")
    assert caught.value.message.startswith(f"`{path}` failed while it was imported: {reason}")
    assert caught.value.__cause__ is not None
    assert "flagbench_agent_mine" not in sys.modules


def test_metrics_are_loaded_with_those_of_flagbench_first(install: Installer) -> None:
    own = list(load_metrics())
    install(
        "a_sixth_stranger",
        group="flagbench.metrics",
        entries={"a_sixth_stranger": "a_sixth_stranger_metrics:METRICS"},
        files={
            "a_sixth_stranger_metrics.py": "from dataclasses import replace\n"
            "from flagbench.scoring.catalogue import METRICS as OWN\n"
            "METRICS = (replace(OWN[0], name='strange'),)\n"
        },
    )
    assert list(load_metrics()) == [*own, "strange"]


def test_two_metrics_cannot_share_a_name(install: Installer) -> None:
    value = "flagbench.scoring.catalogue:METRICS"
    install("seventh_stranger", group="flagbench.metrics", entries={"copy": value}, files={})
    with pytest.raises(DuplicateNameError, match=f"is defined twice, again by {value}"):
        load_metrics()


METRICS = """
from dataclasses import replace
from flagbench.scoring.metric import Metric

print("reading")

def always(performance): return None

def failing(performance): raise ZeroDivisionError("by nothing")

UP = Metric(name="up", description="share of r > 0", unit="fraction",
            compute=lambda performance: (performance.returns > 0).mean(), undefined=always)
BOTH = (UP, replace(UP, name="up_too"))
TWICE = (UP, UP)
TAKEN = replace(UP, name="sharpe_ratio")
CAMEL = replace(UP, name="UpDays")
PERCENT = replace(UP, unit="percent")
FAILS = replace(UP, compute=failing)
FAILS_TO_SAY = replace(UP, undefined=failing)
ENDLESS = replace(UP, compute=lambda performance: float("inf"))
TEXT = replace(UP, compute=lambda performance: "many")
NUMBER = 3
"""


@pytest.fixture
def metric_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(METRICS)
    return path


@pytest.fixture
def two_days_up() -> Performance:
    """Two returns above 0 and one below."""
    moves = np.array([0.1, -0.1, 0.1])
    nothing, held = np.zeros(3), np.ones(3, dtype=np.bool_)
    return standard_performance(
        Replay(
            dates=np.arange(4).astype("datetime64[D]"),
            equity=100 * np.cumprod(1 + np.concatenate([[0.0], moves])),
            traded=nothing,
            cost=nothing,
            filled=~held,
            exposed=held,
            position=np.ones(3),
            order_returns=moves,
            redundant=0,
            unparsed=0,
            periods_per_year=252,
        )
    )


def test_a_metric_of_a_file_is_there_inside_the_block_and_nowhere_else(
    metric_file: Path, two_days_up: Performance, capsys: pytest.CaptureFixture[str]
) -> None:
    own = list(load_metrics())
    with metrics_from([f"{metric_file}:UP"]):
        assert list(load_metrics()) == [*own, "up"]
        assert load_metrics()["up"].compute(two_days_up) == 2 / 3
        assert load_metrics()["up"].undefined(two_days_up) is None
    assert list(load_metrics()) == own
    assert capsys.readouterr() == ("", "reading\n")


def test_several_metrics_may_be_given(metric_file: Path) -> None:
    with metrics_from([f"{metric_file}:BOTH"]):
        assert {"up", "up_too"} < set(load_metrics())
    with pytest.raises(ValueError, match="done"), metrics_from([f"{metric_file}:UP"]):
        raise ValueError("done")
    assert "up" not in load_metrics()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("mine.py", ConfigError, "names no metric"),
        ("mine.py:", ConfigError, "names no metric"),
        ("up", ConfigError, "names no metric"),
        ("yours.py:UP", UnknownNameError, "unknown metric file"),
        ("mine.py:DOWN", UnknownNameError, "unknown metric in"),
        ("mine.py:NUMBER", ConfigError, "is 3, which is no metric"),
        ("mine.py:Metric", ConfigError, "which is no metric"),
        ("mine.py:CAMEL", ConfigError, "`UpDays` is no name in snake_case"),
        ("mine.py:PERCENT", ConfigError, "unit `percent`, allowed: fraction, ratio, count"),
        ("mine.py:TWICE", DuplicateNameError, "metric `up` is defined twice, again in a file"),
        ("mine.py:TAKEN", DuplicateNameError, "metric `sharpe_ratio` is defined twice"),
        ("broken.py:UP", ConfigError, "failed while it was imported: SyntaxError"),
    ],
)
def test_what_is_no_metric_is_refused_at_once(
    metric_file: Path, name: str, error: type[FlagbenchError], message: str
) -> None:
    metric_file.with_name("broken.py").write_text("UP = (\n")
    own = list(load_metrics())
    with pytest.raises(error, match=message), metrics_from([str(metric_file.with_name(name))]):
        raise AssertionError("the block must not be entered")
    assert list(load_metrics()) == own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FAILS", r"failed: ZeroDivisionError\('by nothing'\)"),
        ("ENDLESS", "came to inf, which is no finite number"),
        ("TEXT", "came to 'many', which is no finite number"),
    ],
)
def test_a_figure_that_is_none_is_told_as_the_mistake_of_its_file(
    metric_file: Path, two_days_up: Performance, name: str, message: str
) -> None:
    with metrics_from([f"{metric_file}:{name}"]), pytest.raises(ConfigError, match=message):
        load_metrics()["up"].compute(two_days_up)


def test_a_reason_that_cannot_be_had_is_told_too(metric_file: Path, two_days_up: Performance) -> None:
    with metrics_from([f"{metric_file}:FAILS_TO_SAY"]), pytest.raises(ConfigError, match="ZeroDivisionError"):
        load_metrics()["up"].undefined(two_days_up)


def test_a_tasks_package_adds_its_yaml_files(install: Installer) -> None:
    own = set(task_files("assets"))
    install(
        "eighth_stranger",
        group="flagbench.tasks",
        entries={"eighth": "eighth_stranger"},
        files={
            "eighth_stranger/__init__.py": "",
            "eighth_stranger/assets/GOLD.yaml": "id: GOLD\n",
            "eighth_stranger/assets/README.md": "no task\n",
        },
    )
    assert set(task_files("assets")) == own | {"GOLD"}
    assert task_files("assets")["GOLD"].read_text() == "id: GOLD\n"
    assert set(task_files("protocols")) >= {"paper", "standard"}


def test_two_packages_cannot_ship_one_asset(install: Installer) -> None:
    install(
        "ninth_stranger",
        group="flagbench.tasks",
        entries={"ninth": "ninth_stranger"},
        files={"ninth_stranger/__init__.py": "", "ninth_stranger/assets/TSLA.yaml": ""},
    )
    with pytest.raises(DuplicateNameError, match=r"`assets/TSLA\.yaml` is shipped by two packages"):
        task_files("assets")


def test_a_tasks_package_that_is_missing_is_reported(install: Installer) -> None:
    install("tenth_stranger", group="flagbench.tasks", entries={"tenth": "no_such_tasks"}, files={})
    with pytest.raises(ConfigError, match="`tenth` cannot be loaded from no_such_tasks: No module named"):
        task_files("assets")
