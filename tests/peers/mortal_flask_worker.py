"""A Flask service whose process ends at one file, as it does when the memory is used up."""

import os
import signal

from flask import Flask, request

app = Flask(__name__)


@app.post("/")
def process():
    if "takes-all-memory" in request.json["name"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return "ok"


if __name__ == "__main__":
    app.run("127.0.0.1", int(os.environ["PORT"]), threaded=True)
