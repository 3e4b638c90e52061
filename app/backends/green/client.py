"""Alibaba Cloud's Content Moderation (Green) as the `Moderator`: TextModerationPlus over HTTPS."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from threading import Event, Lock
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import httpx2

from app.backends.green.answers import Unreadable, read_code, read_refusal, read_verdict
from app.backends.green.keys import AccessKeys
from app.backends.green.pieces import cut_pieces
from app.backends.green.signature import sign
from app.backends.models.attempts import Deadline, Setback, persist, read_wait
from app.backends.models.rates import RequestRate
from app.backends.models.rests import REST_S, Rest
from app.domain.moderation import ALLOWED, Judged, TextSource, Verdict
from app.errors import MalformedAnswer, ModelError, ModelTimeout, ModelUnavailable

ACTION, VERSION = "TextModerationPlus", "2022-03-02"
FORM = "application/x-www-form-urlencoded"
PIECE_CHARACTERS: Mapping[str, int] = {"llm_response_moderation": 5000}
OTHER_PIECE_CHARACTERS = 2000
"""The longest text of a service, and of those that are not named ("Text Moderation PLUS" for large language models,
help.aliyun.com/document_detail/2671445.html, read 2026-11)."""
AT_ONCE = 8
"""Calls at once, ours: enough for the 100 a second that an account has, were each answered in 80 ms."""
MOST_BYTES = 1_048_576
"""Of an answer: labels and advice take a few thousand."""
ENDED_KEY = "InvalidSecurityToken"
"""How the codes begin of a role's key that ended early: the next attempt has another."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GreenChoice:
    """Where texts are judged and how strictly; one attempt ends within `timeout_s`, a batch within `deadline_s`.

    `address` is such as "https://green-cip.cn-beijing.aliyuncs.com". What has the risk `refuse_from` ("low", "medium"
    or "high") or a higher one is refused.
    """

    address: str
    input_service: str = "llm_query_moderation"
    output_service: str = "llm_response_moderation"
    refuse_from: str = "medium"
    timeout_s: float = 5.0
    deadline_s: float = 30.0
    requests_per_minute: int = 3000
    rest_s: float = field(default=REST_S)

    def service(self, source: TextSource) -> str:
        """The service that judges texts of a source."""
        return self.input_service if source is TextSource.INPUT else self.output_service


