"""Whether there is a Qdrant server to hold to the contract; without one the engine and the stand-ins are."""

import os

import pytest

from tests.app.indexes.backends import FACTORIES
from tests.app.indexes.qdrant_backends import SERVER, open_server

NO_SERVER = f"{SERVER} names no Qdrant server, and none can be installed from package registries"


@pytest.mark.skipif(SERVER not in os.environ, reason=NO_SERVER)
def test_a_server_is_held_to_the_contract(request: pytest.FixtureRequest) -> None:
    index = open_server(request, "reachable")
    index.drop()
    index.close()
    assert "qdrant_server" in FACTORIES
