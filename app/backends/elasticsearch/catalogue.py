"""The indices of this service on the server: found by their marks, made, changed and removed."""

import re
from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import Any

from elasticsearch import Elasticsearch

from app.backends.elasticsearch.collection import (
    Collection,
    CollectionSettings,
    check_abilities,
    check_made,
    describe,
    name_index,
)
from app.backends.elasticsearch.connections import Server
from app.backends.elasticsearch.faults import EXISTS, AccessRefused, name_kind, quote_reason
from app.domain.embedding import EmbeddingIdentity
from app.errors import SettingsError

_VERSION = re.compile(r"(\d+)\.(\d+)")
_BAD_REQUEST, _TIMED_OUT = 400, 408


class Catalogue:
    """Keeps one collection of a prefix on a server."""

    def __init__(self, server: Server, settings: CollectionSettings) -> None:
        self._server, self._settings = server, settings

    def prepare(self, identity: EmbeddingIdentity) -> Collection:
        """The collection of an embedding; made if it is missing, and those of other embeddings removed.

        One of another embedding would miss what is taken out from now on, so it must not be found when the service
        comes back to it. Raises `SettingsError` where the server or what is there cannot do what the settings ask for,
        or does not let the key or the user do it.
        """
        name = name_index(self._settings.prefix, identity)
        try:
            check_abilities(self._settings, identity, self._read_version())
            marked = self._list_marked()
            meta = marked.pop(name, None)
            if meta is not None:
                check_made(name, self._settings, meta)
            self._remove(marked)
            if meta is None:
                meta = self._make(Collection(name=name, mark=token_hex(8), identity=identity))
            mark = check_made(name, self._settings, meta)
            self._change(name)
        except AccessRefused as refused:
            raise SettingsError(
                f"{refused.message}: the vector index needs the cluster's privilege monitor, and manage, read and "
                f"write on {self._settings.prefix}-*"
            ) from None
        return Collection(name=name, mark=mark, identity=identity)

    def list_lacks(self, collection: Collection) -> Iterator[str]:
        """What the cluster cannot do of the settings, in a sentence each."""
        health = self._ask_health(collection, "number_of_data_nodes")
        nodes, replicas = health["number_of_data_nodes"], self._settings.number_of_replicas
        if replicas >= nodes:
            yield (
                f"number_of_replicas is {replicas}, but the cluster has {nodes} data node{'s' if nodes != 1 else ''}: "
                "copies that find no node are not made, and what a lost node held alone is made anew from the store"
            )

    def is_open(self, collection: Collection, *, timeout_s: float) -> bool:
        """Whether the collection is there and every shard of it can be searched."""
        health = self._ask_health(collection, "status", attempts=1, timeout_s=timeout_s)
        return health["status"] in ("green", "yellow")

    def drop(self) -> None:
        """Remove the collections of the prefix."""
        self._remove(self._list_marked())

    def _ask_health(self, collection: Collection, wanted: str, **limits: Any) -> Mapping[str, Any]:
        """The health of a collection as it is, without waiting for a better one; red where it is missing."""
        return self._server.ask(
            lambda client: (
                client.options(ignore_status=_TIMED_OUT)
                .cluster.health(index=collection.alias, timeout="0s", filter_path=wanted)
                .body
            ),
            **limits,
        )

    def _read_version(self) -> tuple[int, int]:
        """The oldest among the nodes. Not from `GET /`, which tells the one that answers and may be closed to a key."""
        answer = self._server.ask(
            lambda client: client.nodes.info(node_id="_all", metric="http", filter_path="nodes.*.version").body
        )
        found = [_VERSION.match(str(node.get("version"))) for node in answer.get("nodes", {}).values()]
        versions = [(int(one[1]), int(one[2])) for one in found if one]
        if not versions:
            raise SettingsError(f"the server at {self._server.place} does not tell its version: check hosts")
        return min(versions)

    def _list_marked(self) -> dict[str, Mapping[str, Any]]:
        """The indices of the prefix, each with what was noted when it was made."""
        answer = self._server.ask(
            lambda client: (
                client.indices.get_mapping(
                    index=f"{self._settings.prefix}-*",
                    allow_no_indices=True,
                    expand_wildcards=["open", "closed"],
                    filter_path="*.mappings._meta",
                ).body
            )
        )
        marked = {name: found["mappings"]["_meta"] for name, found in answer.items()}
        return {name: meta for name, meta in marked.items() if meta.get("prefix") == self._settings.prefix}

    def _remove(self, names: Mapping[str, object]) -> None:
        if names:
            listed = list(names)
            self._server.ask(lambda client: client.indices.delete(index=listed, ignore_unavailable=True))

    def _make(self, collection: Collection) -> Mapping[str, Any]:
        """Make the index, unless another process did; returns what is noted in it."""
        asked = describe(collection, self._settings)
        answer = self._server.ask(
            lambda client: (
                client.options(ignore_status=_BAD_REQUEST).indices.create(index=collection.name, **asked).body
            )
        )
        if "error" not in answer or name_kind(answer) == EXISTS:
            return self._list_marked().get(collection.name, {})
        raise SettingsError(f"the vector index at {self._server.place} refused the settings: {quote_reason(answer)}")

    def _change(self, name: str) -> None:
        """Give the index the settings of today that it does not have."""
        wanted = self._settings.changeable

        def change(client: Elasticsearch) -> Mapping[str, Any]:
            held = client.indices.get_settings(index=name)[name]["settings"]["index"]
            changes = {key: value for key, value in wanted.items() if held.get(key) != value}
            if not changes:
                return {}
            tolerant = client.options(ignore_status=_BAD_REQUEST)
            answer: Mapping[str, Any] = tolerant.indices.put_settings(index=name, settings=changes).body
            return answer

        answer = self._server.ask(change)
        if "error" in answer:
            raise SettingsError(f"the vector index at {self._server.place} refused a setting: {quote_reason(answer)}")
