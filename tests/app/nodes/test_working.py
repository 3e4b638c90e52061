"""Working memory: a text that one node took out of a conversation is read, and removed, on the other."""

import pytest

from tests.app.api.test_working import LIMITS, LOG, SAID, post
from tests.app.nodes.conftest import Nodes

pytestmark = pytest.mark.xdist_group("postgres")

OFFLOADS = "/v1/workspaces/default/offloads"


def test_a_text_that_one_node_took_out_is_read_and_removed_on_the_other(nodes: Nodes) -> None:
    one, other = nodes
    post(one, "/v1/workspaces/default/working:compact", messages=SAID, **LIMITS)
    (offload,) = other.get(OFFLOADS).json()["items"]
    path = f"{OFFLOADS}/{offload['id']}"
    assert other.get(f"{path}/text").content.decode() == LOG
    post(other, "/v1/workspaces/default/working:compact", messages=SAID, **LIMITS)
    assert len(one.get(OFFLOADS).json()["items"]) == 1
    assert other.delete(path).status_code in (200, 204)
    assert one.get(path).status_code == 404
    assert one.get(f"{path}/text").status_code == 404
