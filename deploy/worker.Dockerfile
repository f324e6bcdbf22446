# syntax=docker/dockerfile:1
# A worker with your own program: any image that runs it, and one more file. The binary is static, so it needs
# nothing from that image. Copy this file beside your program, and deploy it with
#
#   worker_args = ["worker", "--exec", "python3 /app/score.py {}"]
ARG BRIGADE=europe-west1-docker.pkg.dev/PROJECT/brigade/brigade:0.1.0

# hadolint ignore=DL3006
FROM ${BRIGADE} AS brigade

FROM python:3.13-slim-bookworm
COPY --from=brigade /usr/local/bin/brigade /usr/local/bin/brigade
WORKDIR /app
COPY score.py .
# Not root: the program only reads a temporary directory.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/brigade"]
CMD ["worker", "--exec", "python3 /app/score.py {}"]
