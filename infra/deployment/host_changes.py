"""What a host made of a change: the association of Systems Manager that brings it a release and settings."""

from collections.abc import Mapping
from typing import Any

from infra.deployment.errors import DeploymentError, GivenUp, NotHealthy
from infra.deployment.rollout import Clock
from infra.deployment.sdk import connect

RUNNING = {"", "Pending", "InProgress"}
"""An execution that is not over; what is over and no success is a failure, whatever it is called."""
SUCCESS = "Success"


class HostChange:
    """The association of one host, looked at with two calls that change nothing."""

    def __init__(self, association_id: str, region: str) -> None:
        self._id, self._systems = association_id, connect("ssm", region)

    def await_takeover(self, version: str, clock: Clock, *, limit_s: float, poll_s: float) -> None:
        """Wait until the host serves a version that its association names.

        Raises GivenUp where the host went on as before, NotHealthy after the limit, and DeploymentError where AWS does
        not answer or the association names another version.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see sdk.connect

        end = clock.now_s() + limit_s
        try:
            while (status := self._read_status(version)) != SUCCESS:
                if status not in RUNNING:
                    raise GivenUp(version, status)
                if clock.now_s() >= end:
                    raise NotHealthy(f"version {version}, which its host still tries,", limit_s)
                clock.sleep_s(poll_s)
        except (BotoCoreError, ClientError) as error:
            raise DeploymentError(f"what the host made of version {version} cannot be read: {error}") from error

    def _read_status(self, version: str) -> str:
        """The status of the last execution of the association as it is now, empty before the first."""
        found = self._systems.describe_association(AssociationId=self._id)["AssociationDescription"]
        named = (found.get("Parameters") or {}).get("Version") or [""]
        if named[0] != version:
            raise DeploymentError(f"the association {self._id} brings version {named[0]!r}, not {version!r}")
        pages = self._systems.get_paginator("describe_association_executions").paginate(AssociationId=self._id)
        own = [
            each
            for page in pages
            for each in page["AssociationExecutions"]
            # each change of the parameters is a version of the association
            if each.get("AssociationVersion") == found["AssociationVersion"]
        ]
        return str(max(own, key=_tell_moment).get("Status") or "") if own else ""


def _tell_moment(execution: Mapping[str, Any]) -> Any:
    return execution["CreatedTime"]