class GreenModerator:
    """Judges texts by TextModerationPlus, several at once. May be used from any thread.

    A text longer than its service takes is judged in pieces that overlap, and refused for any of them. Tried again
    within the deadline are lost connections, timeouts, throttling, 5xx, and answers that do not read (three at most).
    After a failure nobody asks for `rest_s`, then one caller finds out for all. The first call opens connections.
    """

    def __init__(self, choice: GreenChoice, keys: AccessKeys) -> None:
        self._choice = choice
        self._keys = keys
        self._host = urlsplit(choice.address).netloc
        self._rate = RequestRate(choice.requests_per_minute)
        self._rest = Rest(choice.rest_s)
        self._closing = Event()
        self._lock = Lock()
        self._client: httpx2.Client | None = None
        self._threads: ThreadPoolExecutor | None = None

    def name_of(self, source: TextSource) -> str:
        """The service of a source, such as "green:llm_query_moderation"."""
        return f"green:{self._choice.service(source)}"

    def judge(self, texts: Sequence[str], *, source: TextSource) -> Judged:
        """A verdict for each text; those that have none when something failed, or the time is over, stay without."""
        limit = PIECE_CHARACTERS.get(self._choice.service(source), OTHER_PIECE_CHARACTERS)
        pieces = [cut_pieces(text, limit) for text in texts]
        batch = _Batch(self, source, Deadline(self._choice.deadline_s))
        if any(pieces):
            try:
                self._rest.check(self._choice.deadline_s)
                found = iter(self._ask_all(batch, [*chain.from_iterable(pieces)]))
            except ModelError as error:
                return Judged(verdicts=tuple(None if each else ALLOWED for each in pieces), failure=error)
            self._settle(batch.failure)
            verdicts = tuple(_join([next(found) for _ in each]) for each in pieces)
            return Judged(verdicts=verdicts, calls=batch.calls, failure=batch.failure)
        return Judged(verdicts=(ALLOWED,) * len(texts))

    def close(self) -> None:
        """End the waits and close the connections; calls under way fail."""
        with self._lock:
            self._closing.set()
            client, threads = self._client, self._threads
            self._client = self._threads = None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)
        if client is not None:
            client.close()
        self._keys.close()

    def ask(self, piece: str, source: TextSource, deadline: Deadline) -> Verdict:
        """The verdict of one piece, asked for until it comes or the deadline passes. Raises a `ModelError`."""
        return persist(lambda: self._attempt(piece, source, deadline), deadline, self._closing)

    def _ask_all(self, batch: "_Batch", pieces: Sequence[str]) -> list[Verdict | None]:
        try:
            return [*self._open()[1].map(batch.ask, pieces)]
        except (RuntimeError, CancelledError):  # the threads were shut down in this moment
            raise _closed() from None

    def _settle(self, failure: ModelError | None) -> None:
        """Rest where the provider is away; one that refuses a text, or that we could not ask in time, is there."""
        if isinstance(failure, ModelUnavailable | ModelTimeout) and not isinstance(failure, _NotAsked):
            self._rest.begin(failure)
        else:
            self._rest.end()

    def _attempt(self, piece: str, source: TextSource, deadline: Deadline) -> Verdict:
        try:
            self._closing.wait(self._rate.book(deadline.left_s))
        except ModelUnavailable as error:
            raise _NotAsked(error.message) from None
        limit_s = min(self._choice.timeout_s, deadline.left_s)
        if self._closing.is_set():
            raise _closed()
        name = f"{self.name_of(source)} at {self._host}"
        if limit_s <= 0:
            late = f"{name} was not asked about all texts in {self._choice.deadline_s:g} s: send fewer at a time"
            raise Setback(_NotAsked(late), cut_short=True)
        try:
            status, headers, body = self._post(piece, source, limit_s)
        except httpx2.TimeoutException:
            raise Setback(
                ModelTimeout(f"{name} did not answer within {limit_s:.1f} s: repeat later"),
                cut_short=limit_s < self._choice.timeout_s,
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, RuntimeError) as fault:
            raise Setback(
                ModelUnavailable(f"{name} was not reached, or broke off ({type(fault).__name__}): repeat later")
            ) from None
        if status != 200:
            code = read_code(body)
            if code.startswith(ENDED_KEY):
                self._keys.forget()
            raise _retried(read_refusal(status, code, name=name), read_wait(headers))
        try:
            return read_verdict(body, refuse_from=self._choice.refuse_from, name=name)
        except Unreadable as fault:
            raise Setback(MalformedAnswer(f"the answer of {name} {fault}")) from None
        except ModelError as error:
            raise _retried(error, None) from None

    def _post(self, piece: str, source: TextSource, limit_s: float) -> tuple[int, Mapping[str, str], bytes]:
        """One request: its status, headers and body, whole or in its first bytes."""
        # A random id, so that none of ours leaves with the text.
        parameters = json.dumps({"content": piece, "dataId": uuid4().hex}, ensure_ascii=False)
        body = urlencode({"Service": self._choice.service(source), "ServiceParameters": parameters}).encode()
        headers = sign(
            self._keys.find(),
            host=self._host,
            action=ACTION,
            version=VERSION,
            date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            nonce=uuid4().hex,
            body=body,
            content_type=FORM,
        )
        headers |= {"accept": "application/json", "accept-encoding": "identity"}
        address = f"{self._choice.address.rstrip('/')}/"
        until = Deadline(limit_s)
        content = bytearray()
        client = self._open()[0]
        with client.stream("POST", address, content=body, headers=headers, timeout=limit_s) as response:
            # A body in gzip, for which nobody asked, could be gigabytes: it is taken as it comes, and does not read.
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > MOST_BYTES:
                    break
                if until.left_s <= 0:
                    raise httpx2.ReadTimeout("the body comes too slowly")
            return response.status_code, response.headers, bytes(content)

    def _open(self) -> tuple[httpx2.Client, ThreadPoolExecutor]:
        with self._lock:
            if self._closing.is_set():
                raise _closed()
            if self._client is None or self._threads is None:
                self._client = httpx2.Client(limits=httpx2.Limits(max_connections=AT_ONCE * 2))
                self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="moderation")
            return self._client, self._threads


class _NotAsked(ModelUnavailable):
    """There was no time to ask: too many texts at once."""


class _Batch:
    """Texts that are judged together: after a failure the rest are not asked about."""

    def __init__(self, moderator: GreenModerator, source: TextSource, deadline: Deadline) -> None:
        self._moderator = moderator
        self._source = source
        self._deadline = deadline
        self._lock = Lock()
        self.failure: ModelError | None = None
        self.calls = 0

    def ask(self, piece: str) -> Verdict | None:
        """The verdict of a piece, or None."""
        if self.failure is not None:
            return None
        try:
            verdict = self._moderator.ask(piece, self._source, self._deadline)
        except ModelError as error:
            self.failure = self.failure or error
            return None
        with self._lock:
            self.calls += 1
        return verdict


def _join(verdicts: Sequence[Verdict | None]) -> Verdict | None:
    """The verdict of a text by those of its pieces: refused for any, unknown where any is, else allowed."""
    known = [verdict for verdict in verdicts if verdict is not None]
    findings = tuple(dict.fromkeys(chain.from_iterable(verdict.findings for verdict in known)))
    if not all(verdict.allowed for verdict in known):
        return Verdict(allowed=False, findings=findings)
    return Verdict(allowed=True, findings=findings) if len(known) == len(verdicts) else None


def _retried(error: ModelError, wait_s: float | None) -> ModelError | Setback:
    """A `Setback` for what may pass, else the error itself."""
    return Setback(error, wait_s=wait_s) if isinstance(error, ModelUnavailable) else error


def _closed() -> ModelUnavailable:
    return ModelUnavailable("the service is closing its connections: repeat the request when it is up again")
