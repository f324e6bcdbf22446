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

/// The roles of deploy/terraform/storage.tf.
const DEPLOYED: [&str; 5] = [
    "services=list",
    "services=get,update,move@in/",
    "services=create,get@processed/",
    "services=create,get@failed/",
    "services=create,delete,get@.brigade/",
];
/// What it grants beside them when there is an operator.
const PUT_BACK: [&str; 2] = ["services=create,move@failed/", "services=create,move@in/"];

/// `brigade emulator`, with these roles.
struct Google {
    variables: Vec<(String, String)>,
    _emulator: Process,
}

impl Google {
    /// The first account is the machine's own: the poller and the worker are it.
    async fn start() -> Self {
        Self::with_roles(&["services=list,get,update,move,create", "services=delete@.brigade/"])
            .await
    }

    async fn with_roles(roles: &[&str]) -> Self {
        let mut arguments = vec!["emulator", "--memory", "--port", "0"];
        for role in roles.iter().chain(&["person=list,get,create,update,delete"]) {
            arguments.extend(["--role", role]);
        }
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
            ("BRIGADE_OPERATORS", PERSON),
        ];
        let (poller, address) = self.serve("poller", &poller).await;
        (worker, poller, address)
    }

    async fn token(&self) -> String {
        let path = format!("identity?audience={POLLER_AUDIENCE}&format=full");
        self.metadata(PERSON, &path).await
    }

    async fn poll(&self, poller: SocketAddr) -> crate::google::Answer {
        post(poller, &self.token().await).await.unwrap()
    }

    /// What the poller answers to this call of its inbox.
    async fn inbox(&self, poller: SocketAddr, path: &str, body: &'static str) -> String {
        let url = format!("http://{poller}/inbox/{path}");
        let call = reqwest::Client::new().post(url).bearer_auth(self.token().await).body(body);
        call.send().await.unwrap().text().await.unwrap()
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
async fn the_deployed_roles_are_enough_to_show_everything_and_to_replay_only_with_an_operator() {
    for (roles, replayed) in
        [(DEPLOYED.to_vec(), false), ([&DEPLOYED[..], &PUT_BACK].concat(), true)]
    {
        let google = Google::with_roles(&roles).await;
        for (name, content) in [("in/a", "good\n"), ("in/b", "bad\n")] {
            google.upload(name, content).await;
        }
        let (_worker, poller, address) = google.services().await;
        google.poll(address).await;
        let status = google.inbox(address, "status", "{}").await;
        assert!(status.contains(r#""failed":{"value":"1"}"#), "{status}\n{}", poller.log());
        let object = google.inbox(address, "object", r#"{"name": "b"}"#).await;
        assert!(object.contains(r#""place":"PLACE_FAILED""#), "{object}");
        let answer = google.inbox(address, "replay", r#"{"all": true}"#).await;
        if replayed {
            assert!(answer.contains("REPLAY_RESULT_REPLAYED"), "{answer}");
            assert_eq!(google.names().await, ["in/b", "processed/a"]);
            assert_eq!(google.poll(address).await.body["counts"]["failed"], "1");
        } else {
            assert!(answer.contains("permission denied"), "{answer}");
            assert!(answer.contains("gcloud storage buckets add-iam-policy-binding"), "{answer}");
            assert_eq!(google.names().await, ["failed/b", "processed/a"]);
        }
    }
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
