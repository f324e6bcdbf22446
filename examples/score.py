"""Scores one sleep-study recording: how much slower the subject reacts with each night.

Exit 0 accepts the file, 75 asks for another try, anything else refuses it: the last lines of stderr are the reason.
"""
import csv, json, os, statistics, sys

days, times = [], []
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        try:
            day, time = int(row["day"]), float(row["reaction_ms"])
        except (KeyError, TypeError, ValueError) as error:
            sys.exit(f"row {len(days) + 1}: {error}")
        if day in days:
            sys.exit(f"row {len(days) + 1}: day {day} is there already")
        days.append(day)
        times.append(time)

fit = statistics.linear_regression(days, times)
name = os.path.splitext(os.path.basename(os.environ["OBJECT_NAME"]))[0]
with open(os.path.join(os.environ["OUTPUT_DIR"], "score.json"), "w") as file:
    json.dump({"days": len(days), "intercept_ms": fit.intercept, "slope_ms_per_day": fit.slope}, file)
print(f"{name}: {fit.slope:+.2f} ms/day over {len(days)} days")
