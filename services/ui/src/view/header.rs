//! The state of the inbox in one row.

use brigade_proto::v1::{GetStatusResponse, InboxObject, Settlement};
use jiff::Timestamp;
use maud::{Markup, html};

use super::{Frame, Header, rows::created};
use crate::text::{ago, count, duration, ended, escape, number, since, span, time};

/// The counts are of every instance of the poller, but for what is in flight and the last poll.
pub(super) fn status(frame: &Frame, header: &Header) -> Markup {
    match header {
        Header::Status(status) => counts(frame, status),
        Header::Error(status) => html! { p.error role="alert" { (status.message()) } },
        Header::Counting => html! { p.quiet data-pending { "The poller counts its objects …" } },
    }
}

fn counts(frame: &Frame, status: &GetStatusResponse) -> Markup {
    let now = Timestamp::now();
    let oldest = status.oldest.as_ref().map(|info| {
        html! { "oldest " (ago(created(info), now)) ": " (name(info)) }
    });
    let next = time(status.next_retry_time.as_ref());
    let next = next.map(|next| {
        html! { "next in " (span(since(now, next))) }
    });
    let longest = status.longest.as_ref().map(|info| {
        html! { "longest " (span(duration(info.in_flight.as_ref()))) ": " (name(info)) }
    });
    let minutes = |settlement| Some(frame.minutes.draw(frame.since, settlement));
    html! {
        dl.counts {
            (count_of("Waiting", &count(status.waiting.as_ref()), oldest))
            (count_of("Retrying", &count(status.retrying.as_ref()), next))
            (count_of("In flight", &number(status.in_flight), longest))
            (count_of("Processed in 24 h", &count(status.processed.as_ref()), minutes(Settlement::Processed)))
            (count_of("Failed in 24 h", &count(status.failed.as_ref()), minutes(Settlement::Failed)))
            (count_of("Last poll", &last_poll(status, now), status.last_poll.as_ref().map(|last| {
                html! { @if last.error.is_empty() { (last.finished.as_ref().map(ended).unwrap_or_default()) } @else { (last.error) } }
            })))
        }
        (stops(status))
    }
}

fn last_poll(status: &GetStatusResponse, now: Timestamp) -> String {
    let last = status.last_poll.as_ref();
    last.map_or_else(|| "none yet".to_owned(), |last| ago(last.end_time.as_ref(), now))
}

fn count_of(label: &str, value: &str, detail: Option<Markup>) -> Markup {
    html! { div { dt { (label) } dd { b { (value) } @if let Some(detail) = detail { " " small { (detail) } } } } }
}

fn name(info: &InboxObject) -> Markup {
    html! { bdi { (escape(&info.path)) } }
}

/// What keeps the poller from passing objects on.
fn stops(status: &GetStatusResponse) -> Markup {
    let now = Timestamp::now();
    html! {
        @if let Some(brake) = &status.brake {
            p.error {
                "The brake is on: the worker refused many objects in a row. "
                @for reason in brake.reasons.iter().take(3) { (number(reason.count)) " × " bdi { (escape(&reason.reason)) } ". " }
            }
        }
        @if status.breaker_since.is_some() {
            p.error { "The calls of the worker fail since " (ago(status.breaker_since.as_ref(), now)) ": no object is passed on." }
        }
        @for holder in &status.holders {
            p.quiet { "Poll " (holder.poll_id) " holds the inbox since " (ago(holder.since.as_ref(), now)) "." }
        }
    }
}
