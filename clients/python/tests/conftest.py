"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dev import Dev


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dev]:
    """`brigade dev` with the samples in its inbox; this process has its developer's identity."""
    with Dev(tmp_path) as dev:
        dev.be_its_developer(monkeypatch)
        yield dev
