//! What the metrics of both services say of a run.

use super::{
    SAMPLED, poll_of,
    run::{Run, TRACED},
};

/// Accepts all but `b.csv`, at which it ends.
const PERSISTENT: &str = r#"sh -c 'echo "{\"ready\":true,\"protocol\":1}" >&4; while read -r job <&3; do id=${job#*\"id\":\"}; id=${id%%\"*}; case $job in *b.csv*) exit 1;; esac; echo "{\"id\":\"$id\",\"accept\":{ }}" >&4; done'"#;

/// Three files of which one fails, by this protocol. `{protocol}` stands for it.
const POLLER: [&str; 25] = [
    "brigade.brake 0",
    "brigade.breaker 0",
    "brigade.calls.in_flight 0",
    "brigade.calls.limit 8",
    "brigade.guard.key_fetches result=ok 1",
    "brigade.guard.refusals reason=authorization 1",
    "brigade.inbox.objects 3",
    "brigade.inbox.retrying 0",
    "brigade.objects code=INTERNAL kind=other settlement=FAILED 1",
    "brigade.objects code=OK kind=none settlement=PROCESSED 2",
    "brigade.polls end=COMPLETE 1",
    "brigade.process.duration code=INTERNAL protocol={protocol} 1",
    "brigade.process.duration code=OK protocol={protocol} 2",
    "brigade.settle.duration settlement=FAILED 1",
    "brigade.settle.duration settlement=PROCESSED 2",
    "brigade.storage.duration class=A method=create result=ok 1",
    "brigade.storage.duration class=A method=list result=ok 1",
    "brigade.storage.duration class=A method=move result=ok 3",
    "brigade.storage.duration class=B method=get result=not_found 1",
    "brigade.storage.duration class=free method=delete result=ok 1",
    "brigade.token.fetch.duration result=ok source=metadata_server 1",
    "brigade.upload_to_settled.duration settlement=FAILED 1",
    "brigade.upload_to_settled.duration settlement=PROCESSED 2",
    "http.server.request.duration http.request.method=POST http.response.status_code=200 http.route=/poll 1",
    "http.server.request.duration http.request.method=POST http.response.status_code=401 http.route=/poll 1",
];
const WORKER: [&str; 6] = [
    "brigade.guard.key_fetches result=ok 1",
    "brigade.program.starts kind=exec 3",
    "brigade.storage.duration class=B method=read result=ok 3",
    "brigade.worker.in_flight 0",
    "brigade.worker.process.duration code=INTERNAL 1",
    "brigade.worker.process.duration code=OK 2",
];
const OVER_GRPC: [&str; 2] = [
    "rpc.server.call.duration rpc.method=brigade.v1.WorkerService/Process rpc.response.status_code=INTERNAL rpc.system.name=grpc 1",
    "rpc.server.call.duration rpc.method=brigade.v1.WorkerService/Process rpc.response.status_code=OK rpc.system.name=grpc 2",
];
const OVER_HTTP: [&str; 2] = [
    "http.server.request.duration http.request.method=POST http.response.status_code=200 http.route=/process 2",
    "http.server.request.duration http.request.method=POST http.response.status_code=500 http.route=/process 1",
];

/// What a slow machine changes: ages, and how often the lease is renewed.
fn is_certain(line: &str) -> bool {
    !line.contains("oldest_age") && !line.contains("method=update")
}

async fn counts(protocol: &str, of_server: [&str; 2]) {
    let run = Run::start(protocol, TRACED).await;
    run.upload();
    let stranger = reqwest::Client::new().post(format!("http://{}/poll", run.address)).send().await;
    assert_eq!(stranger.unwrap().status(), 401);
    assert_eq!(run.poll("01").await.status(), 200, "{}", run.poller.log());
    let poller = POLLER.map(|line| format!("poller: {}", line.replace("{protocol}", protocol)));
    let worker = WORKER.iter().chain(&of_server).map(|line| format!("worker: {line}"));
    let expected: Vec<_> = poller.into_iter().chain(worker).collect();
    let seen = || {
        let all = run.collector.metrics("");
        all.into_iter().filter(|line| is_certain(line)).collect::<Vec<_>>()
    };
    run.collector.until(|| seen() == expected).await;
    assert_eq!(seen(), expected);
    assert_eq!(run.collector.metrics("brigade.inbox.oldest_age").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_metrics_say_what_became_of_every_file_call_and_program() {
    counts("grpc", OVER_GRPC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_metrics_say_what_became_of_every_file_call_and_program() {
    counts("http", OVER_HTTP).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_restarts_and_memory_of_a_persistent_program_are_measured() {
    let persistent = [("BRIGADE_PERSISTENT", "true"), ("BRIGADE_PROCESSES", "1")];
    let run = Run::start_with("grpc", PERSISTENT, &persistent).await;
    run.upload();
    assert_eq!(run.poll("01").await.status(), 200, "{}", run.poller.log());
    let expected = [
        "worker: brigade.program.restarts kind=persistent 1",
        "worker: brigade.program.starts kind=persistent 2",
    ];
    let seen = || run.collector.metrics("brigade.program.");
    let memory = |line: &str| line.starts_with("worker: brigade.program.memory ");
    let is_there = || seen().len() == 3 && seen()[1..] == expected && memory(&seen()[0]);
    run.collector.until(is_there).await;
    assert!(is_there(), "{:?}", seen());
    let memory = run.collector.metrics("brigade.program.memory");
    let bytes: u64 = memory[0].rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!((100_000..100_000_000).contains(&bytes), "{bytes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_worker_dies_is_a_loss_and_an_attempt() {
    let run = Run::start("grpc", "sh -c 'echo begun; exec sleep 600' sh").await;
    let Run { google, collector, mut worker, address, .. } = run;
    google.emulator.storage().put("in/a.csv", "x").unwrap();
    let mut poll = Box::pin(poll_of(&google, address, SAMPLED));
    tokio::select! {
        answer = &mut poll => panic!("{answer:?}"),
        () = worker.says("\"begun\"") => {}
    }
    let in_flight = || {
        let calls = collector.metrics("brigade.calls.in_flight");
        let files = collector.metrics("brigade.worker.in_flight");
        calls == ["poller: brigade.calls.in_flight 1"]
            && files == ["worker: brigade.worker.in_flight 1"]
    };
    let seen = || {
        [collector.metrics("brigade.losses"), collector.metrics("brigade.attempts blame=lost")]
            .concat()
    };
    let expected = ["poller: brigade.losses 1", "poller: brigade.attempts blame=lost 1"];
    let watching = async {
        collector.until(in_flight).await;
        assert!(in_flight(), "{:?}", collector.metrics(""));
        worker.kill();
        collector.until(|| seen() == expected).await;
    };
    tokio::select! {
        // It goes on asking for a while.
        answer = &mut poll => panic!("{answer:?}"),
        () = watching => {}
    }
    assert_eq!(seen(), expected);
}
