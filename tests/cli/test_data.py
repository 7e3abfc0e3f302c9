from pathlib import Path

import pytest

from flagbench.cli.main import main


def test_an_export_says_what_it_wrote_and_can_be_run_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "data")
    spec = "replica:signal=0.9,seed=7,train=60,test=40"
    assert main(["data", "export", "--asset", "TSLA", "--data", spec, "--out", out]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].startswith("TSLA (replica): 160 bars, ")
    assert printed.out.splitlines()[-1] == out
    assert "on innovations" in printed.err
    runs = str(tmp_path / "runs")
    assert main(["run", "--agent", "random", "--asset", "TSLA", "--data", out, "--out", runs]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].startswith("random on TSLA (replica)")
    assert "TSLA-replica" in shown.splitlines()[-1]


def test_the_same_replica_without_files_gives_the_same_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = "replica:seed=1,train=60,test=40"
    out = str(tmp_path / "data")
    main(["data", "export", "--asset", "ETH", "--data", spec, "--out", out])
    capsys.readouterr()
    tables = []
    for data in (spec, out):
        runs = str(tmp_path / "runs")
        assert main(["run", "--agent", "random", "--asset", "ETH", "--data", data, "--out", runs]) == 0
        tables.append(capsys.readouterr().out.splitlines()[:-1])
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--asset", "TSLA", "--data", "replica:signal=0.99"], "five tones can carry"),
        (["--asset", "TSLA", "--data", "replica:sgnal=0.1"], "unknown setting `sgnal`"),
        (["--asset", "TSLA", "--data", "replica:"], "names no replica"),
        (["--asset", "bars.csv"], "is a file already"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "export", *arguments, "--out", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert list(tmp_path.iterdir()) == []
