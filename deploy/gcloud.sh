#!/usr/bin/env bash
# Deploys Bucket Brigade with gcloud: the bucket, four service accounts, the roles, the two services and the schedule.
# The same resources as deploy/terraform/. It can be run again: it keeps or updates what exists.
#
#   deploy/gcloud.sh --project P --region R --bucket B --image I [options]
#
#   --project P         the project's ID
#   --region R          the region of everything
#   --bucket B          the bucket's name; made when it does not exist
#   --image I           the image that deploy/Dockerfile builds
#   --worker-image I    the worker's image, when it differs
#   --worker-args A     the worker's arguments, separated by commas [worker]
#   --name N            the prefix of every name [brigade]
#   --schedule S        in cron's format [* * * * *]
#   --time-zone Z       of the schedule [Etc/UTC]
#   --auth MODE         platform: Cloud Run checks who may call the poller; verify: the poller does [platform]
#   --readers A         service accounts that may see status and failed files, separated by commas
#   --operators A       service accounts that may also move failed files back, separated by commas
#   --uploaders A       who may put files into the inbox, separated by commas: user:…, group:… or serviceAccount:…
#   --uploaders-may-replace   let them upload over a file that still waits, which takes the right to delete
#   --worker-memory M   of one instance, such as 1Gi; half of it is for four files at work [1Gi]
#   --worker-secrets S  environment variables from Secret Manager, NAME=SECRET:VERSION separated by commas
#   --labels L          of the services, KEY=VALUE separated by commas
#   --suffix S          of roles and queue: another one each time a removed deployment is made again, because Google keeps
#                       the names of removed roles for up to 37 days and of removed queues for up to 3
#   --show-outputs      let the poller look at the worker's outputs, for `brigade failed show`
#   --events            announce each new file by Pub/Sub as well
#   --tasks             make one Cloud Task per file, in place of calling the worker directly
#   --number N          the project's number, to save a call
#   --dry-run           print every command and run none
set -euo pipefail

name=brigade project='' region='' bucket='' image='' worker_image='' worker_args=worker number=''
schedule='* * * * *' time_zone=Etc/UTC auth=platform readers='' operators='' uploaders='' uploaders_may_replace='' worker_memory=1Gi worker_secrets='' labels='' suffix='' show_outputs='' events='' tasks='' dry=''

usage() { sed -n '2,/^set -euo/p' "$0" | sed -e '/^set -euo/d' -e 's/^# \{0,1\}//'; }
wrong() {
    printf 'error: %s\n\n' "$1" >&2
    usage >&2
    exit 64
}

while [ $# -gt 0 ]; do
    case $1 in
    --project | --region | --bucket | --image | --worker-image | --worker-args | --name | --schedule | --time-zone | --auth | --readers | --operators | --uploaders | \
        --worker-memory | --worker-secrets | --labels | --suffix | --number)
        [ $# -gt 1 ] || wrong "$1 needs a value"
        key=${1#--}
        printf -v "${key//-/_}" %s "$2"
        shift 2
        ;;
    --events | --tasks) printf -v "${1#--}" yes && shift ;;
    --show-outputs) show_outputs=yes && shift ;;
    --uploaders-may-replace) uploaders_may_replace=yes && shift ;;
    --dry-run) dry=yes && shift ;;
    --help | -h) usage && exit 0 ;;
    *) wrong "unknown option $1" ;;
    esac
done
for needed in project region bucket image; do
    [ -n "${!needed}" ] || wrong "--$needed is missing"
