"""The worker of the article: a Flask service on Cloud Run.

It takes {"bucket": ..., "name": ...}, reads the object with Google's client, processes it, and answers 200, or 500 when it
cannot. The front end has checked the caller; nothing here reads a token.
"""

import json
import os

from flask import Flask, request
from google.cloud import storage

app = Flask(__name__)
client = storage.Client()


@app.post("/")
def process():
    body = request.get_json()
    bucket, name = client.bucket(body["bucket"]), body["name"]
    try:
        features = features_of(bucket.blob(name).download_as_text())
        write(bucket, name, features)
    except Exception as error:
        app.logger.warning("cannot process %s: %s", name, error)
        return f"cannot process {name}: {error}", 500
    return features


def features_of(recording):
    """The straight line through a subject's reaction times, day by day."""
    header, *lines = recording.splitlines()
    if header != "day,reaction_ms":
        raise ValueError(f"the header is {header!r}")
    points = {}
    for number, line in enumerate(lines, start=2):
        day, reaction = line.split(",")
        if int(day) in points:
            raise ValueError(f"line {number}: day {day} stands there twice")
        points[int(day)] = float(reaction)
    days = len(points)
    mean_day, mean = sum(points) / days, sum(points.values()) / days
    products = sum((day - mean_day) * (reaction - mean) for day, reaction in points.items())
    slope = products / sum((day - mean_day) ** 2 for day in points)
    return {"days": days, "intercept_ms": mean - slope * mean_day, "slope_ms_per_day": slope}


def write(bucket, name, features):
    stem = name.rsplit("/", 1)[-1].removesuffix(".csv")
    blob = bucket.blob(f"features/{stem}.json")
    blob.upload_from_string(json.dumps(features), content_type="application/json")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ["PORT"]))
