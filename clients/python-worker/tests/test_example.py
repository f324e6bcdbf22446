"""examples/score.py, which runs from a clone without pip."""

import runpy
from pathlib import Path
from typing import Any, Callable

import pytest

from bucket_brigade_worker import Refuse, run

ROOT = next(above for above in Path(__file__).resolve().parents if (above / "examples/score.py").exists())


@pytest.fixture
def score() -> Callable[..., Any]:
    function: Callable[..., Any] = runpy.run_path(str(ROOT / "examples/score.py"))["score"]
    return function


def test_the_example_scores_a_sample(score: Callable[..., Any]) -> None:
    result = run(score, ROOT / "samples/sleepstudy/subject-308.csv")
    assert result.summary == "subject-308: +21.76 ms/day over 10 days"


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("0,nan\n1,250", "row 1: reaction_ms is nan"),
        ("0,250\n1,inf", "row 2: reaction_ms is inf"),
        ("0,250\n1,1e999", "row 2: reaction_ms is inf"),
        ("0,250", "a slope needs two days, and it has 1"),
        ("", "a slope needs two days, and it has 0"),
        ("0,250\n0,260", "row 2: day 0 is there already"),
        ("0,x", "row 1: could not convert string to float"),
    ],
)
def test_the_example_refuses_figures_without_a_slope(
    score: Callable[..., Any], tmp_path: Path, rows: str, reason: str
) -> None:
    file = tmp_path / "night.csv"
    file.write_text(f"day,reaction_ms\n{rows}\n")
    with pytest.raises(Refuse) as refused:
        run(score, file)
    assert refused.value.reason.startswith(reason)
