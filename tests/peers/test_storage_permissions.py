"""Google's Python client by the machine's own account: google-auth finds the metadata server, and roles are kept."""

import json
import sys

from running import Emulator, Process

BUCKET = "brigade-dev"

# In a process of its own: google-auth reads where the metadata server is when it is imported.
SCRIPT = """
import json, os
import google.auth
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import storage

endpoint = os.environ.pop("STORAGE_EMULATOR_HOST")
credentials, project = google.auth.default()
client = storage.Client(project, credentials, client_options={"api_endpoint": endpoint})
bucket = client.bucket("brigade-dev")

def outcome(call):
    try:
        call()
    except GoogleAPICallError as error:
        return error.code
    return 200

print(json.dumps({
    "project": project,
    "list": outcome(lambda: list(bucket.list_blobs(prefix="incoming/"))),
    "list elsewhere": outcome(lambda: list(bucket.list_blobs())),
    "create": outcome(lambda: bucket.blob("incoming/a").upload_from_string(b"a", if_generation_match=0)),
    "create elsewhere": outcome(lambda: bucket.blob("a").upload_from_string(b"a", if_generation_match=0)),
    "overwrite": outcome(lambda: bucket.blob("incoming/a").upload_from_string(b"b")),
    "get": outcome(lambda: bucket.blob("incoming/a").download_as_bytes()),
    "move": outcome(lambda: bucket.move_blob(bucket.blob("incoming/a"), "incoming/b", if_generation_match=0)),
    "delete": outcome(lambda: bucket.blob("incoming/a").delete()),
}))
"""


def test_a_role_lets_its_account_do_what_it_says_and_nothing_else():
    role = "poller=list,get,create,move@incoming/"
    with Emulator("--memory", "--bucket", BUCKET, "--role", role) as google:
        with Process([sys.executable, "-c", SCRIPT], env=google.env) as script:
            outcomes = json.loads(script.line(timeout=60))
    assert outcomes == {
        "project": "brigade-dev",
        "list": 200,
        "list elsewhere": 403,
        "create": 200,
        "create elsewhere": 403,
        "overwrite": 403,
        "get": 200,
        "move": 200,
        "delete": 403,
    }
