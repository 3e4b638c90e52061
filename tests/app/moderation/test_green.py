"""The client of Green on the wire: signatures, long texts, risks, and what goes wrong."""

from time import monotonic

import pytest

from app.backends.green import AccessKey, SettledKey
from app.backends.green.pieces import cut_pieces
from app.backends.green.signature import sign
from app.domain.moderation import TextSource, Verdict
from app.errors import MalformedAnswer, ModelError, ModelRefused, ModelTimeout, ModelUnavailable
from tests.app.moderation.conftest import MakeGreen
from tests.app.moderation.green_server import KEY_ID, KEY_SECRET, TOKEN, Fault, GreenServer

INPUT = TextSource.INPUT


def test_the_signature_is_that_of_the_documentation() -> None:
    # "Request syntax and signature method V3", example with fixed parameters.
    headers = sign(
        AccessKey(id="YourAccessKeyId", secret="YourAccessKeySecret"),  # noqa: S106
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        date="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
        query={"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
    )
    assert headers["authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_a_text_reaches_the_service_of_its_source(make_green: MakeGreen, server: GreenServer) -> None:
    text = "weather & news = 100% 天气 + 🍵"
    green = make_green()
    for source in TextSource:
        assert green.judge([text], source=source).verdicts == (Verdict(allowed=True),)
    assert server.texts == [("llm_query_moderation", text), ("llm_response_moderation", text)]
    assert server.rejected == []


def test_a_role_s_key_is_signed_with_its_token(make_green: MakeGreen, server: GreenServer) -> None:
    server.token = TOKEN
    keys = SettledKey(AccessKey(id=KEY_ID, secret=KEY_SECRET, session_token=TOKEN))
    assert make_green(keys).judge(["tea"], source=INPUT).failure is None
    assert make_green().judge(["tea"], source=INPUT).failure is not None


def test_a_wrong_key_is_refused_without_being_shown(make_green: MakeGreen, server: GreenServer) -> None:
    wrong = "not-the-secret"
    green = make_green(SettledKey(AccessKey(id=KEY_ID, secret=wrong)))
    failure = green.judge(["tea"], source=INPUT).failure
    assert isinstance(failure, ModelRefused)
    assert "403 (SignatureDoesNotMatch)" in failure.message
    assert wrong not in failure.message
    assert server.calls == 1
    assert wrong not in repr(AccessKey(id=KEY_ID, secret=wrong, session_token=wrong))


@pytest.mark.parametrize(
    ("risk", "refuse_from", "allowed"),
    [
        ("low", "low", False),
        ("low", "medium", True),
        ("medium", "medium", False),
        ("medium", "high", True),
        ("high", "high", False),
    ],
)
def test_risk_decides(make_green: MakeGreen, server: GreenServer, risk: str, refuse_from: str, allowed: bool) -> None:
    server.dislike("knife", label="violent_weapons", risk=risk, confidence=61.0)
    judged = make_green(refuse_from=refuse_from).judge(["a knife", "a spoon"], source=INPUT)
    knife, spoon = judged.verdicts
    assert knife is not None
    assert (knife.allowed, knife.labels, knife.findings[0].confidence) == (allowed, ("violent_weapons",), 61.0)
    assert spoon == Verdict(allowed=True)


def test_labels_that_are_no_labels_are_not_repeated(make_green: MakeGreen, server: GreenServer) -> None:
    server.dislike("knife", label="the text says: knife")
    assert make_green().judge(["a knife"], source=INPUT).verdicts == (Verdict(allowed=False),)


def test_a_long_text_is_judged_in_pieces_that_overlap(make_green: MakeGreen, server: GreenServer) -> None:
    server.dislike("bomb")
    # The word lies across the first edge.
    text = "x" * 1998 + "bomb" + "y" * 3000
    judged = make_green().judge(["fine", text], source=INPUT)
    assert [verdict and verdict.allowed for verdict in judged.verdicts] == [True, False]
    assert judged.calls == len(server.texts) == 4
    assert server.rejected == []


def test_pieces_cover_a_text_within_the_limit() -> None:
    for length in (1, 1999, 2000, 2001, 3800, 3801, 12_345):
        text = "".join(chr(97 + number % 26) for number in range(length))
        pieces = cut_pieces(text, 2000)
        assert max(map(len, pieces)) <= 2000
        assert pieces[0] + "".join(piece[200:] for piece in pieces[1:]) == text
    assert all(len(piece.encode("utf-16-le")) <= 4000 for piece in cut_pieces("🍵" * 5000, 2000))


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize(
    "fault",
    [
        Fault.DROP,
        Fault.THROTTLED,
        Fault.TOO_MANY,
        Fault.SERVER_ERROR,
        Fault.BUSY_WITHIN,
        Fault.NOT_JSON,
        Fault.NO_LEVEL,
        Fault.NO_DATA,
    ],
)
def test_what_may_pass_is_tried_again(make_green: MakeGreen, server: GreenServer, fault: Fault) -> None:
    server.faults.extend([fault, fault])
    judged = make_green().judge(["tea"], source=INPUT)
    assert judged.verdicts == (Verdict(allowed=True),)
    assert (judged.calls, server.calls, server.rejected) == (1, 3, [])


@pytest.mark.usefixtures("without_waits")
@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        (Fault.THROTTLED, ModelUnavailable, 5),
        (Fault.SERVER_ERROR, ModelUnavailable, 5),
        (Fault.NO_LEVEL, MalformedAnswer, 3),
        (Fault.FLOOD, MalformedAnswer, 3),
        (Fault.INACTIVE, ModelRefused, 1),
        (Fault.REDIRECT, ModelRefused, 1),
    ],
)
def test_what_stays_is_told(
    make_green: MakeGreen, server: GreenServer, fault: Fault, error: type[ModelError], calls: int
) -> None:
    server.always = fault
    judged = make_green().judge(["tea", ""], source=INPUT)
    assert isinstance(judged.failure, error)
    assert judged.verdicts == (None, Verdict(allowed=True))
    assert (judged.calls, server.calls) == (0, calls)
    assert "tea" not in judged.failure.message


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.TRICKLE])
def test_what_never_ends_is_given_up_at_the_deadline(make_green: MakeGreen, server: GreenServer, fault: Fault) -> None:
    green = make_green(deadline_s=2.0)
    green.judge(["milk"], source=INPUT)  # the first call opens the client, which takes time of its own
    server.always = fault
    began = monotonic()
    judged = green.judge(["tea"], source=INPUT)
    assert isinstance(judged.failure, ModelTimeout)
    assert monotonic() - began < 30.0, "before an attempt, or the body, would have ended by itself"


