//! The tables of objects.

use std::time::Duration;

use brigade_proto::{
    Timestamp as ProtoTimestamp,
    v1::{InboxObject, InboxState},
};
use jiff::Timestamp;
use maud::{Markup, html};
use url::form_urlencoded;

use crate::{
    listing::{Groups, Rows},
    query::{Filter, Tab, View},
    text::{ago, escape, exact, named_kind, number, objects, span, uri},
};

/// Failures by their causes.
pub(super) fn groups(view: &View, found: &Groups) -> Markup {
    let now = Timestamp::now();
    html! {
        (actions(view))
        @if found.all.is_empty() { (none("No failed object", view)) } @else {
            div.scroll tabindex="0" role="region" aria-label="Table" { table {
                caption {
                    (objects(found.count)) " failed, by kind and reason"
                    @if found.is_part { ". There are more: narrow the filter to see them" }
                }
                thead { tr { th.number { "Objects" } th { "Kind" } th { "Reason" } th { "First" } th { "Last" } th { "Example" } } }
                tbody { @for group in &found.all {
                    tr {
                        td.number { @if found.is_part { "≥ " } (number(group.count)) }
                        td { (kind(&group.example)) }
                        td.reason { a.open href={ "/?" (opened(view, &group.example)) } { bdi { (reason(&group.example)) } } }
                        td { (at(group.first.as_ref(), now)) }
                        td { (at(group.last.as_ref(), now)) }
                        td.name { (link(&group.example)) }
                    }
                } }
            } }
        }
    }
}

/// The files of a group. One without a reason cannot be selected by it.
fn opened(view: &View, example: &InboxObject) -> View {
    let reason = example.reason_group.clone();
    let kind = named_kind(&example.kind, &reason).to_owned();
    View { is_open: true, filter: Filter { kind, reason, ..view.filter.clone() }, ..view.clone() }
}

fn kind(info: &InboxObject) -> String {
    escape(named_kind(&info.kind, &info.reason_group))
}

fn reason(info: &InboxObject) -> String {
    if info.reason_group.is_empty() {
        "no reason is written on it".into()
    } else {
        escape(&info.reason_group)
    }
}

/// Objects one by one.
pub(super) fn rows(view: &View, found: &Rows) -> Markup {
    let now = Timestamp::now();
    let is_failed = view.tab == Tab::Failed;
    html! {
        @if is_failed { (actions(view)) }
        @if found.objects.is_empty() && found.next.is_empty() { (none("No object", view)) } @else {
            div.scroll tabindex="0" role="region" aria-label="Table" { table {
                caption { (objects(found.objects.len() as u64)) " of " (number(found.scanned)) " looked at, by name" }
                thead { tr {
                    @if is_failed { th { input #all type="checkbox" aria-label="Select all on this page"; } }
                    th { "Name" } th { (when(view.tab)) }
                    @match view.tab {
                        Tab::Failed => { th { "Kind" } th { "Code" } th { "Reason" } }
                        Tab::Waiting => { th { "State" } th.number { "Attempts" } th { "Reason" } }
                        _ => { th { "Outputs" } }
                    }
                } }
                tbody { @for info in &found.objects {
                    tr {
                        @if is_failed { td { input.select type="checkbox" value=(of(info)) aria-label={ "Select " (escape(&info.path)) }; } }
                        td.name { (link(info)) }
                        td { (at(info.settle_time.as_ref().or(created(info)), now)) }
                        @match view.tab {
                            Tab::Failed => { td { (kind(info)) } td { (info.code) } (reason_of(info)) }
                            Tab::Waiting => { td { (state(info)) } td.number { (info.attempts) } (reason_of(info)) }
                            _ => { td.name { @for output in &info.outputs { bdi { (escape(output)) } " " } } }
                        }
                    }
                } }
            } }
        }
        @if !found.next.is_empty() {
            p.pages { a rel="next" href={ "/?" (View { page: found.next.clone(), ..view.clone() }) } { "Next page" } }
        }
    }
}

/// What is in flight on the instance that the page watches.
pub(super) fn flights(flights: &[(InboxObject, Duration)], since: Timestamp) -> Markup {
    html! {
        p.quiet { "On the instance that this page watches since " (since.strftime("%H:%M UTC")) "." }
        @if flights.is_empty() { p { "Nothing is in flight." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Table" { table {
                caption { (objects(flights.len() as u64)) " in flight, the longest first" }
                thead { tr { th { "Name" } th.number { "For" } th.number { "Attempts before" } } }
                tbody { @for (info, elapsed) in flights {
                    tr { td.name { (link(info)) } td.number { (span(*elapsed)) } td.number { (info.attempts) } }
                } }
            } }
        }
    }
}

/// Buttons for what the filter selects.
fn actions(view: &View) -> Markup {
    let other = View { is_open: !view.is_open, page: String::new(), ..view.clone() };
    let filter = View { page: String::new(), ..view.clone() };
    html! {
        p.actions {
            @if view.is_open { button #replay-selected type="button" disabled { "Replay selected" } }
            button #replay-all type="button" { @if view.filter.is_empty() { "Replay all" } @else { "Replay all of this filter" } }
            a href={ "/failed.csv?" (filter) } download { "Download CSV" }
            a href={ "/?" (other) } { @if view.is_open { "By reason" } @else { "One by one" } }
        }
    }
}

fn none(what: &str, view: &View) -> Markup {
    html! { p { (what) @if view.filter.is_empty() { " is there." } @else { " matches the filter." } } }
}

fn when(tab: Tab) -> &'static str {
    match tab {
        Tab::Failed => "Failed",
        Tab::Processed => "Processed",
        _ => "Uploaded",
    }
}

fn reason_of(info: &InboxObject) -> Markup {
    let reason = if info.reason.is_empty() { &info.detail } else { &info.reason };
    html! { td.reason { bdi { (escape(reason)) } } }
}

fn state(info: &InboxObject) -> String {
    match info.state() {
        InboxState::Retrying => format!("retried at {}", exact(info.retry_time.as_ref())),
        InboxState::InFlight => "in flight".into(),
        InboxState::LeftOut => "left out".into(),
        InboxState::Waiting | InboxState::Unspecified => "waiting".into(),
    }
}

/// The object's own page.
pub(super) fn link(info: &InboxObject) -> Markup {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("name", &of(info)).finish();
    html! { a.open href={ "/object?" (query) } { bdi { (escape(&info.path)) } } }
}

pub(super) fn of(info: &InboxObject) -> String {
    info.object.as_ref().map(uri).unwrap_or_default()
}

pub(super) fn created(info: &InboxObject) -> Option<&ProtoTimestamp> {
    info.object.as_ref().and_then(|object| object.create_time.as_ref())
}

/// How long ago, with the exact time for those who ask.
pub(super) fn at(time: Option<&ProtoTimestamp>, now: Timestamp) -> Markup {
    let exact = exact(time);
    html! { @if time.is_some() { time datetime=(exact) title=(exact) { (ago(time, now)) } } }
}
