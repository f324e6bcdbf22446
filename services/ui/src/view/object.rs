//! One object: what happened to it, one step a line, and all that is written on it.

use brigade_proto::{
    Timestamp as ProtoTimestamp,
    v1::{GetObjectResponse, InboxObject, InboxState, Place},
};
use jiff::Timestamp;
use maud::{Markup, html};

use super::rows::{at, created, link, of};
use crate::text::{duration, escape, number, span};

/// Its timeline, reason, outputs and metadata.
pub(super) fn detail(found: &GetObjectResponse) -> Markup {
    let info = found.object.clone().unwrap_or_default();
    let object = info.object.clone().unwrap_or_default();
    let is_failed = info.place() == Place::Failed;
    html! {
        h1 { bdi { (escape(&info.path)) } }
        p.actions {
            @if is_failed { button #replay-one type="button" value=(of(&info)) { "Replay" } }
            a href="/" { "All failed objects" }
        }
        ol.timeline { @for (time, what) in steps(&info) { li { (at(time.as_ref(), Timestamp::now())) " " (what) } } }
        @if !info.reason.is_empty() { h2 { "Reason" } pre { (info.reason) } }
        @if !found.outputs.is_empty() {
            h2 { "Outputs" }
            ul { @for output in &found.outputs {
                li {
                    bdi { (escape(&output.uri)) } " "
                    @match &output.object {
                        Some(object) => span.quiet { (number(object.size)) " bytes" },
                        None if output.error.is_empty() => span.quiet { "is not there any more" },
                        None => span.error { (output.error) },
                    }
                }
            } }
        }
        @if !found.others.is_empty() {
            h2 { "Of the same name" }
            ul { @for other in &found.others { li { (place(other)) ": " (link(other)) } } }
        }
        h2 { "All of it" }
        div.scroll tabindex="0" role="region" aria-label="Table" { table {
            caption { "Fields and metadata" }
            tbody {
                @for (name, value) in fields(&info) { (field(name, &value)) }
                @let metadata = object.metadata.iter().collect::<std::collections::BTreeMap<_, _>>();
                @for (name, value) in metadata { (field(name, value)) }
            }
        } }
        @if !found.log_filter.is_empty() { h2 { "Its log, as a query of Cloud Logging" } pre { (found.log_filter) } }
    }
}

fn steps(info: &InboxObject) -> Vec<(Option<ProtoTimestamp>, Markup)> {
    let mut steps = Vec::new();
    if info.source.is_empty() || info.settle_time.is_none() {
        steps.push((created(info).copied(), html! { "uploaded" }));
    } else {
        steps.push((None, html! { "was " bdi { (escape(&info.source)) } " in the inbox" }));
    }
    if info.attempts > 0 {
        steps.push((None, html! { (number(info.attempts)) " attempts were counted" }));
    }
    if let Some(elapsed) = &info.in_flight {
        steps.push((None, html! { "with the worker for " (span(duration(Some(elapsed)))) }));
    }
    if info.state() == InboxState::Retrying {
        steps.push((info.retry_time, html! { "is the time of its next attempt" }));
    }
    if let Some(settled) = info.settle_time {
        let code =
            if info.code.is_empty() { String::new() } else { format!(" with {}", info.code) };
        steps.push((Some(settled), html! { (place(info)) (code) }));
    }
    steps
}

fn place(info: &InboxObject) -> &'static str {
    match info.place() {
        Place::Inbox => "in the inbox",
        Place::Processed => "processed",
        Place::Failed => "failed",
        Place::Unspecified => "",
    }
}

fn fields(info: &InboxObject) -> Vec<(&'static str, String)> {
    let object = info.object.clone().unwrap_or_default();
    let all = [
        ("Object", of(info)),
        ("Generation", object.generation.to_string()),
        ("Size", format!("{} bytes", number(object.size))),
        ("Type", object.content_type),
        ("Kind", info.kind.clone()),
        ("Exit", info.exit.clone()),
        ("Left out by", info.detail.clone()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn field(name: &str, value: &str) -> Markup {
    html! { tr { th scope="row" { (escape(name)) } td.reason { bdi { (escape(value)) } } } }
}
