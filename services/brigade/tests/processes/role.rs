//! The poller and the worker with a role that may delete nothing but the poller's lease.

use std::net::SocketAddr;

use brigade_storage::{
    Kind, ListRequest, NewObject, Pinned, Store as _,
    gcs::{GcsSettings, GcsStore},
};

use crate::{
    google::{PICKY, post, serve},
    process::Process,
};

const BUCKET: &str = "brigade-dev";
const SERVICES: &str = "services@brigade-dev.iam.gserviceaccount.com";
const PERSON: &str = "person@brigade-dev.iam.gserviceaccount.com";
const POLLER_AUDIENCE: &str = "https://poller.test";
const WORKER_AUDIENCE: &str = "https://worker.test";

/// `brigade emulator`, with these roles.
struct Google {
    variables: Vec<(String, String)>,
    _emulator: Process,
}

impl Google {
    /// The first account is the machine's own: the poller and the worker are it.
    async fn start() -> Self {
        let arguments = "emulator --memory --port 0 --role services=list,get,update,move,create \
            --role services=delete@.brigade/ --role person=list,get,create,update,delete";
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let (emulator, variables) = Process::emulator(&arguments).await;
        Self { variables, _emulator: emulator }
    }

    fn variable(&self, name: &str) -> Option<String> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    /// What the metadata server says of this account.
    async fn metadata(&self, account: &str, path: &str) -> String {
        let host = self.variable("GCE_METADATA_HOST").unwrap();
        let accounts = "computeMetadata/v1/instance/service-accounts";
        let request = reqwest::Client::new()
            .get(format!("http://{host}/{accounts}/{account}/{path}"))
            .header("Metadata-Flavor", "Google");
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Uploads a file as a person does.
    async fn upload(&self, name: &str, content: &'static str) {
        let token: serde_json::Value =
            serde_json::from_str(&self.metadata(PERSON, "token").await).unwrap();
        let host = self.variable("STORAGE_EMULATOR_HOST").unwrap();
        let request = reqwest::Client::new()
            .post(format!("{host}/upload/storage/v1/b/{BUCKET}/o"))
            .query(&[("uploadType", "media"), ("name", name)])
            .bearer_auth(token["access_token"].as_str().unwrap())
            .body(content);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }

    /// Storage, as the services reach it.
    async fn store(&self) -> GcsStore {
        let settings = GcsSettings::from_env(|name| self.variable(name));
        GcsStore::connect(settings).await.unwrap()
    }

    async fn names(&self) -> Vec<String> {
        let bucket = self.store().await.bucket(BUCKET);
        let page = bucket.list(&ListRequest::default()).await.unwrap();
        let names = page.objects.into_iter();
        names.map(|object| object.name).collect()
    }

    async fn serve(&self, command: &str, more: &[(&str, &str)]) -> (Process, SocketAddr) {
        serve(command, self.variables.clone(), more).await
    }

    /// Both services; the poller's address.
    async fn services(&self) -> (Process, Process, SocketAddr) {
        let worker = [
            ("BRIGADE_EXEC", PICKY),
            ("BRIGADE_AUDIENCE", WORKER_AUDIENCE),
            ("BRIGADE_ALLOWED_CALLERS", SERVICES),
        ];
        let (worker, at) = self.serve("worker", &worker).await;
        let url = format!("http://{at}");
        let poller = [
            ("BRIGADE_INBOX", "gs://brigade-dev/in/"),
            ("WORKER_URL", url.as_str()),
            ("WORKER_AUDIENCE", WORKER_AUDIENCE),
            ("BRIGADE_AUDIENCE", POLLER_AUDIENCE),
            ("BRIGADE_ALLOWED_CALLERS", PERSON),
        ];
        let (poller, address) = self.serve("poller", &poller).await;
        (worker, poller, address)
    }

    async fn poll(&self, poller: SocketAddr) -> crate::google::Answer {
        let path = format!("identity?audience={POLLER_AUDIENCE}&format=full");
        let token = self.metadata(PERSON, &path).await;
        post(poller, &token).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poller_that_may_delete_nothing_but_its_lease_settles_everything() {
    let google = Google::start().await;
    for (name, content) in [
        ("in/a", "good\n"),
        ("in/b", "bad\n"),
        ("in/taken", "good, too\n"),
        ("processed/taken", "it was here before\n"),
    ] {
        google.upload(name, content).await;
    }
    let (_worker, poller, address) = google.services().await;
    let answer = google.poll(address).await;
    assert_eq!(answer.status, 200, "{answer:?}\n{}", poller.log());
    assert_eq!(answer.body["counts"]["processed"], "2", "{}", poller.log());
    assert_eq!(answer.body["counts"]["failed"], "1", "{}", poller.log());
    let names = google.names().await;
    assert_eq!(names[..3], ["failed/b", "processed/a", "processed/taken"]);
    assert!(names[3].starts_with("processed/taken."), "{names:?}");
    assert_eq!(names.len(), 4, "the lease was given back: {names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_that_role_to_overwrite_or_to_delete_is_a_403() {
    let google = Google::start().await;
    google.upload("processed/a", "it was here before\n").await;
    google.upload(".brigade/in/lease", "").await;
    let bucket = google.store().await.bucket(BUCKET);
    let there = bucket.get("processed/a").await.unwrap();
    let over = bucket.create("processed/a", there.generation, NewObject::default());
    let error = over.await.unwrap_err();
    assert_eq!(error.kind(), &Kind::PermissionDenied, "{error}");
    let error = bucket.delete(there.pinned()).await.unwrap_err();
    assert_eq!(error.kind(), &Kind::PermissionDenied, "{error}");

    // The lease is renewed and given back.
    let name = ".brigade/in/lease";
    let lease = bucket.get(name).await.unwrap();
    let renewed = bucket.create(name, lease.generation, NewObject::default());
    let generation = renewed.await.unwrap().generation;
    bucket.delete(Pinned { name, generation }).await.unwrap();
    assert_eq!(google.names().await, ["processed/a"]);
}
