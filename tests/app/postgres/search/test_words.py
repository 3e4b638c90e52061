"""Finding texts by words: the same words and the same order as in the embedded store."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from app.backends import sqlite, words
from app.backends.clock import SteppingClock
from app.backends.postgres import PostgresStore, ranking, search
from app.backends.postgres.fulltext import index_memory, list_terms
from app.backends.sqlite import SqliteStore
from app.domain.change import Add, Change, ChangeBatch, Delete, Restore
from app.domain.memory import MemoryDraft, MemoryKind, Scope
from app.domain.query import MemoryFilter
from tests.app.contract.samples import ALL, FOREIGN, HERE, IDENTITY, THERE, updating
from tests.app.databases import OwnDatabaseStore, open_own_store
from tests.servers.postgres import Databases

pytestmark = pytest.mark.xdist_group("postgres")

CAP = 40
WORDS = (
    "coffee tea milk sugar kettle breakfast evening deploy deployed deployment server service services release rollback "
    "database migration backup restore latency traffic customer invoice contract meeting agenda summary decision budget "
    "holiday train flight hotel museum garden river mountain bicycle the and of on with was were for from about"
)
CHINESE = (
    "我 你 他 喜欢 咖啡 绿茶 牛奶 早餐 晚上 部署 服务 服务器 发布 回滚 数据库 迁移 备份 恢复 延迟 流量 客户 发票 "
    "合同 会议 议程 总结 决定 预算 假期 火车 航班 酒店 博物馆 花园 河 山 自行车 上海 北京 周二 周五 的 在 了 是"
)


def make_texts(count: int, *, seed: int = 5) -> list[str]:
    """Texts of English words, of Chinese ones, and of both, of which some are far more frequent than others."""
    chance = np.random.default_rng(seed)
    texts = []
    for number in range(count):
        english, chinese = (choose(chance, known.split()) for known in (WORDS, CHINESE))
        kind = number % 3
        texts.append(" ".join(english) if kind == 0 else "".join(chinese if kind == 1 else [english[0], *chinese]))
    return texts


def choose(chance: np.random.Generator, known: list[str]) -> list[str]:
    weights = 1 / (np.arange(len(known)) + 2)
    return [str(word) for word in chance.choice(known, chance.integers(4, 14), p=weights / weights.sum())]


@pytest.fixture
def postgres(postgres_server: Databases) -> Iterator[OwnDatabaseStore]:
    """An empty store."""
    with closing(open_own_store(postgres_server, identity=IDENTITY, clock=SteppingClock())) as opened:
        yield opened


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[SqliteStore]:
    """An empty store in a file."""
    with closing(sqlite.open_store(tmp_path / "memory.db", identity=IDENTITY, clock=SteppingClock())) as opened:
        yield opened


Store = PostgresStore | SqliteStore


def commit(store: Store, *changes: Change, scope: Scope = HERE) -> list[str]:
    """Commit changes, and return the ids of the memories."""
    outcomes = store.memories.commit(ChangeBatch(scope=scope, changes=changes)).outcomes
    return [outcome.memory_id for outcome in outcomes]


def say(*texts: str, **fields: str) -> list[Add]:
    """Changes that add memories without vectors."""
    return [Add(draft=MemoryDraft(kind=MemoryKind.PERSONAL, content=text, **fields), vector=None) for text in texts]  # type: ignore[arg-type]


def find(store: Store, query: str, *, limit: int = 10, wanted: MemoryFilter = ALL, scope: Scope = HERE) -> list[str]:
    """The texts that a search finds, best first."""
    found = store.index.matching(scope, query, wanted, limit=limit)
    memories = store.index.fetch(scope, [candidate.number for candidate in found])
    return [memories[candidate.number].content for candidate in found]


@pytest.mark.parametrize("cap", [words.CAP, CAP])
def test_rankings_agree_with_the_embedded_store(
    postgres: PostgresStore, embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch, cap: int
) -> None:
    """Also where most words are too common to be searched for."""
    for module in (search, sqlite.search):
        monkeypatch.setattr(module, "CAP", cap)
    texts = make_texts(400)
    for store in (postgres, embedded):
        commit(store, *say(*texts))
    hits = wanted = same = 0
    queries = [*make_texts(60, seed=9), "茶", "上海", "会议 总结", "deploying services", "the", "nothing"]
    for query in queries:
        expected, found = find(embedded, query), find(postgres, query)
        hits += len(set(expected) & set(found))
        wanted += len(set(expected))
        same += expected == found
    assert wanted > 300
    assert hits / wanted >= 0.9
    assert same / len(queries) >= 0.8


def test_scores_agree_with_the_embedded_store(postgres: PostgresStore, embedded: SqliteStore) -> None:
    for store in (postgres, embedded):
        commit(store, *say(*make_texts(100)))
    for query in ("咖啡", "coffee deployed", "上海的会议"):
        scores = [
            [candidate.score for candidate in store.index.matching(HERE, query, ALL, limit=20)]
            for store in (postgres, embedded)
        ]
        assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_chinese_words_of_one_and_two_characters_are_found_in_every_position(postgres: PostgresStore) -> None:
    commit(postgres, *say("我喜欢喝咖啡", "咖啡很好", "AI is here", "喝茶"))
    for query, expected in (("咖啡", 2), ("咖", 2), ("啡", 2), ("喝", 2), ("茶", 1), ("AI", 1), ("ai", 1), ("水", 0)):
        assert len(find(postgres, query)) == expected, query


def test_a_common_term_is_searched_for_only_when_there_is_no_other(
    postgres: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CAP", 5)
    commit(postgres, *say(*(f"tea {number}" for number in range(20))))
    for _ in range(2):  # the second time the term is known to be common
        assert find(postgres, "tea 7") == ["tea 7"]
        assert find(postgres, "tea") == [f"tea {number}" for number in range(19, 14, -1)]


def test_a_term_that_was_common_is_found_again_when_the_workspace_has_shrunk(
    postgres: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CAP", 5)
    ids = commit(postgres, *say(*(f"tea {number}" for number in range(20)), "milk"))
    assert find(postgres, "tea milk") == ["milk"]
    commit(postgres, *(Delete(memory_id=memory_id) for memory_id in ids[3:20]))
    assert set(find(postgres, "tea milk")) == {"tea 0", "tea 1", "tea 2", "milk"}


def test_no_workspace_shares_a_term_with_another(postgres: PostgresStore) -> None:
    for scope in (HERE, THERE, FOREIGN):
        commit(postgres, *say("green tea 绿茶"), scope=scope)
    with postgres.database.read() as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT term) FROM chunks_fts_default, unnest(terms) term")
        assert rows.fetchone() == (15, 15)
    assert not set(list_terms(HERE, "tea 绿茶")) & set(list_terms(THERE, "tea 绿茶"))


@pytest.mark.parametrize(
    "text", ["上海开会 deploying the services 2026", "こんにちは world", "서울 seoul", "ＡＢＣ straße"]
)
def test_every_word_of_a_text_is_among_its_terms(postgres: PostgresStore, text: str) -> None:
    (memory_id,) = commit(postgres, *say(text))
    (memory,) = postgres.memories.get(HERE, [memory_id])
    _, _, terms = index_memory(1, memory)
    assert set(list_terms(HERE, text)) <= set(terms)


def test_texts_are_counted_as_they_change(postgres: PostgresStore) -> None:
    first, second, third, _ = commit(postgres, *say("green tea", "black coffee in the morning", "milk", "water"))
    (kept,) = postgres.memories.get(HERE, [first])
    commit(postgres, updating(kept, content="white tea with 牛奶"), Delete(memory_id=second), Delete(memory_id=third))
    commit(postgres, Restore(memory_id=second))
    commit(postgres, *say("lives in Rome", slot="home", user_id="ann"))
    commit(postgres, *say("lives in the old town of Oslo", slot="home", user_id="ann"))
    assert read_counts(postgres) == count_standing(postgres)
    assert postgres.memories.purge(HERE, user_id="ann") == 2
    assert read_counts(postgres) == count_standing(postgres) == (3, 11)
    postgres.workspaces.delete_workspace(HERE)
    assert read_counts(postgres) is None
    assert count_standing(postgres) == (0, 0)


def read_counts(store: PostgresStore) -> object:
    with store.database.read() as connection:
        return connection.execute("SELECT texts, units FROM chunks_fts_tallies").fetchone()


def count_standing(store: PostgresStore) -> object:
    with store.database.read() as connection:
        return connection.execute(
            "SELECT count(*), coalesce(sum(units), 0) FROM chunks_fts_default JOIN chunks_default USING (number)"
            " WHERE deleted_at IS NULL AND NOT superseded"
        ).fetchone()


def test_what_is_remembered_of_common_terms_is_bounded(
    monkeypatch: pytest.MonkeyPatch, postgres: PostgresStore
) -> None:
    monkeypatch.setattr(ranking, "_REMEMBERED", 1)
    scopes: Sequence[Scope] = (HERE, THERE, HERE)
    for scope in scopes:
        commit(postgres, *say("green tea"), scope=scope)
        assert find(postgres, "tea", scope=scope) == ["green tea"]
