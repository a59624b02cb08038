"""Settings for the tests of clients."""

from __future__ import annotations

import pytest
from perpetuo_client import scheduler


@pytest.fixture
def patient_player(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes are played however late they are: a busy machine must not fail a test."""
    monkeypatch.setattr(scheduler, "STALE", 60_000_000)
