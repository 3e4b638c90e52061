"""The in-RAM API keys."""

from app.backends.memory.state import State
from app.domain.access import ApiKey, check_expected


class Keys:
    """The `KeyStore` of the in-RAM backend."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put_key(self, key: ApiKey, *, expected: ApiKey | None = None) -> None:
        """Store a new key, or replace the one that is stored as `expected`."""
        with self._state.lock:
            check_expected(key, self._state.keys.get(key.id), expected)
            self._state.keys[key.id] = key

    def find_key(self, secret_sha256: str) -> ApiKey | None:
        """The key of a secret's SHA-256, working or not."""
        with self._state.lock:
            keys = tuple(self._state.keys.values())
        return next((key for key in keys if key.secret_sha256 == secret_sha256), None)

    def list_keys(self, tenant_id: str | None = None) -> tuple[ApiKey, ...]:
        """All keys, oldest first, of one tenant or of all."""
        with self._state.lock:
            keys = [key for key in self._state.keys.values() if tenant_id in (None, key.tenant_id)]
        return tuple(sorted(keys, key=lambda key: (key.created_ms, key.id)))
