"""A provider of models on this machine: a real server that speaks OpenAI's HTTP API, for tests."""

from tests.standin.faults import Fault
from tests.standin.scripts import ChatRequest
from tests.standin.server import KEY, ModelServer, model_server

__all__ = ["KEY", "ChatRequest", "Fault", "ModelServer", "model_server"]
