"""A Flask service for gunicorn. It checks no token, which the other workers do."""

from flask import Flask, request
from storage import process

app = Flask(__name__)


@app.post("/")
def score() -> tuple[str, int]:
    file = request.json
    try:
        return process(file["bucket"], file["name"], int(file["generation"])), 200
    except Exception as error:
        return str(error), 500
