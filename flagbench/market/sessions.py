"""Which days have a bar: the sessions of an exchange's calendar."""

import numpy as np

from flagbench.market.price_file import DateArray


def sessions_between(exchange: str, first: np.datetime64, last: np.datetime64) -> DateArray:
    """All sessions from `first` to `last`, both included.

    Source: the exchange_calendars library. Its calendars begin twenty years back unless a start is
    given, so one always is.

    Args:
        exchange: `XNYS` or `24/7`.
        first: first date, datetime64[D].
        last: last date, datetime64[D].

    Returns:
        (k,) datetime64[D], rising.
    """
    if exchange == "24/7":
        return np.arange(first, last + np.timedelta64(1, "D"), dtype="datetime64[D]")
    import exchange_calendars

    # A margin of a week on both sides: a calendar must begin and end on a session or later.
    week = np.timedelta64(7, "D")
    calendar = exchange_calendars.get_calendar(exchange, start=str(first - week), end=str(last + week))
    sessions: DateArray = calendar.sessions_in_range(str(first), str(last)).to_numpy().astype("datetime64[D]")
    return sessions


def infer_exchange(dates: DateArray) -> str:
    """`24/7` when any bar falls on a weekend, else `weekdays` (the holidays are not known)."""
    weekday = (dates.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return "24/7" if bool(np.any(weekday >= 5)) else "weekdays"
