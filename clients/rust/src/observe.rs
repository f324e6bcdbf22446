//! The spans and measurements of a client: calls of a worker, and fetches of tokens.

use std::{sync::LazyLock, time::Duration};

use brigade_telemetry::{Histogram, KeyValue, Span, SpanKind, code_name, measuring, text, times};

use crate::{
    answer::Answer,
    identity::{Error, IdToken, TokenSource},
};

static FETCHES: LazyLock<Histogram<f64>> =
    LazyLock::new(|| times("brigade.token.fetch.duration", "Fetches of ID tokens"));

/// The span of one call of a gRPC worker at this address.
pub(crate) fn grpc_call(address: &str) -> Span {
    Span::start("process", SpanKind::Client, || {
        vec![
            KeyValue::new("rpc.system.name", "grpc"),
            KeyValue::new("rpc.method", "brigade.v1.WorkerService/Process"),
            text("server.address", address),
        ]
    })
}

/// The span of one call of an HTTP worker at this address.
pub(crate) fn http_call(address: &str) -> Span {
    Span::start("process", SpanKind::Client, || {
        vec![KeyValue::new("http.request.method", "POST"), text("server.address", address)]
    })
}

/// What a call's span says of its answer.
pub(crate) fn answered(span: &Span, answer: &Answer) {
    if !span.is_recording() {
        return;
    }
    if let Answer::Worker(answer) = answer {
        let code = code_name(answer.code.into());
        match answer.http_status {
            Some(status) => span.set("http.response.status_code", i64::from(status)),
            None => span.set("rpc.response.status_code", code),
        }
        if answer.code == tonic::Code::Ok {
            return;
        }
    }
    span.set("error.type", answer.name());
    match answer {
        // A full worker is no failure: it would export each such call of a trace that is not sampled.
        Answer::Worker(answer) if answer.code == tonic::Code::ResourceExhausted => {}
        Answer::Worker(answer) => span.fail(&answer.message),
        Answer::Transport(error) => span.fail(error),
        Answer::TimedOut(after) => span.fail(format_args!("no answer within {after:?}")),
        Answer::TooLarge { .. } => span.fail("the answer is too large"),
    }
}

/// The span of one fetch.
pub(crate) fn fetch(source: &dyn TokenSource, audience: &str) -> Span {
    Span::start("fetch token", SpanKind::Client, || {
        vec![
            KeyValue::new("brigade.token.source", source.kind()),
            text("brigade.audience", audience),
        ]
    })
}

/// What a fetch brought.
pub(crate) fn fetched(
    span: &Span,
    source: &dyn TokenSource,
    took: Duration,
    result: &Result<IdToken, Error>,
) {
    if let Err(error) = result {
        span.fail(error);
    }
    if measuring() {
        let result = match result {
            Ok(_) => "ok",
            Err(Error::Away { .. }) => "away",
            Err(Error::Refused { .. }) => "refused",
            Err(Error::BadToken { .. }) => "bad_token",
            Err(_) => "no_source",
        };
        let attributes = [KeyValue::new("source", source.kind()), KeyValue::new("result", result)];
        FETCHES.record(took.as_secs_f64(), &attributes);
    }
}
