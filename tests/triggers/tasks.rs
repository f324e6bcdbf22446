//! Dispatch through Cloud Tasks: a poll fills the queue, and the queue's tasks settle the objects.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use brigade_poller::tasks::TasksSettings;
use brigade_proto::v1::{ReplayObjectsRequest, Settlement, replay_objects_response::Event};
use brigade_worker::{Outcome, ProcessError};
use futures::TryStreamExt as _;
use googleapis_tonic_google_cloud_tasks_v2::google::cloud::tasks::v2::{
    http_request::AuthorizationHeader, task::MessageType,
};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    harness::{BUCKET, CALLER, OPERATOR, System, scripted},
    queue::{QUEUE, Queue},
};

struct World {
    system: System,
    queue: Queue,
    asked: Arc<AtomicUsize>,
}

async fn world() -> World {
    world_with_queue(QUEUE).await
}

async fn world_with_queue(name: &str) -> World {
    let (queue, at) = Queue::start().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let worker = scripted(move |job| {
        let before = counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match job.file_name() {
                "bad" => Err(ProcessError::refuse("no")),
                "later" if before == 0 => Err(ProcessError::refuse("not yet")),
                _ => Ok(Outcome::default()),
            }
        })
    });
    let system = System::tuned(worker, |_, settings| {
        settings.tasks = Some(TasksSettings {
            queue: name.to_owned(),
            account: CALLER.to_owned(),
            endpoint: Some(at),
        });
    })
    .await;
    World { system, queue, asked }
}

impl World {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn deliver(&self) -> Vec<u16> {
        self.queue.deliver(self.system.emulator.identity()).await
    }
}

#[tokio::test]
async fn a_poll_enqueues_each_object_once_and_its_task_settles_it() {
    let world = world().await;
    for name in ["a", "bad", "c/é \u{1}"] {
        world.system.upload(name, "x");
    }
    let polled = world.system.poll().await.unwrap();
    let all_are = |polled: &crate::harness::Polled, settlement| {
        assert_eq!(polled.settled.len(), 3);
        let mut settled = polled.settled.iter();
        assert!(settled.all(|one| one.settlement() == settlement));
    };
    all_are(&polled, Settlement::Enqueued);
    let counts = polled.finished.unwrap().counts.unwrap();
    assert_eq!((counts.found, counts.enqueued, counts.skipped), (3, 3, 0));
    assert_eq!(world.asked(), 0);

    // The objects are there still, and so are their tasks.
    let again = world.system.poll().await.unwrap();
    all_are(&again, Settlement::AlreadyEnqueued);
    let counts = again.finished.unwrap().counts.unwrap();
    assert_eq!((counts.enqueued, counts.skipped), (0, 3));

    assert_eq!(world.deliver().await, [200, 200, 200]);
    assert_eq!(world.asked(), 3);
    assert_eq!(world.system.names(), ["failed/bad", "processed/a", "processed/c/é \u{1}"]);
    assert!(world.deliver().await.is_empty());
}

#[tokio::test]
async fn a_failed_object_that_is_replayed_is_enqueued_again_and_its_task_settles_it() {
    let world = world().await;
    world.system.upload("later", "x");
    world.system.poll().await.unwrap();
    assert_eq!(world.deliver().await, [200]);
    assert_eq!(world.system.names(), ["failed/later"]);

    let request = ReplayObjectsRequest { all: true, ..ReplayObjectsRequest::default() };
    let replayed = world.system.inbox(OPERATOR).replay(request).await.unwrap();
    let replayed: Vec<_> = replayed.try_collect().await.unwrap();
    let Some(Event::Finished(end)) = &replayed.last().unwrap().event else {
        panic!("{replayed:?}");
    };
    assert_eq!(end.counts.unwrap().replayed, 1);

    let polled = world.system.poll().await.unwrap();
    assert_eq!(polled.settled[0].settlement(), Settlement::Enqueued);
    assert_eq!(world.deliver().await, [200]);
    assert_eq!((world.asked(), world.system.names()), (2, vec!["processed/later".to_owned()]));
}