done
[[ $name =~ ^[a-z]([a-z0-9-]{0,14}[a-z0-9])?$ ]] || wrong "--name $name: at most 16 lower-case letters, digits and hyphens"
[[ $auth == platform || $auth == verify ]] || wrong "--auth $auth: platform or verify"
[[ $bucket =~ ^[a-z0-9][a-z0-9._-]+[a-z0-9]$ ]] || wrong "--bucket $bucket: the name alone, without gs:// and without a prefix"
[[ $region =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || wrong "--region $region: one region, such as europe-west1"
[[ $readers$operators != *:* ]] || wrong "--readers and --operators take emails alone, without serviceAccount:"
[[ -z $suffix || $suffix =~ ^[a-z0-9]{1,16}$ ]] || wrong "--suffix $suffix: at most 16 lower-case letters and digits"
[[ $worker_memory =~ ^([1-9][0-9]*)(Mi|Gi)$ ]] || wrong "--worker-memory $worker_memory: a whole number of Mi or Gi"
# /tmp is memory on Cloud Run: half of it is for the four files in process, and half for the program.
max_size=$((BASH_REMATCH[1] * 1024 / 8))
[ "${BASH_REMATCH[2]}" = Gi ] || max_size=$((BASH_REMATCH[1] / 8))
worker_image=${worker_image:-$image}
queue=$name-files${suffix:+-$suffix}

# Prints a command in a shell's syntax, and runs it unless this is a dry run. What is new is not known everywhere at once: a
# command that misses an account, a role or an API is tried again for two minutes.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
run() {
    local left
    printf '+'
    printf ' %q' "$@"
    printf '\n'
    [ -z "$dry" ] || return 0
    for left in {12..0}; do
        if { "$@" 2>&1 >&3 | tee "$said" >&2; } 3>&1; then return 0; fi
        grep -qiE 'does not exist|not found|has not been used' "$said" || return 1
        [ "$left" -gt 0 ] || return 1
        printf '  not known everywhere yet: trying again in 10 s\n'
        sleep 10
    done
}

# Runs the second command when the first finds nothing. A dry run finds nothing, and prints both.
unless() {
    local look=$1
    shift
    if [ -n "$dry" ]; then
        printf '? %s\n' "$look"
        run "$@"
    elif bash -c "$look" >/dev/null 2>&1; then
        printf '= exists: %s\n' "$look"
    else
        run "$@"
    fi
}

g() { run gcloud "$@" --project="$project" --quiet; }
q() { printf 'gcloud %s --project=%q' "$1" "$project"; }

if [ -z "$number" ]; then
    if [ -n "$dry" ]; then
        number=PROJECT_NUMBER
    else
        number=$(gcloud projects describe "$project" --format='value(projectNumber)')
    fi
fi

# A service's URL is known before the service exists.
poller=$name-poller worker=$name-worker
poller_url=https://$poller-$number.$region.run.app
worker_url=https://$worker-$number.$region.run.app
account() { printf '%s-%s@%s.iam.gserviceaccount.com' "$name" "$1" "$project"; }
callers=$(account scheduler)
[ -z "$events$tasks" ] || callers=$callers,$(account pusher)

printf '# What the project must have switched on\n'
apis=(artifactregistry cloudscheduler iam iamcredentials logging monitoring run storage)
[ -z "$events" ] || apis+=(pubsub)
[ -z "$tasks" ] || apis+=(cloudtasks)
[ -z "$worker_secrets" ] || apis+=(secretmanager)
g services enable "${apis[@]/%/.googleapis.com}"

printf '\n# Four identities without a key\n'
for who in scheduler poller worker pusher; do
    unless "$(q "iam service-accounts describe $(account $who)")" \
        gcloud iam service-accounts create "$name-$who" --display-name="Bucket Brigade: $who" --project="$project" --quiet
done

printf '\n# The bucket\n'
unless "$(q "storage buckets describe gs://$bucket")" \
    gcloud storage buckets create "gs://$bucket" --location="$region" --uniform-bucket-level-access \
    --public-access-prevention --soft-delete-duration=7d --project="$project" --quiet

printf '\n# Who may do what in it: conditions name objects by their prefix; a listing is asked of the whole bucket\n'
role() { # role NAME TITLE PERMISSIONS
    local id=${name//-/_}_$1${suffix:+_$suffix}
    unless "$(q "iam roles describe $id")" \
        gcloud iam roles create "$id" --title="Bucket Brigade: $2" --permissions="$3" --stage=GA --project="$project" --quiet
    g iam roles update "$id" --title="Bucket Brigade: $2" --permissions="$3" --stage=GA
}
role list 'list' storage.objects.list
role take 'take from the inbox' storage.objects.get,storage.objects.update,storage.objects.move
role place 'place' storage.objects.create,storage.objects.get
role replace 'replace' storage.objects.create,storage.objects.delete,storage.objects.get
role read 'read' storage.objects.get

below() { # below PREFIX...: a condition on names
    local expression='' prefix
    for prefix in "$@"; do
        expression+="${expression:+ || }resource.name.startsWith(\"projects/_/buckets/$bucket/objects/$prefix\")"
    done
    printf '%s' "$expression"
}
grant() { # grant ACCOUNT|MEMBER ROLE CONDITION
    local member=$1
    [[ $member == *:* ]] || member=serviceAccount:$(account "$1")
    g storage buckets add-iam-policy-binding "gs://$bucket" --member="$member" \
        --role="projects/$project/roles/${name//-/_}_$2${suffix:+_$suffix}" --condition="$3"
}
grant poller list None
grant poller take "title=the inbox,expression=$(below incoming/)"
grant poller place "title=where settled files go,expression=$(below processed/ failed/)"
grant poller replace "title=the lease,expression=$(below .brigade/)"
if [ -n "$operators" ]; then
    role put_back 'put back' storage.objects.create,storage.objects.move
    grant poller put_back "title=replays,expression=$(below failed/ incoming/)"
fi
[ -z "$show_outputs" ] || grant poller read "title=outputs,expression=$(below features/)"
# Who may not list is answered 403 in place of 404 for a file that was replaced.
grant worker list None
grant worker read "title=the inbox,expression=$(below incoming/)"
grant worker replace "title=its outputs,expression=$(below features/)"
# No uploader may update: the poller's marks on a file are metadata.
if [ -n "$uploaders" ]; then
    role upload 'upload' "storage.objects.create${uploaders_may_replace:+,storage.objects.delete}"
    for member in ${uploaders//,/ }; do
        grant "$member" upload "title=the inbox,expression=$(below incoming/)"
    done
fi
secrets=()
if [ -n "$worker_secrets" ]; then
    for secret in ${worker_secrets//,/ }; do
        secret=${secret#*=}
        g secrets add-iam-policy-binding "${secret%%:*}" --member="serviceAccount:$(account worker)" \
            --role=roles/secretmanager.secretAccessor --condition=None
    done
    secrets=(--set-secrets="$worker_secrets")
fi

printf '\n# The worker, and then the poller, which calls it\n'
probe() { printf 'grpc.port=8080,grpc.service=brigade.v1.%sService,periodSeconds=%s,timeoutSeconds=%s,failureThreshold=%s' "$@"; }
service() { # service NAME IMAGE ARGS ROLE KIND CONCURRENCY MAX MEMORY ENV IAM-CHECK [FLAG...]
    g run deploy "$1" --region="$region" --image="$2" --args="$3" --service-account="$(account "$4")" \
        --use-http2 --port=8080 --cpu=1 --memory="$8" --cpu-boost --concurrency="$6" --timeout=660 \
        --min-instances=0 --max-instances="$7" --ingress=all \
        --startup-probe="$(probe "$5" 1 1 60)" --liveness-probe="$(probe "$5" 30 5 3)" \
        --set-env-vars="$9" "${@:10}" ${labels:+--labels="$labels"} --no-allow-unauthenticated
}
# ^;^ makes the semicolon the separator, since callers are separated by commas.
service "$worker" "$worker_image" "$worker_args" worker Worker 4 10 "$worker_memory" \
    "^;^BRIGADE_OUTPUT=gs://$bucket/features/;BRIGADE_AUDIENCE=$worker_url;BRIGADE_ALLOWED_CALLERS=$(account poller);BRIGADE_AUTH=verify;BRIGADE_CONCURRENCY=4;BRIGADE_PROCESS_TIMEOUT=600s;BRIGADE_MAX_SIZE=${max_size}MiB" \
    --invoker-iam-check ${secrets[@]+"${secrets[@]}"}
settings="^;^BRIGADE_INBOX=gs://$bucket/incoming/;BRIGADE_PROCESSED=gs://$bucket/processed/;BRIGADE_FAILED=gs://$bucket/failed/"
settings+=";WORKER_URL=$worker_url;BRIGADE_AUDIENCE=$poller_url;BRIGADE_ALLOWED_CALLERS=$callers;BRIGADE_AUTH=$auth"
settings+=";BRIGADE_READERS=$readers;BRIGADE_OPERATORS=$operators"
settings+=";BRIGADE_PUBLIC_URL=$poller_url;BRIGADE_CONCURRENCY=32;BRIGADE_PROCESS_TIMEOUT=600s;BRIGADE_POLL_DEADLINE=600s"
check=--invoker-iam-check
[ "$auth" = platform ] || check=--no-invoker-iam-check
[ -z "$tasks" ] || settings+=";BRIGADE_DISPATCH=tasks;BRIGADE_TASKS_QUEUE=projects/$project/locations/$region/queues/$queue;BRIGADE_TASKS_ACCOUNT=$(account pusher)"
# Polls skip files whose announcement is still to come.
[ -z "$events" ] || settings+=";BRIGADE_POLL_MIN_AGE=60s"
service "$poller" "$image" poller poller Poller 32 3 512Mi "$settings" "$check"
# Tokens for these URLs, whichever other URLs a service has.
g run services update "$worker" --region="$region" --set-custom-audiences="$worker_url"
g run services update "$poller" --region="$region" --set-custom-audiences="$poller_url"

printf '\n# The job that checks every connection of the poller\n'
g run jobs deploy "$name-doctor" --region="$region" --image="$image" --args=doctor --service-account="$(account poller)" \
    --set-env-vars="$settings" --max-retries=0 --task-timeout=300s ${labels:+--labels="$labels"}

printf '\n# Who may call whom\n'
invoker() {
    g run services add-iam-policy-binding "$1" --region="$region" --member="serviceAccount:$2" \
        --role=roles/run.invoker --condition=None
}
invoker "$poller" "$(account scheduler)"
[ -z "$events$tasks" ] || invoker "$poller" "$(account pusher)"
invoker "$worker" "$(account poller)"
for email in ${readers//,/ } ${operators//,/ }; do
    invoker "$poller" "$email"
done

printf '\n# The schedule\n'
job=(--location="$region" --schedule="$schedule" --time-zone="$time_zone" --uri="$poller_url/poll" --http-method=POST
    --message-body='{"relist":true}' --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$poller_url"
    --attempt-deadline=630s --max-retry-attempts=1 --min-backoff=30s)
unless "$(q "scheduler jobs describe $name-poll --location=$region")" \
    gcloud scheduler jobs create http "$name-poll" "${job[@]}" --project="$project" --quiet
g scheduler jobs update http "$name-poll" "${job[@]}"

if [ -n "$events" ]; then
    printf '\n# Announcements of new files\n'
    agent=serviceAccount:service-$number@gcp-sa-pubsub.iam.gserviceaccount.com
    for topic in files dead; do
        unless "$(q "pubsub topics describe $name-$topic")" gcloud pubsub topics create "$name-$topic" --project="$project" --quiet
    done
    # It also lets Cloud Storage publish there.
    unless "$(q "storage buckets notifications list gs://$bucket") | grep -q 'topic: .*/topics/$name-files\$'" \
        gcloud storage buckets notifications create "gs://$bucket" --topic="projects/$project/topics/$name-files" \
        --event-types=OBJECT_FINALIZE --object-prefix=incoming/ --payload-format=json --project="$project" --quiet
    push=(--push-endpoint="$poller_url/events" --push-auth-service-account="$(account pusher)"
        --push-auth-token-audience="$poller_url" --ack-deadline=600 --min-retry-delay=10s --max-retry-delay=600s
        --dead-letter-topic="$name-dead" --max-delivery-attempts=20 --expiration-period=never)
    unless "$(q "pubsub subscriptions describe $name-files")" \
        gcloud pubsub subscriptions create "$name-files" --topic="$name-files" "${push[@]}" --project="$project" --quiet
    g pubsub subscriptions update "$name-files" "${push[@]}"
    unless "$(q "pubsub subscriptions describe $name-dead")" \
        gcloud pubsub subscriptions create "$name-dead" --topic="$name-dead" --expiration-period=never --project="$project" --quiet
    g pubsub topics add-iam-policy-binding "$name-dead" --member="$agent" --role=roles/pubsub.publisher
    g pubsub subscriptions add-iam-policy-binding "$name-files" --member="$agent" --role=roles/pubsub.subscriber
fi

if [ -n "$tasks" ]; then
    printf '\n# The queue\n'
    limits=(--location="$region" --max-concurrent-dispatches=32 --max-dispatches-per-second=50 --max-attempts=20
        --min-backoff=10s --max-backoff=600s --max-doublings=6 --max-retry-duration=86400s)
    unless "$(q "tasks queues describe $queue --location=$region")" \
        gcloud tasks queues create "$queue" "${limits[@]}" --project="$project" --quiet
    g tasks queues update "$queue" "${limits[@]}"
    g tasks queues add-iam-policy-binding "$queue" --location="$region" \
        --member="serviceAccount:$(account poller)" --role=roles/cloudtasks.enqueuer
    # An account that makes a task with another account's token must be allowed to act as that account.
    g iam service-accounts add-iam-policy-binding "$(account pusher)" \
        --member="serviceAccount:$(account poller)" --role=roles/iam.serviceAccountUser --condition=None
fi

printf '\n# Put files into gs://%s/incoming/. Poll now, or check every connection:\n# gcloud scheduler jobs run %s-poll --location=%s --project=%s\n# gcloud run jobs execute %s-doctor --region=%s --project=%s --wait\n' \
    "$bucket" "$name" "$region" "$project" "$name" "$region" "$project"
