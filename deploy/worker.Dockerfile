# syntax=docker/dockerfile:1
# A worker with your own program: any image that runs it, and one more file. The `brigade` binary is static, so it needs nothing from
# that image. FOLDER holds the program, here score.py, and a requirements.txt if it has requirements:
#
#   docker build --platform linux/amd64 -f deploy/worker.Dockerfile --build-arg BRIGADE="$IMAGE" -t "$WORKER_IMAGE" FOLDER
#
# IMAGE is the image of deploy/Dockerfile. Another name than score.py goes into the last line. Deploy it with
#
#   worker_args = ["worker", "--exec", "python3 /app/score.py {}"]
ARG BRIGADE=brigade

# hadolint ignore=DL3006
FROM ${BRIGADE} AS brigade

# By tag; `docker buildx imagetools inspect python:3.13-slim-bookworm --format '{{.Manifest.Digest}}'` prints its digest.
FROM python:3.13-slim-bookworm
WORKDIR /app
# The brackets make it a pattern, so that a program without requirements builds too.
COPY requirements.tx[t] ./
RUN if [ -e requirements.txt ]; then pip install --no-cache-dir --requirement requirements.txt; fi
COPY --from=brigade /usr/local/bin/brigade /usr/local/bin/brigade
# python:slim has CA certificates, which Google's APIs need. An image without them: `apt-get install ca-certificates`, or
#   COPY --from=brigade /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY *.py ./
# The user has no home; libraries such as matplotlib and numba write below HOME.
ENV HOME=/tmp PYTHONUNBUFFERED=1
# Not root: the program only needs a temporary directory.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/brigade"]
CMD ["worker", "--exec", "python3 /app/score.py {}"]
