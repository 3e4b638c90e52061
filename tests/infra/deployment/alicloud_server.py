"""Alibaba Cloud as far as a deployment asks it, over HTTP: a balancer's servers and figures, and a registry's tags.

Each call's signature is checked by an implementation of its own, and so are action, version and path.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

from tests.infra.service.machine.alicloud import check_signature

KEY_ID, KEY_SECRET, TOKEN = "LTAI-standin", "secret-of-the-standin", "token/of+a=role"
USER, PASSWORD = "cr_temp_user", "password-of-an-hour"
GROUP, BALANCER, LISTENER = "sgp-green", "alb-one", "lsn-https"
BALANCING, MONITORING, REGISTRY = "2020-06-16", "2019-01-01", "2016-06-07"
TAGS_PATH = re.compile(r"/repos/[a-z0-9_-]+/[a-z0-9_-]+/tags")


@dataclass(eq=False)
class AlicloudServer:
    """`servers` are those of GROUP with their status in it, `wrong` what the health check says of some; `figures` the
    values of a metric by minute, in ms of the epoch. `behind` is the balancer, `ruled` whether a rule of the listener
    has the group, and not the listener itself; `known` whether either has. `tags` are those of any
    repository, of which `repository` was asked for last. `failures` are statuses and codes of the
    next calls; `asked` the actions that were answered, `refused` why calls were not."""

    address: str = ""
    token: str = ""
    servers: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    figures: dict[str, dict[int, float]] = field(default_factory=dict)
    behind: str = BALANCER
    ruled: bool = True
    known: bool = True
    tags: list[str] = field(default_factory=list)
    repository: str = ""
    failures: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    page: int = 2
    elsewhere: str = ""

    def answer(self, action: str, version: str, path: str, asked: dict[str, str]) -> dict[str, Any] | None:
        """The answer of an action; None where there is no such one."""
        match version, path, action:
            case (_, "/", "ListServerGroups") if version == BALANCING:
                related = [self.behind] if self.behind and asked["ServerGroupIds.1"] == GROUP else []
                return {"ServerGroups": [{"ServerGroupId": GROUP, "RelatedLoadBalancerIds": related}]}
            case (_, "/", "ListServerGroupServers") if version == BALANCING:
                found = [{"ServerId": each, "Port": 8002, "Status": status} for each, status in self.servers.items()]
                return self._cut("Servers", found, asked)
            case (_, "/", "ListListeners") if version == BALANCING and asked["LoadBalancerIds.1"] == BALANCER:
                return {"Listeners": [{"ListenerId": "lsn-http"}, {"ListenerId": LISTENER}]}
            case (_, "/", "GetListenerHealthStatus") if version == BALANCING and int(asked["MaxResults"]) <= 30:
                return self._tell_health(asked)
            case (_, "/", "DescribeMetricList") if version == MONITORING:
                return self._measure(asked)
            case (_, "/tokens", "GetAuthorizationToken") if version == REGISTRY:
                return {"data": {"tempUserName": USER, "authorizationToken": PASSWORD, "expireDate": 1}}
            case (_, _, "GetRepoTags") if version == REGISTRY and TAGS_PATH.fullmatch(path):
                self.repository = path.removeprefix("/repos/").removesuffix("/tags")
                begin = (int(asked["Page"]) - 1) * self.page
                found = [{"tag": each, "status": "NORMAL"} for each in self.tags[begin : begin + self.page]]
                return {"data": {"total": len(self.tags), "page": int(asked["Page"]), "tags": found}}
        return None

    def _cut(self, name: str, found: list[Any], asked: dict[str, str]) -> dict[str, Any]:
        begin = int(asked.get("NextToken", 0))
        rest = {"NextToken": str(begin + self.page)} if begin + self.page < len(found) else {}
        return {name: found[begin : begin + self.page], **rest}

    def _tell_health(self, asked: dict[str, str]) -> dict[str, Any]:
        if asked["ListenerId"] != LISTENER:
            return {"ListenerHealthStatus": [{"ListenerId": asked["ListenerId"], "ServerGroupInfos": []}]}
        wrong = [{"ServerId": each, "Port": 8002, "Status": status} for each, status in self.wrong.items()]
        group = {"ServerGroupId": GROUP, "HealthCheckEnabled": "on", "NonNormalServers": wrong}
        other = {"ServerGroupId": "sgp-blue", "NonNormalServers": [{"ServerId": "i-blue", "Status": "Unhealthy"}]}
        own = [group] if self.known else []
        at_listener, at_rule = ([other], own) if self.ruled else ([other, *own], [])
        rules = [{"RuleId": "rule-edge", "ServerGroupInfos": at_rule}] if asked.get("IncludeRule") == "true" else []
        return {
            "ListenerHealthStatus": [{"ListenerId": LISTENER, "ServerGroupInfos": at_listener}],
            "RuleHealthStatus": rules,
        }

    def _measure(self, asked: dict[str, str]) -> dict[str, Any]:
        wanted = [{"loadBalancerId": BALANCER, "serverGroupId": GROUP}]
        assert (asked["Namespace"], asked["Period"], json.loads(asked["Dimensions"])) == ("acs_alb", "60", wanted)
        begin, end = int(asked["StartTime"]), int(asked["EndTime"])
        found = [
            {"timestamp": moment, "userId": "1", "serverGroupId": GROUP, "Value": value}
            for moment, value in self.figures.get(asked["MetricName"], {}).items()
            if begin < moment <= end
        ]
        return {"Code": "200", "Success": True, "Datapoints": json.dumps(found)}


class _Handler(BaseHTTPRequestHandler):
    server_state: ClassVar[AlicloudServer]

    def do_GET(self) -> None:
        state, parts = self.server_state, urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        if state.elsewhere:
            self._send(307, {}, {"Location": state.elsewhere})
            return
        if state.failures:
            status, code = state.failures.pop(0)
            self._send(status, {"Code": code, "Message": "see the code"})
            return
        reason = check_signature((KEY_ID, KEY_SECRET), parts.query, headers, path=parts.path)
        if not reason and headers.get("x-acs-security-token", "") != state.token:
            reason = "InvalidSecurityToken.Malformed"
        action = headers.get("x-acs-action", "")
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        found = None if reason else state.answer(action, headers["x-acs-version"], parts.path, asked)
        if found is None:
            reason = reason or "InvalidAction.NotFound"
            state.refused.append(reason)
            self._send(403, {"Code": reason, "Message": f"{KEY_SECRET} is not to be shown"})
            return
        state.asked.append(action)
        self._send(200, found)

    def _send(self, status: int, found: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(found).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serve_alicloud() -> Iterator[AlicloudServer]:
    """A server on a free port."""
    state = AlicloudServer()
    handler = type("Handler", (_Handler,), {"server_state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
