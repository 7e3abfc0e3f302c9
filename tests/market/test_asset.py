from datetime import date
from pathlib import Path

import pytest

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.market.asset import asset_names, load_asset
from flagbench.market.period import Period

GOLD = """\
id: GOLD
version: 1
name: Gold
asset_class: equity
currency: USD
calendar:
  exchange: XNYS
  periods_per_year: 252
windows:
  train: 2020-07-01:2020-09-30
  test: 2020-10-01:2021-05-06
files:
  prices: GOLD/prices.csv
sources:
  - makes: [prices.csv]
    repository: somebody/metals
    commit: 0123456789abcdef0123456789abcdef01234567
    path: gold.csv
    licence: MIT
    size: 10
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
"""


def gold(folder: Path, *, without: str = "", become: str = "") -> Path:
    assert without in GOLD
    path = folder / "GOLD.yaml"
    path.write_text(GOLD.replace(without, become, 1) if without else GOLD)
    return path


def refused(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_asset(str(path))
    return caught.value


def test_installed_assets_are_listed_in_order() -> None:
    assert asset_names() == sorted(asset_names())
    assert {"BTC", "ETH", "HON", "JNJ", "MSFT", "NFLX", "SPY", "TSLA", "UVV"} <= set(asset_names())


def test_an_installed_asset_is_loaded_by_its_id() -> None:
    asset = load_asset("TSLA")
    assert (asset.id, asset.asset_class, asset.calendar.periods_per_year) == ("TSLA", "equity", 252)
    assert asset.windows.train == Period(date(2020, 7, 1), date(2020, 9, 30))


def test_an_unknown_asset_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="unknown asset `TSAL`") as caught:
        load_asset("TSAL")
    assert caught.value.hint == "did you mean `TSLA`?"


def test_a_user_describes_an_asset_in_a_file_and_leaves_out_what_does_not_exist(tmp_path: Path) -> None:
    asset = load_asset(str(gold(tmp_path)))
    assert (asset.id, asset.files.text, asset.files.investorbench, asset.notes) == ("GOLD", None, None, "")
    assert asset.sources[0].rows is None


@pytest.mark.parametrize(
    ("rows", "covered"),
    [
        ("", [True, True, True]),
        ("    rows: '..2020-07-01'\n", [True, True, False]),
        ("    rows: '2020-07-01..2020-07-01'\n", [False, True, False]),
        ("    rows: '2020-07-01..'\n", [False, True, True]),
    ],
)
def test_a_source_covers_the_dates_of_its_rows_both_ends_included(
    tmp_path: Path, rows: str, covered: list[bool]
) -> None:
    source = load_asset(str(gold(tmp_path, without="    size:", become=f"{rows}    size:"))).sources[0]
    assert [source.covers(day) for day in ("2020-06-30", "2020-07-01", "2020-07-02")] == covered


@pytest.mark.parametrize("path", ["/etc/gold.csv", "../gold.csv", "a/../../gold.csv", "a//b.csv", "a\\b.csv"])
def test_the_path_of_a_source_stays_below_its_repository(tmp_path: Path, path: str) -> None:
    error = refused(gold(tmp_path, without="path: gold.csv", become=f"path: '{path}'"))
    assert "`sources.0.path`: Value error, a relative path is expected" in error.message


def test_a_window_may_be_two_yaml_dates(tmp_path: Path) -> None:
    path = gold(tmp_path, without="2020-07-01:2020-09-30", become="[2020-07-01, 2020-09-30]")
    assert load_asset(str(path)) == load_asset(str(gold(tmp_path)))


def test_an_asset_is_read_back_from_what_it_dumps(tmp_path: Path) -> None:
    asset = load_asset(str(gold(tmp_path)))
    assert type(asset).model_validate(asset.model_dump()) == asset
    assert type(asset).model_validate_json(asset.model_dump_json()) == asset


@pytest.mark.parametrize(
    ("without", "become", "message"),
    [
        ("id: GOLD\n", "", "`id`: Field required"),
        ("version: 1", "version: 0", "`version`: Input should be greater than 0, given 0"),
        (
            "asset_class: equity",
            "asset_class: metal",
            "`asset_class`: Input should be 'equity' or 'crypto', given 'metal'",
        ),
        (
            "exchange: XNYS",
            "exchange: NYSE",
            "`calendar.exchange`: Input should be 'XNYS', '24/7' or 'weekdays', given 'NYSE'",
        ),
        (
            "periods_per_year: 252",
            "periods_per_year: -252",
            "`calendar.periods_per_year`: Input should be greater than 0, given -252",
        ),
        (
            "2020-07-01:2020-09-30",
            "summer",
            "`windows.train`: Value error, `summer` is no period, given 'summer'",
        ),
        (
            "2020-07-01:2020-09-30",
            "2020-09-30:2020-07-01",
            "`windows.train`: Value error, a period must not end before it begins, "
            "given 2020-09-30 to 2020-07-01, given '2020-09-30:2020-07-01'",
        ),
        (
            "2020-07-01:2020-09-30",
            "2020",
            "`windows.train`: Value error, two ISO dates are expected, "
            "such as 2020-07-01:2020-09-30, given 2020",
        ),
        (
            "2020-07-01:2020-09-30",
            "[2020-07-01, 2020-08-01, 2020-09-30]",
            "`windows.train`: Value error, two ISO dates are expected, such as 2020-07-01:2020-09-30",
        ),
        ("commit: 0123456", "commit: main", "`sources.0.commit`: String should match pattern"),
        ("sha256: 0", "sha256: Z", "`sources.0.sha256`: String should match pattern"),
        ("somebody/metals", "metals", "`sources.0.repository`: String should match pattern"),
        ("somebody/metals", "somebody/..", "`sources.0.repository`: Value error, a relative path"),
        ("size: 10", "size: 10\n    rows: 2020..", "`sources.0.rows`: String should match pattern"),
        ("size: 10", "size: 0", "`sources.0.size`: Input should be greater than 0, given 0"),
    ],
)
def test_a_broken_setting_is_named_with_file_and_field(
    tmp_path: Path, without: str, become: str, message: str
) -> None:
    path = gold(tmp_path, without=without, become=become)
    assert refused(path).message.startswith(f"{path}: {message}")


def test_an_unknown_setting_is_answered_with_the_nearest_of_its_group(tmp_path: Path) -> None:
    path = gold(tmp_path, without="prices: GOLD", become="price: GOLD")
    error = refused(path)
    assert error.message == f"{path}: unknown setting `files.price`"
    assert error.hint == "did you mean `prices`?"
    path = gold(tmp_path, without="    licence:", become="    license: MIT\n    licence:")
    error = refused(path)
    assert error.message == f"{path}: unknown setting `sources.0.license`"
    assert error.hint == "did you mean `licence`?"


def test_an_asset_file_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yml"
    assert refused(path).message.startswith(f"{path} cannot be read: ")
