"""The script for `--exec`, with `--persistent` and without."""

from bucket_brigade_worker import Job, serve
from features import features


def score(job: Job) -> str:
    return features(job.path, job.output("summary.csv"))


if __name__ == "__main__":
    serve(score)
