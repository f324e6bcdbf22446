# syntax=docker/dockerfile:1
# A worker with a program of your own: any image that runs it, and one file more. The binary is static, so it needs
# nothing of the image that it is put into. Copy this beside your program, and deploy it with
#
#   worker_args = ["worker", "--exec", "python3 /app/score.py {}"]
ARG BRIGADE=europe-west1-docker.pkg.dev/PROJECT/brigade/brigade:0.1.0

# hadolint ignore=DL3006
FROM ${BRIGADE} AS brigade

FROM python:3.13-slim-bookworm
COPY --from=brigade /usr/local/bin/brigade /usr/local/bin/brigade
WORKDIR /app
COPY score.py .
# Any account but root: the program reads a temporary directory, and needs no more.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/brigade"]
CMD ["worker", "--exec", "python3 /app/score.py {}"]