@pytest.mark.usefixtures("without_waits")
def test_nobody_there_is_told(make_green: MakeGreen) -> None:
    judged = make_green(address="http://127.0.0.1:9").judge(["tea"], source=INPUT)
    assert isinstance(judged.failure, ModelUnavailable)


@pytest.mark.usefixtures("without_waits")
def test_after_an_outage_nobody_asks_for_a_while(make_green: MakeGreen, server: GreenServer) -> None:
    green = make_green(rest_s=600.0)
    server.always = Fault.SERVER_ERROR
    assert green.judge(["tea"], source=INPUT).failure is not None
    asked, server.always = server.calls, None
    assert isinstance(green.judge(["tea"], source=INPUT).failure, ModelUnavailable)
    assert server.calls == asked


@pytest.mark.usefixtures("without_waits")
def test_a_text_that_does_not_read_stops_nobody_else(make_green: MakeGreen, server: GreenServer) -> None:
    green = make_green(rest_s=600.0)
    server.faults.extend([Fault.NOT_JSON] * 3)
    assert isinstance(green.judge(["tea"], source=INPUT).failure, MalformedAnswer)
    assert green.judge(["tea"], source=INPUT).failure is None


def test_a_refused_piece_refuses_its_text_though_others_failed(make_green: MakeGreen, server: GreenServer) -> None:
    server.dislike("bomb")
    green = make_green(requests_per_minute=1, deadline_s=30.0)
    judged = green.judge(["bomb " * 700], source=INPUT)
    assert judged.failure is not None
    assert [verdict and verdict.allowed for verdict in judged.verdicts] == [False]
    assert judged.calls == 1
    # That we may not ask so often is no outage.
    assert "requests a minute" in judged.failure.message


def test_nothing_is_asked_after_the_end(make_green: MakeGreen, server: GreenServer) -> None:
    green = make_green()
    green.close()
    judged = green.judge(["tea"], source=INPUT)
    assert (judged.verdicts, server.calls) == ((None,), 0)
    assert isinstance(judged.failure, ModelUnavailable)
