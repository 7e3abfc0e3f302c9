"""Each rule of data, broken once: what a user is told."""

import gzip
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from docs_tables.markdown import one_line, table
from flagbench.errors import FlagbenchError

BARS = "date,open,high,low,close,volume\n2024-01-05,10,11,9,10.5,700\n2024-01-08,10.5,12,10,11,900\n"
ROOT = Path(__file__).resolve().parents[2]


def complaint(act: Callable[[], object], folder: Path) -> str:
    """What a user is told, with paths relative to the folder."""
    try:
        act()
    except FlagbenchError as error:
        hint = f"<br>hint: {error.hint}" if error.hint else ""
        return one_line(f"{error.message}{hint}".replace(f"{folder}/", "").replace(str(folder), "data"))
    raise AssertionError("nothing was refused")


def price_checks() -> str:
    """Each rule of price files, broken once."""
    from flagbench.market.loading import load_csv_market
    from flagbench.market.period import Period

    period = Period.parse("2024-01-05:2024-01-08")
    cases = [
        ("the file exists", None),
        ("it is a text file in UTF-8", "\udcff"),
        ("every needed column is there", BARS.replace("close", "last")),
        ("no column is there twice", BARS.replace("volume", "close")),
        ("there is a row", BARS.splitlines()[0]),
        ("a row has as many cells as the header", BARS.replace(",700", "")),
        ("a date is an ISO date", BARS.replace("2024-01-05", "05/01/2024")),
        ("a price is there", BARS.replace("10.5,700", ",700")),
        ("a price is a number", BARS.replace("10.5,700", "ten,700")),
        ("a price is positive and finite", BARS.replace("10.5,700", "0,700")),
        ("volume is not negative", BARS.replace("700", "-700")),
        ("high is not below low", BARS.replace("10,11,9", "10,8,9")),
        ("a date is there once", BARS.replace("2024-01-08", "2024-01-05")),
        ("the oldest comes first", BARS.replace("2024-01-08", "2024-01-04")),
        ("every session has a bar, here every day", BARS.replace("2024-01-08", "2024-01-07")),
    ]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rule, text in cases:
            path = folder / "bars.csv"
            if text is not None:
                path.write_bytes(text.encode("utf-8", "surrogateescape"))
            act = partial(load_csv_market, path, train=period, test=period)
            rows.append([rule, complaint(act, folder)])
    return table(["rule", "what is said when it is broken"], rows)


def text_checks() -> str:
    """Each rule of text files, broken once."""
    from flagbench.market.text_file import read_text

    cases = [
        ("the file exists", None),
        ("it is a gzip file of UTF-8 text", b"plain"),
        ("a line is JSON", gzip.compress(b"news: up")),
        ("a line is an object with a text", gzip.compress(b'{"date": "2024-01-05", "kind": "news"}')),
        ("the text is whole", gzip.compress(b'{"date": null, "kind": "news", "text": "\\ud83d"}')),
        ("the kind is known", gzip.compress(b'{"date": "2024-01-05", "kind": "tweet", "text": "up"}')),
        ("a date is an ISO date", gzip.compress(b'{"date": "Jan 5", "kind": "news", "text": "up"}')),
    ]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rule, content in cases:
            path = folder / "text.jsonl.gz"
            if content is not None:
                path.write_bytes(content)
            rows.append([rule, complaint(partial(read_text, path), folder)])
    return table(["rule", "what is said when it is broken"], rows)


def window_checks() -> str:
    """Each rule of windows and folders, broken once."""
    from flagbench.market.loading import resolve_market
    from flagbench.market.period import Period
    from flagbench.trading.environment import TradingEnv
    from flagbench.trading.protocol import load_protocol

    first = Period.parse("2024-01-01:2024-02-01")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bars = str(folder / "bars.csv")
        Path(bars).write_bytes((ROOT / "docs" / "bars.csv").read_bytes())

        def opened(train: Period, test: str) -> None:
            market = resolve_market(bars, train=train, test=Period.parse(test))
            TradingEnv(market, load_protocol("standard"), market.asset.windows.train)
            TradingEnv(market, load_protocol("standard"), market.asset.windows.test)

        late = Period.parse("2024-01-29:2024-03-08")
        cases: list[tuple[str, Callable[[], object]]] = [
            ("the data folder exists", lambda: resolve_market("TSLA", data=f"{folder}/nowhere")),
            ("it holds the asset", lambda: resolve_market("TSLA", data=str(folder))),
            ("a CSV comes with both windows", lambda: resolve_market(bars)),
            ("training ends before the test begins", lambda: opened(late, "2024-03-08:2024-04-19")),
            ("a window lies inside the data", lambda: opened(late, "2024-03-11:2024-05-31")),
            ("a window holds two bars", lambda: opened(late, "2024-03-11:2024-03-11")),
            ("the lookback lies inside the data", lambda: opened(first, "2024-03-11:2024-04-19")),
        ]
        rows = [[rule, complaint(act, folder)] for rule, act in cases]
    return table(["rule", "what is said when it is broken"], rows)
