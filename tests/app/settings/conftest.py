"""No settings of the machine's environment."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith(("REME_", "FLOW_", "LLM_", "EMBEDDING_")):
            monkeypatch.delenv(name)
