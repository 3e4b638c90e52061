"""API keys: issued once, kept as a hash, rotated with an overlap, revoked at once."""

import hmac
import secrets
from dataclasses import replace
from hashlib import sha256
from unicodedata import category

from app.domain.access import EVERY_WORKSPACE, KEY_FORMAT, LOCAL_ADMIN, ApiKey, Permission, Principal, Role
from app.domain.identifiers import WORKSPACE_ID, check_workspace_id, make_uuid7
from app.errors import Forbidden, InvalidRequest, MemoryServiceError, NotFound, Unauthenticated, VersionConflict
from app.ports import Clock, KeyStore
from app.service.authorisation import covers, require
from app.service.limits import NAME_CHARACTERS, check_text
from app.service.ranking import MS_PER_DAY

MOST_DAYS = 3_650
"""Ten years; a key that must live longer should be rotated."""
PATTERNS = 100
_LINE_BREAKING = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters, line and paragraph separators."""


class Keys:
    """The keys of tenants. A secret is returned once and kept nowhere; no secret is in any error.

    Requirements §10.1: keys live `key_days`, and a rotated one works `overlap_days` longer. An admin issues and sees
    only keys of the own tenant and within the own scope; the admin of this machine those of every tenant.
    """

    def __init__(self, *, store: KeyStore, clock: Clock, key_days: int = 90, overlap_days: int = 7) -> None:
        self._store = store
        self._clock = clock
        self._key_days = _check_days("key_days", key_days, least=1)
        self._overlap_days = _check_days("overlap_days", overlap_days, least=0)
        self._any = False

    def issue(
        self,
        principal: Principal,
        *,
        name: str,
        role: Role,
        workspaces: tuple[str, ...],
        tenant_id: str | None = None,
        key_days: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key and return it with its secret, which cannot be read again. Needs an admin.

        Raises `Forbidden` for a scope or a tenant beyond the principal's own, `InvalidRequest` for a malformed one.
        """
        secret = _make_secret()
        key = self._describe(principal, secret, name, role, workspaces, tenant_id, key_days)
        self._store.put_key(key)
        return key, secret

    def admit(
        self,
        principal: Principal,
        secret: str,
        *,
        name: str,
        role: Role,
        workspaces: tuple[str, ...],
        tenant_id: str | None = None,
        key_days: int | None = None,
    ) -> tuple[ApiKey, bool]:
        """Make a key of a secret that was chosen elsewhere; answers whether it is new. Needs an admin.

        A secret that is known already is left alone, even a revoked one, so that a start may repeat it. Raises
        `InvalidRequest` for a secret of another form, or one that is known with another role, tenant or scope, and
        else what `issue` raises.
        """
        if not KEY_FORMAT.fullmatch(secret):
            raise InvalidRequest("the secret is no API key: one starts with rk_ and goes on with 32 hexadecimal digits")
        key = self._describe(principal, secret, name, role, workspaces, tenant_id, key_days)
        known = self._store.find_key(key.secret_sha256)
        if known is None:
            try:
                self._store.put_key(key)
            except MemoryServiceError:
                known = self._store.find_key(key.secret_sha256)
                if known is None:  # else another node did it meanwhile
                    raise
        if known is None:
            return key, True
        if (known.role, known.tenant_id, known.workspaces) != (key.role, key.tenant_id, key.workspaces):
            raise InvalidRequest(
                f"the secret belongs to a key of another role, tenant or scope ({known.role.value} of "
                f"{' '.join(known.workspaces)} in {known.tenant_id}): choose another secret"
            )
        return known, False

    def rotate(self, principal: Principal, key_id: str) -> tuple[ApiKey, str]:
        """Make a key of the same role and scope; the old one works `overlap_days` longer, or until it expires.

        Needs an admin. Raises `NotFound`, or `InvalidRequest` for a key that no longer works or was replaced.
        """
        old = self._find(principal, key_id)
        now_ms = self._clock.now_ms()
        if old.revoked_ms is not None:
            raise InvalidRequest(f"key {key_id} is revoked and cannot be rotated: issue a new one")
        if not old.works_at(now_ms):
            raise InvalidRequest(f"key {key_id} has expired and cannot be rotated: issue a new one")
        if old.replaced_by:
            raise InvalidRequest(f"key {key_id} was replaced by {old.replaced_by}: rotate that one")
        # The new key first: if this process dies in between, the old one still works.
        secret = _make_secret()
        new = self._describe(LOCAL_ADMIN, secret, old.name, old.role, old.workspaces, old.tenant_id, None)
        self._store.put_key(new)
        ends_ms = min(old.expires_ms, now_ms + self._overlap_days * MS_PER_DAY)
        try:
            self._store.put_key(replace(old, expires_ms=ends_ms, replaced_by=new.id), expected=old)
        except VersionConflict:
            # Revoked or rotated meanwhile: nobody was given the new secret, and the old key is looked at again.
            self._store.put_key(replace(new, revoked_ms=now_ms), expected=new)
            return self.rotate(principal, key_id)
        return new, secret

    def revoke(self, principal: Principal, key_id: str) -> ApiKey:
        """End a key at once, in every process; a revoked one stays revoked as of the first time. Needs an admin."""
        key = self._find(principal, key_id)
        if key.revoked_ms is not None:
            return key
        revoked = replace(key, revoked_ms=self._clock.now_ms())
        try:
            self._store.put_key(revoked, expected=key)
        except VersionConflict:  # rotated or revoked meanwhile, each of which happens once
            return self.revoke(principal, key_id)
        return revoked

    def list(self, principal: Principal) -> tuple[ApiKey, ...]:
        """The keys that the principal may administer, oldest first, those that ended too. Needs an admin."""
        require(principal, Permission.ADMINISTER)
        tenant = None if principal == LOCAL_ADMIN else principal.tenant_id
        return tuple(
            key
            for key in self._store.list_keys(tenant)
            if all(covers(principal, pattern) for pattern in key.workspaces)
        )

    def authenticate(self, secret: str) -> Principal:
        """Who holds a secret, or `Unauthenticated`. Asks the store every time, so that a revocation counts at once."""
        if not KEY_FORMAT.fullmatch(secret):
            raise Unauthenticated("this is no API key: one starts with rk_ and goes on with 32 hexadecimal digits")
        digest = sha256(secret.encode()).hexdigest()
        key = self._store.find_key(digest)
        if key is None or not hmac.compare_digest(key.secret_sha256, digest) or key.revoked_ms is not None:
            raise Unauthenticated("this API key is not known here: check it, or ask an admin for a new one")
        if not key.works_at(self._clock.now_ms()):
            raise Unauthenticated("this API key has expired: ask an admin for a new one")
        return key.principal

    def exist(self) -> bool:
        """Whether a key was ever issued; a revoked one counts, so that revoking the last opens nothing."""
        # Keys are never removed, so a yes stays one.
        self._any = self._any or bool(self._store.list_keys())
        return self._any

    def _describe(
        self,
        principal: Principal,
        secret: str,
        name: str,
        role: Role,
        workspaces: tuple[str, ...],
        tenant_id: str | None,
        key_days: int | None,
    ) -> ApiKey:
        """A new key that the principal may hand out; not stored yet."""
        require(principal, Permission.ADMINISTER)
        tenant = principal.tenant_id if tenant_id is None else check_workspace_id(tenant_id)
        if tenant != principal.tenant_id and principal != LOCAL_ADMIN:
            raise Forbidden(f"a key of tenant {principal.tenant_id!r} cannot issue one for another tenant")
        patterns = _check_patterns(workspaces)
        for pattern in patterns:
            if not covers(principal, pattern):
                raise Forbidden(f"workspace pattern {pattern!r} is beyond the scope of your key: issue a narrower one")
        days = self._key_days if key_days is None else _check_days("key_days", key_days, least=1)
        now_ms = self._clock.now_ms()
        return ApiKey(
            id=make_uuid7(now_ms),
            secret_sha256=sha256(secret.encode()).hexdigest(),
            name=_check_name(name),
            tenant_id=tenant,
            role=Role(role),
            workspaces=patterns,
            created_ms=now_ms,
            expires_ms=now_ms + days * MS_PER_DAY,
        )

    def _find(self, principal: Principal, key_id: str) -> ApiKey:
        found = next((key for key in self.list(principal) if key.id == key_id), None)
        if found is None:
            raise NotFound("there is no such key among those that you may administer: list them to see their ids")
        return found


