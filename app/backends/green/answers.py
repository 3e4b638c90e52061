"""Answers of Alibaba Cloud's Content Moderation, read as untrusted text.

Only labels and figures are read: an answer's risk words quote the text. Source: TextModerationPlus of version
2022-03-02, its documentation ("Text Moderation PLUS") and the models of its SDK, read 2026-11.
"""

import json
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.domain.moderation import Finding, Verdict
from app.errors import ModelRefused, ModelUnavailable

RISKS = ("none", "low", "medium", "high")
"""Levels of risk, lowest first. The documentation recommends to block "high" and to have people look at "medium"."""
NOTHING_FOUND = "nonLabel"
"""The label of a text in which nothing was found."""
MOST_FINDINGS = 20

_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PASSING = frozenset({429, 581, 588})
"""Codes that pass, beside 500 to 503: too many calls, a timeout within the service, and its quota a second. The last
two, and 408 below, are as older pages of the service have them; a code that is none of these is not tried again."""
_PASSING_CODES = ("Throttling", "ServiceUnavailable", "InternalError", "InvalidSecurityToken.Expired")
_INACTIVE = 408
"""The account may not use the service: it is not activated, or its bill is overdue."""
_REMEDIES: Mapping[int, str] = {
    400: "check moderation.input_service and moderation.output_service",
    401: "check the key and the machine's clock",
    403: "grant yundun-greenweb:TextModerationPlus to the key's user or role",
    404: "check moderation.region and moderation.endpoint",
    _INACTIVE: "activate Content Moderation for the account, or pay its bill",
}


class Unreadable(Exception):
    """An answer that is not what was asked for; says what, in no words of its text."""


class _Found(BaseModel):
    model_config = ConfigDict(extra="ignore")

    label: str = Field(default="", alias="Label")
    confidence: float | None = Field(default=None, alias="Confidence", allow_inf_nan=False)


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore")

    risk: str = Field(alias="RiskLevel")
    found: list[_Found] = Field(default=[], alias="Result")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    code: int = Field(alias="Code")
    data: _Data | None = Field(default=None, alias="Data")


def read_verdict(body: bytes, *, refuse_from: str, name: str) -> Verdict:
    """The verdict of a body that came with status 200; what has the risk `refuse_from` or a higher one is refused.

    Raises `Unreadable`, `ModelUnavailable` for a code that may pass, or `ModelRefused` for another.
    """
    try:
        answer = _Answer.model_validate(json.loads(body))
    except (ValueError, ValidationError, RecursionError):
        raise Unreadable("is no JSON of the form that was asked for") from None
    if answer.code != 200:
        raise read_refusal(answer.code, "", name=name)
    if answer.data is None or answer.data.risk not in RISKS:
        raise Unreadable("has no level of risk")
    found = tuple(
        Finding(label=each.label, confidence=each.confidence)
        for each in answer.data.found[:MOST_FINDINGS]
        if each.label != NOTHING_FOUND and _LABEL.fullmatch(each.label)
    )
    return Verdict(allowed=RISKS.index(answer.data.risk) < RISKS.index(refuse_from), findings=found)


def read_code(body: bytes) -> str:
    """The code of a refusal, such as "Throttling.User"; empty where it has none that can be shown."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = said.get("Code") if isinstance(said, dict) else None
    return code if isinstance(code, str) and _LABEL.fullmatch(code) else ""


def read_refusal(status: int, code: str, *, name: str) -> ModelUnavailable | ModelRefused:
    """The error that a status, of HTTP or in a body, and a code are."""
    said = f"{name} answered {status}{f' ({code})' if code else ''}"
    if status in _PASSING or status >= 500 or code.startswith(_PASSING_CODES):
        return ModelUnavailable(f"{said}: repeat the request later, or lower moderation.requests_per_minute")
    if 300 <= status < 400:
        return ModelRefused(f"{said}: redirects are not followed, so give the address it leads to as endpoint")
    return ModelRefused(f"{said}: {_REMEDIES.get(status, _REMEDIES[400])}")