#[tokio::test]
async fn a_task_names_its_object_and_comes_to_this_service_with_a_token_it_takes() {
    let world = world().await;
    let generation = world.system.upload("a", "x");
    world.system.poll().await.unwrap();
    let (_, task) = world.queue.tasks().pop_first().unwrap();
    let Some(MessageType::HttpRequest(call)) = task.message_type else {
        panic!("no HTTP task");
    };
    assert_eq!(call.url, world.system.poller.join("process").unwrap().as_str());
    assert_eq!(call.headers["Content-Type"], "application/json");
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body["generation"], generation.to_string());
    let Some(AuthorizationHeader::OidcToken(token)) = call.authorization_header else {
        panic!("no token");
    };
    assert_eq!(token.service_account_email, CALLER);
    assert_eq!(token.audience, brigade_client::identity::origin(&world.system.poller));
}

#[tokio::test]
async fn a_new_upload_under_the_same_name_is_a_task_of_its_own() {
    let world = world().await;
    world.system.upload("a", "old");
    world.system.poll().await.unwrap();
    world.system.upload("a", "new");
    let polled = world.system.poll().await.unwrap();
    assert_eq!(polled.settled[0].settlement(), Settlement::Enqueued);
    assert_eq!(world.queue.tasks().len(), 2);
    assert_eq!(world.deliver().await, [200, 200]);
    assert_eq!(world.asked(), 1, "the old one is superseded");
    assert_eq!(world.system.content("processed/a"), "new");
}

#[tokio::test]
async fn a_task_that_was_made_although_its_answer_was_lost_is_not_made_twice() {
    let world = world().await;
    world.system.upload("a", "x");
    world.queue.refuse([Code::Unavailable, Code::DeadlineExceeded]);
    let polled = world.system.poll().await.unwrap();
    assert_eq!(polled.settled[0].settlement(), Settlement::Enqueued);
    assert_eq!((world.queue.calls(), world.queue.tasks().len()), (3, 1));
}

#[tokio::test]
async fn a_queue_that_is_not_there_stops_the_poll_with_the_fix() {
    let world = world_with_queue("projects/p/locations/europe-west1/queues/no-such-queue").await;
    world.system.upload("a", "x");
    let error = world.system.poll().await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert!(error.message().contains("BRIGADE_TASKS_QUEUE"), "{error}");
    assert_eq!(world.system.names(), ["incoming/a"]);
}

#[tokio::test]
async fn a_queue_that_we_may_not_use_stops_the_poll_with_the_role_to_grant() {
    let world = world().await;
    world.system.upload("a", "x");
    world.queue.refuse([Code::PermissionDenied]);
    let error = world.system.poll().await.unwrap_err();
    assert!(error.message().contains("roles/cloudtasks.enqueuer"), "{error}");
    assert!(world.queue.tasks().is_empty());
}

#[tokio::test]
async fn a_queue_that_is_away_ends_the_poll_and_moves_nothing() {
    let world = world().await;
    world.system.upload("a", "x");
    world.queue.refuse([Code::Unavailable; 100]);
    match world.system.poll().await {
        Err(error) => assert_eq!(error.code(), Code::Unavailable, "{error}"),
        Ok(polled) => assert_eq!(polled.settled[0].settlement(), Settlement::Retry),
    }
    assert_eq!(world.system.names(), ["incoming/a"]);
}

/// A task that were done would keep its name for hours, and its file from the queue.
#[tokio::test]
async fn a_file_that_is_held_when_its_task_runs_is_settled_once_its_hold_is_gone() {
    let world = world().await;
    world.system.upload("a", "x");
    world.system.poll().await.unwrap();
    hold(&world.system, "incoming%2Fa", true).await;
    assert_eq!(world.deliver().await, [423]);
    assert_eq!(world.asked(), 0);
    hold(&world.system, "incoming%2Fa", false).await;
    assert_eq!(world.deliver().await, [200]);
    assert_eq!((world.asked(), world.system.names()), (1, vec!["processed/a".to_owned()]));
    assert_eq!(world.queue.tasks().len(), 1);
}

/// Sets or releases a temporary hold, as an operator does.
async fn hold(system: &System, object: &str, held: bool) {
    let url = system.emulator.url().join(&format!("storage/v1/b/{BUCKET}/o/{object}"));
    let call = reqwest::Client::new().patch(url.unwrap());
    let call = call.header("content-type", "application/json");
    let answer = call.body(json!({ "temporaryHold": held }).to_string()).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
}
