//! What ends a poll, or one call of the worker, before its time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use brigade_proto::v1::{
    EndReason, Filter, PollRequest, PollResponse, Settlement, poll_response::Event,
    poller_service_client::PollerServiceClient,
};
use brigade_worker::{Outcome, ProcessError, Processor};
use jiff::{SignedDuration, Timestamp};
use tonic::{Request, transport::Endpoint};

use crate::harness::{CALLER, System, held, scripted};

/// The times that the worker was given.
type Times = Arc<Mutex<Vec<Duration>>>;

/// Never ends with a file called `hang`, and accepts the others.
fn hanging(times: &Times) -> impl Processor + use<> {
    let times = times.clone();
    scripted(move |job| {
        times.lock().unwrap().push(job.remaining());
        let hang = job.file_name().starts_with("hang");
        Box::pin(async move {
            if hang {
                std::future::pending::<()>().await;
            }
            Ok(Outcome::default())
        })
    })
}

/// Polls with this deadline of the caller's own, or without one.
async fn poll(system: &System, request: PollRequest, time: Option<Duration>) -> Vec<Event> {
    let endpoint = Endpoint::from_shared(system.poller.to_string()).unwrap();
    let mut client = PollerServiceClient::new(endpoint.connect_lazy());
    let mut request = Request::new(request);
    let value = format!("Bearer {}", system.token(CALLER)).parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    if let Some(time) = time {
        request.set_timeout(time);
    }
    let mut stream = client.poll(request).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(PollResponse { event }) = stream.message().await.unwrap() {
        events.extend(event);
    }
    events
}

/// How it ended, and whether it left anything.
fn end(events: &[Event]) -> (EndReason, bool) {
    match events.last() {
        Some(Event::Finished(finished)) => (finished.reason(), finished.more),
        other => panic!("it has no end: {other:?}"),
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_starts_nothing_more_and_what_is_in_flight_settles() {
    let (processor, entered, leave) = held();
    let system = System::with_processor(processor).await;
    for n in 0..12 {
        system.upload(&format!("{n:02}"), "x");
    }
    let client = system.client();
    let events = client.poll(PollRequest::default()).await.unwrap();
    entered.acquire_many(8).await.unwrap().forget();
    drop(events);
    // On the same connection, so the poller has seen the other one go.
    let second = system.poll_by(&client).await.unwrap();
    assert_eq!(
        second.finished.unwrap().reason(),
        EndReason::AlreadyRunning,
        "what is in flight is waited for"
    );
    leave.add_permits(100);
    while system.names().iter().any(|name| name.contains("lease")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let names = system.names();
    let settled = names.iter().filter(|name| name.starts_with("processed/"));
    assert_eq!(settled.count(), 8, "{names:?}");
    assert_eq!(names.len(), 12);
}

#[tokio::test]
async fn a_callers_deadline_ends_the_poll_and_the_worker_sees_what_is_left_of_it() {
    let times = Times::default();
    let system = System::with_processor(hanging(&times)).await;
    for n in 0..12 {
        system.upload(&format!("hang{n:02}"), "x");
    }
    // As long as a busy machine may take to begin eight calls.
    let time = Duration::from_secs(35);
    let events = poll(&system, PollRequest::default(), Some(time)).await;
    assert_eq!(end(&events), (EndReason::Deadline, true));
    assert_eq!(system.names().len(), 12);
    assert!(system.names()[0].starts_with("incoming/"));
    // 5 s are kept back for settling, and the transport gets 1 s more than our own timer.
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 8);
    let most = Duration::from_secs(31);
    assert!(times.iter().all(|time| *time <= most), "{times:?}");
}

#[tokio::test]
async fn a_file_has_its_own_time_which_the_worker_sees_and_an_attempt_is_counted() {
    let times = Times::default();
    let system = System::tuned(hanging(&times), |_, settings| {
        settings.config.budgets.process_timeout = Duration::from_secs(1);
        settings.config.budgets.max_attempts = 2;
    })
    .await;
    system.upload("hang", "x");
    system.poll_settles(&[("hang", Settlement::Failed)]).await;
    let metadata = system.metadata_of("failed/hang").await;
    assert_eq!(metadata["brigade-attempts"], "2");
    let times = times.lock().unwrap();
    let most = Duration::from_secs(2);
    assert!(times.iter().all(|time| *time <= most), "{times:?}");
}

#[tokio::test]
async fn the_time_that_a_worker_asks_for_is_written_on_the_file_and_kept() {
    let system = System::with_processor(scripted(|_| {
        Box::pin(async {
            let delay = Duration::from_secs(90);
            Err(ProcessError::retry_after(delay, "the model is loading"))
        })
    }))
    .await;
    let before = Timestamp::now();
    system.upload("a", "x");
    system.poll_settles(&[("a", Settlement::Retry)]).await;
    let metadata = system.metadata_of("incoming/a").await;
    assert_eq!(metadata["brigade-reason"], "the model is loading");
    let due: Timestamp = metadata["brigade-retry-at"].parse().unwrap();
    let delay = due.duration_since(before);
    assert!(delay >= SignedDuration::from_secs(89), "{due}");

    let request = PollRequest { explain: true, ..PollRequest::default() };
    let events = poll(&system, request, None).await;
    let skipped = events.iter().find_map(|event| match event {
        Event::Skipped(skipped) => Some(skipped.filter()),
        _ => None,
    });
    assert_eq!(skipped, Some(Filter::NotDue), "{events:?}");
    assert_eq!(system.names(), ["incoming/a"]);
}