def _make_secret() -> str:
    return f"rk_{secrets.token_hex(16)}"


def _check_name(name: str) -> str:
    """Return a name as it may stand in a line of a listing or a log."""
    text = check_text("name", name, least=1, most=NAME_CHARACTERS)
    position = next((place for place, character in enumerate(text) if category(character) in _LINE_BREAKING), None)
    if position is not None:
        raise InvalidRequest(f"name has a control character or line break at position {position}: remove it")
    return text


def _check_days(name: str, days: int, *, least: int) -> int:
    if not least <= days <= MOST_DAYS:
        raise InvalidRequest(f"{name} is {days}: give {least} to {MOST_DAYS:,} days")
    return days


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Return workspace patterns once each: ids, prefixes that end in `*`, or `*` alone."""
    clean = tuple(dict.fromkeys(patterns))
    if not 1 <= len(clean) <= PATTERNS:
        raise InvalidRequest(
            f"{len(clean)} workspace patterns are not allowed: give 1 to {PATTERNS}, or '{EVERY_WORKSPACE}' for all"
        )
    for pattern in clean:
        stem = pattern.removesuffix(EVERY_WORKSPACE)
        if pattern != EVERY_WORKSPACE and not WORKSPACE_ID.fullmatch(stem):
            raise InvalidRequest(
                f"workspace pattern {pattern[:140]!r} is not allowed: give an id, a prefix that ends in '*', or '*'"
            )
    return clean
