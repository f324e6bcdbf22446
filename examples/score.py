"""Scores one sleep-study recording: how much slower the subject reacts with each night.

python3 score.py FILE scores one file. `brigade dev --once --persistent --exec 'python3 score.py'` scores all samples.
"""

import csv
import json
import math
import sys
from pathlib import Path

# In a clone of this repository the package needs no pip.
sys.path.append(str(Path(__file__).resolve().parent.parent / "clients/python-worker/src"))

from bucket_brigade_worker import Accept, Job, Refuse, serve


def score(job: Job) -> Accept:
    days: list[int] = []
    times: list[float] = []
    with job.path.open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=1):
            try:
                day, time = int(row["day"]), float(row["reaction_ms"])
            except (KeyError, TypeError, ValueError) as error:
                raise Refuse(f"row {number}: {error}", kind="bad-row") from error
            if not math.isfinite(time):
                raise Refuse(f"row {number}: reaction_ms is {time}", kind="bad-row")
            if day in days:
                raise Refuse(f"row {number}: day {day} is there already", kind="day-twice")
            days.append(day)
            times.append(time)

    if len(days) < 2:
        raise Refuse(f"a slope needs two days, and it has {len(days)}", kind="too-few-days")
    slope, intercept = line(days, times)
    found = {"days": len(days), "intercept_ms": intercept, "slope_ms_per_day": slope}
    job.output("score.json").write_text(json.dumps(found, allow_nan=False))
    subject = Path(job.object.name).stem
    return Accept(f"{subject}: {slope:+.2f} ms/day over {len(days)} days", labels={"days": len(days)})


def line(xs: list[int], ys: list[float]) -> tuple[float, float]:
    """Slope and intercept by least squares. `statistics.linear_regression` would need Python 3.10."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)
    return slope, y - slope * x


if __name__ == "__main__":
    serve(score)
