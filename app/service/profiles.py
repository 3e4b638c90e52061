"""Users' profiles in the object store: each version an object of its own, so that no writer overwrites another.

A store of objects cannot compare and swap, but it can make an object only if there is none of its name. A change
therefore makes version n + 1, and of two writers one finds it taken. Then the version before must still be there and
none after, or else somebody else was faster or removed the profile, and the change is taken back. What is before the
latest version is removed by whoever made that; a process that dies in between leaves it to the next.
"""

import json
import random
import re
import time
from collections.abc import Callable

from app.domain.access import Permission, Principal
from app.domain.memory import JsonObject, Scope
from app.domain.objects import name_profiles
from app.domain.profiles import PROFILE_BYTES, Profile, merge
from app.errors import AlreadyExists, NotFound, PayloadTooLarge, StoreCorrupt, VersionConflict
from app.ports import Clock, ObjectStore, UserStore
from app.service.authorisation import authorise
from app.service.limits import NAME_CHARACTERS, check_preferences, check_text
from app.service.moderation import Moderation, check_passages, passages_of_values

ATTEMPTS = 16
"""Tries of a change that insists on no version; each that fails was overtaken by another that succeeded."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.2
"""Between tries, at most, doubled each time: writers at once get apart, and the last gives up after 3 s."""
GRACE_MS = 3_600_000
"""What an interrupted write left may belong to one under way; it is removed after an hour."""
_VERSION = re.compile(r"v(\d{12})")


class Profiles:
    """Reads, changes and removes the profiles of users. May be used from any thread, and by several nodes at once."""

    def __init__(
        self,
        *,
        objects: ObjectStore,
        users: UserStore,
        clock: Clock,
        most_bytes: int = PROFILE_BYTES,
        moderation: Moderation | None = None,
    ) -> None:
        self._moderation = moderation
        self._objects = objects
        self._users = users
        self._clock = clock
        self._most_bytes = most_bytes

    def get(self, principal: Principal, workspace_id: str, user_id: str) -> Profile:
        """A user's profile, or `NotFound`. Needs memory:read."""
        scope = authorise(principal, Permission.MEMORY_READ, workspace_id)
        found = self._find(scope, _check_user_id(user_id))
        if found is None:
            raise NotFound(_lacking(user_id))
        return found

    def replace(
        self,
        principal: Principal,
        workspace_id: str,
        user_id: str,
        preferences: JsonObject,
        *,
        version: int | None = None,
    ) -> Profile:
        """Make a profile or put another in its place; makes the user who is missing. Needs memory:write.

        Raises `VersionConflict` unless `version` is the one that is there, `InvalidRequest`, `PayloadTooLarge`,
        `ContentRefused` or `ModerationUnavailable`.
        """
        check_preferences(preferences)
        self._judge(principal, workspace_id, preferences)
        return self._change(principal, workspace_id, user_id, lambda _: preferences, version)

    def patch(
        self, principal: Principal, workspace_id: str, user_id: str, patch: JsonObject, *, version: int | None = None
    ) -> Profile:
        """Apply a JSON merge patch (RFC 7396) to a profile, an empty one where there is none; as `replace`."""
        check_preferences(patch)
        self._judge(principal, workspace_id, patch)
        return self._change(principal, workspace_id, user_id, lambda there: merge(there, patch), version)

    def delete(self, principal: Principal, workspace_id: str, user_id: str, *, version: int | None = None) -> None:
        """Remove a profile for good; raises `NotFound`, or `VersionConflict` as `replace`. Needs memory:delete."""
        scope = authorise(principal, Permission.MEMORY_DELETE, workspace_id)
        folder = name_profiles(scope, _check_user_id(user_id))
        latest = max(self._list(folder), default=0)
        if not latest:
            raise NotFound(_lacking(user_id))
        _check_version(latest, version)
        self._erase(folder)

    def forget(self, scope: Scope, *, user_id: str | None = None) -> int:
        """Remove the profiles of a workspace, or of one user of it, for good; returns how many objects they were.

        For the services that remove or erase users and workspaces, which have asked for the right to do so.
        """
        return self._erase(name_profiles(scope, "" if user_id is None else user_id))

    def _judge(self, principal: Principal, workspace_id: str, given: JsonObject) -> None:
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        check_passages(self._moderation, principal, scope, passages_of_values("profile", [given]))

    def _change(
        self,
        principal: Principal,
        workspace_id: str,
        user_id: str,
        change: Callable[[JsonObject], JsonObject],
        version: int | None,
    ) -> Profile:
        scope = authorise(principal, Permission.MEMORY_WRITE, workspace_id)
        user_id = _check_user_id(user_id)
        for attempt in range(ATTEMPTS):
            there = self._find(scope, user_id)
            _check_version(there.version if there else 0, version)
            changed = Profile(
                scope=scope,
                user_id=user_id,
                version=there.version + 1 if there else 1,
                updated_ms=self._clock.now_ms(),
                preferences=check_preferences(change(there.preferences if there else {})),
            )
            content = self._write(changed)
            if not attempt:
                self._make_user(scope, user_id)
            if self._settle(changed, content):
                return changed
            if version is not None:
                break
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2**attempt)))  # noqa: S311
        raise VersionConflict("the profile was changed in between: read it again and repeat the change")

    def _make_user(self, scope: Scope, user_id: str) -> None:
        """Have the user in the listing, so that whoever removes users finds this one."""
        try:
            self._users.get_user(scope, user_id)
        except NotFound:
            self._users.put_user(scope, user_id, name=None, metadata=None)

    def _settle(self, changed: Profile, content: bytes) -> bool:
        """Keep a version as the latest one, unless another writer was faster or the one before was removed."""
        folder = name_profiles(changed.scope, changed.user_id)
        name = f"{folder}v{changed.version:012}"
        try:
            self._objects.create(name, content)
        except AlreadyExists:
            return False
        versions = self._list(folder)
        expected = {changed.version - 1, changed.version} - {0}
        if max(versions, default=0) != changed.version or not expected <= set(versions):
            self._objects.delete(name)
            return False
        for older in versions:
            if older < changed.version:
                self._objects.delete(versions[older])
        for left in tuple(self._objects.list(folder)):
            is_version = _VERSION.fullmatch(left.name.removeprefix(folder))
            if not is_version and left.modified_ms < changed.updated_ms - GRACE_MS:
                self._objects.delete(left.name)
        return True

    def _find(self, scope: Scope, user_id: str) -> Profile | None:
        """The latest version; a version that is replaced while it is read leads to the next."""
        seen = 0
        while versions := self._list(name_profiles(scope, user_id)):
            latest = max(versions)
            try:
                content = self._objects.read(versions[latest])
            except NotFound:
                if latest == seen:
                    break
                seen = latest
                continue
            return _read(scope, user_id, latest, content)
        return None

    def _list(self, folder: str) -> dict[int, str]:
        """The names of the versions that are there."""
        found = {}
        for each in self._objects.list(folder):
            if marks := _VERSION.fullmatch(each.name.removeprefix(folder)):
                found[int(marks[1])] = each.name
        return found

    def _erase(self, prefix: str) -> int:
        """Remove all objects whose names begin so, those too that are made meanwhile from one of them."""
        erased = 0
        while names := [each.name for each in self._objects.list(prefix)]:
            erased += sum(self._objects.delete(name) for name in names)
        return erased

    def _write(self, profile: Profile) -> bytes:
        document = {"updated_ms": profile.updated_ms, "preferences": profile.preferences}
        content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        most = min(self._most_bytes, self._objects.most_bytes)
        if len(content) > most:
            raise PayloadTooLarge(
                f"the profile takes {len(content):,} bytes, at most {most:,} are allowed: shorten it, or raise "
                "storage.max_profile_bytes"
            )
        return content


def _read(scope: Scope, user_id: str, version: int, content: bytes) -> Profile:
    try:
        document = json.loads(content)
        updated_ms, preferences = int(document["updated_ms"]), dict(document["preferences"])
    except (ValueError, KeyError, TypeError):
        raise StoreCorrupt(
            "the stored profile of the user does not read: restore it from a backup, or delete the user's profile"
        ) from None
    return Profile(scope=scope, user_id=user_id, version=version, updated_ms=updated_ms, preferences=preferences)


def _lacking(user_id: str) -> str:
    return f"user {user_id!r} has no profile: make one with PUT"


def _check_version(found: int, wanted: int | None) -> None:
    if wanted is not None and wanted != found:
        raise VersionConflict(
            f"the profile has version {found}, not {wanted}: read it again and repeat the change"
            if found
            else "the profile is gone: make it anew without a version"
        )


def _check_user_id(user_id: str) -> str:
    return check_text("user_id", user_id, least=1, most=NAME_CHARACTERS)
