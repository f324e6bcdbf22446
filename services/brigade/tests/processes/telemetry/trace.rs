//! One poll of three files, of which one fails, as a collector sees it: its trace over both services and the program.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::{
    CALLER_SPAN, TRACE,
    collector::text,
    poll_of,
    run::{Run, TRACED},
};

/// The trace of a worker that is called so. The lease may be renewed as often as a slow machine needs.
fn places(server: &str, fails: &str) -> Vec<String> {
    let calls = |object: &str, mark: &str, server_mark: &str| {
        let process = format!("{object} > poller attempt{mark} > poller process{mark}");
        let call = format!("{process} > worker {server}{server_mark}");
        [
            object.to_owned(),
            format!("{object} > poller attempt{mark}"),
            process,
            format!("{call} > worker run program{mark}"),
            format!("{call} > worker storage read"),
            call,
            format!("{object} > poller settle"),
            format!("{object} > poller settle > poller storage move"),
        ]
    };
    let poll = "poller POST /poll > poller poll";
    let object = format!("{poll} > poller object");
    let above = [
        "poller POST /poll".to_owned(),
        poll.to_owned(),
        format!("{poll} > poller list page"),
        format!("{poll} > poller list page > poller storage list"),
        format!("{poll} > poller storage create"),
        format!("{poll} > poller storage delete"),
        format!("{poll} > poller storage get"),
        format!("{object}! > poller settle > poller storage update"),
    ];
    let objects =
        calls(&object, "", "").into_iter().chain(calls(&format!("{object}!"), "!", fails));
    let mut places: Vec<_> = above.into_iter().chain(objects).collect();
    places.sort();
    places
}

/// Polls over this protocol. Every span of the poll is in the caller's trace, over both services.
async fn is_one_trace(protocol: &str, server: &str) {
    let run = Run::start(protocol, TRACED).await;
    run.upload();
    assert_eq!(run.poll("01").await.status(), 200, "{}", run.poller.log());
    assert!(run.is_inbox_empty());
    let expected = places(server, "!");
    let renewed = |place: &String| !place.ends_with("poll > poller storage update");
    let seen = || run.collector.places(TRACE).into_iter().filter(renewed).collect::<Vec<_>>();
    let is_there = || seen() == expected && run.spans("run program").len() == 3;
    run.collector.until(is_there).await;
    assert_eq!(seen(), expected);
    let first = &run.spans("POST /poll")[0];
    assert_eq!(first.parent_span_id, u64::from_str_radix(CALLER_SPAN, 16).unwrap().to_be_bytes());
    for (name, kind) in [
        ("POST /poll", SpanKind::Server),
        (server, SpanKind::Server),
        ("process", SpanKind::Client),
        ("storage move", SpanKind::Client),
        ("object", SpanKind::Internal),
    ] {
        assert_eq!(run.spans(name)[0].kind(), kind, "{name}");
    }
    objects_are_named(&run);
    programs_and_log_lines_name_the_trace(&run).await;
    let tokens = run.collector.spans().into_iter().filter(|(_, span)| span.name == "fetch token");
    assert_eq!(tokens.count(), 1, "the poller has a token before its first call");
}

fn objects_are_named(run: &Run) {
    let mut objects: Vec<_> = run
        .spans("object")
        .iter()
        .map(|span| {
            let told = ["brigade.object", "brigade.size", "brigade.settlement"];
            let told = told.map(|key| text(&span.attributes, key)).join(" ");
            let error = span.status.clone().unwrap_or_default().message;
            format!("{told} {error}").trim_end().to_owned()
        })
        .collect();
    objects.sort();
    let expected = [
        "gs://data/in/a.csv 5 PROCESSED",
        "gs://data/in/b.csv 4 FAILED refused",
        "gs://data/in/c.csv 5 PROCESSED",
    ];
    assert_eq!(objects, expected);
}

/// The program was given its own span, and the lines of both services about an object can be joined.
async fn programs_and_log_lines_name_the_trace(run: &Run) {
    let spans = run.spans("run program").into_iter();
    let expected: BTreeSet<_> = spans
        .map(|span| u64::from_be_bytes(span.span_id.try_into().unwrap()))
        .map(|id| format!("in 00-{TRACE}-{id:016x}-01"))
        .collect();
    let of_program = |line: &serde_json::Value| line["stream"] == "stdout";
    let said = || {
        let lines = run.worker.lines().into_iter().filter(of_program);
        lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    run.collector.until(|| said() == expected).await;
    assert_eq!(said(), expected);
    for (process, message, count) in [
        (&run.poller, "poll started", 1),
        (&run.poller, "object settled", 3),
        (&run.poller, "poll finished", 1),
        (&run.worker, "processed", 2),
        (&run.worker, "not processed", 1),
    ] {
        let lines = || {
            let lines = process.lines().into_iter();
            lines.filter(|line| line["message"] == message).collect::<Vec<_>>()
        };
        run.collector.until(|| lines().len() == count).await;
        let lines = lines();
        assert_eq!(lines.len(), count, "{message}");
        for line in lines {
            let trace = line["logging.googleapis.com/trace"].as_str().unwrap_or_default();
            assert!(trace.ends_with(TRACE), "{line}");
            assert_eq!(line["logging.googleapis.com/trace_sampled"], true, "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_grpc_a_poll_is_one_trace_from_the_trigger_to_the_move_over_both_services_and_the_program()
 {
    is_one_trace("grpc", "brigade.v1.WorkerService/Process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_a_poll_is_one_trace_from_the_trigger_to_the_move_over_both_services_and_the_program()
 {
    is_one_trace("http", "POST /process").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_trace_that_is_not_sampled_only_the_object_that_failed_is_exported() {
    let run = Run::start("grpc", TRACED).await;
    run.upload();
    assert_eq!(run.poll("00").await.status(), 200, "{}", run.poller.log());
    assert!(run.is_inbox_empty());
    let object = "poller object!";
    let call = format!("{object} > poller attempt! > poller process!");
    let server = format!("{call} > worker brigade.v1.WorkerService/Process!");
    let expected = [
        object,
        &format!("{object} > poller attempt!"),
        &call,
        &server,
        &format!("{server} > worker run program!"),
    ];
    run.collector.until(|| run.collector.places(TRACE) == expected).await;
    // Exports are in order: when both services have exported a later trace, no more of this one comes.
    run.upload();
    let other = TRACE.replace('0', "1");
    let later = format!("00-{other}-{CALLER_SPAN}-01");
    assert_eq!(poll_of(&run.google, run.address, &later).await.status(), 200);
    let both = || run.collector.trace(&other).iter().any(|(service, _)| *service == "worker");
    run.collector.until(both).await;
    assert_eq!(run.collector.places(TRACE), expected);
    assert_eq!(run.spans("object").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_shutdown_what_is_pending_is_exported() {
    // It has a second, in which a slow machine may not get to it.
    for _ in 0..10 {
        let later = [("OTEL_BSP_SCHEDULE_DELAY", "3600000")];
        let run = Run::start_with("grpc", TRACED, &later).await;
        run.upload();
        assert_eq!(run.poll("01").await.status(), 200, "{}", run.poller.log());
        let Run { collector, worker, .. } = run;
        let of_worker = || collector.trace(TRACE).into_iter().filter(|(name, _)| *name == "worker");
        assert_eq!(of_worker().count(), 0);
        worker.terminate();
        let (status, log) = worker.ended().await;
        assert!(status.success(), "{log}");
        if of_worker().count() == 9 {
            return;
        }
    }
    panic!("in ten runs the worker's spans were not exported at its end");
}
