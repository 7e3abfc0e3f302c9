import json
import threading
from pathlib import Path

import platformdirs
import pytest

from flagbench.agents.answer_cache import AnswerCache, cache_key, open_cache
from flagbench.errors import ConfigError

KEY = cache_key({"question": "what is a share?"})
ANSWER = {"text": "a part of a company: ≤ 1", "tokens": 7, "more": [None, 1.5]}


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_kept_is_read_back_by_anybody(tmp_path: Path) -> None:
    AnswerCache(tmp_path / "new").write(KEY, ANSWER)
    assert AnswerCache(tmp_path / "new").read(KEY) == ANSWER
    assert AnswerCache(tmp_path / "new").read(cache_key({"question": "?"})) is None
    assert [path.name for path in files(tmp_path)] == [f"{KEY}.json"]


def test_keys_do_not_depend_on_the_order_of_names_but_on_every_value() -> None:
    assert cache_key({"a": 1, "b": {"c": 2, "d": 3}}) == cache_key({"b": {"d": 3, "c": 2}, "a": 1})
    assert len({cache_key({"a": value}) for value in (1, 2, "1", None, [1], 1.5)}) == 6


@pytest.mark.parametrize("damage", ["cut", "empty", "no json", "no object", "other answer", "other version"])
def test_a_damaged_entry_is_taken_for_missing_and_can_be_written_again(tmp_path: Path, damage: str) -> None:
    cache = AnswerCache(tmp_path)
    cache.write(KEY, ANSWER)
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    entry = json.loads(whole)
    path.write_bytes(
        {
            "cut": whole[:-9],
            "empty": b"",
            "no json": b"\xff\xfe",
            "no object": b"[]",
            "other answer": json.dumps({**entry, "answer": {**ANSWER, "tokens": 8}}).encode(),
            "other version": json.dumps({**entry, "version": 0}).encode(),
        }[damage]
    )
    assert cache.read(KEY) is None
    cache.write(KEY, ANSWER)
    assert cache.read(KEY) == ANSWER


def test_many_may_write_and_read_at_once(tmp_path: Path) -> None:
    seen: list[object] = []

    def work(number: int) -> None:
        cache = AnswerCache(tmp_path)
        for turn in range(20):
            cache.write(KEY, {"from": number, "turn": turn})
            seen.append(cache.read(KEY))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 80
    assert all(isinstance(entry, dict) and set(entry) == {"from", "turn"} for entry in seen)
    assert [path.name for path in files(tmp_path)] == [f"{KEY}.json"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    cache = open_cache(str(tmp_path / "taken"))
    assert cache is not None
    with pytest.raises(ConfigError, match=r"the cache of answers in .*taken cannot be written to") as caught:
        cache.write(KEY, ANSWER)
    assert "--set cache=none" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot be read"):
        cache.read(KEY)


def test_a_setting_names_the_users_cache_none_or_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    assert open_cache("none") is None
    for name, folder in (
        ("user", tmp_path / "flagbench" / "answers"),
        (f"{tmp_path / 'own'}", tmp_path / "own"),
    ):
        cache = open_cache(name)
        assert cache is not None
        cache.write(KEY, ANSWER)
        assert files(folder)
