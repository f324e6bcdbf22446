//! The filter as a form, whose fields are the parameters of the address.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::query::{Filter, Tab, View};

/// Empty fields filter nothing.
pub(super) fn form(view: &View) -> Markup {
    let Filter { since, until, kind, code, reason, glob, prefix } = &view.filter;
    let time = |time: &Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let code = code.map(|code| code.to_string()).unwrap_or_default();
    let is_failed = view.tab == Tab::Failed;
    html! {
        form.filter method="get" action="/" role="search" aria-label="Filter" {
            input type="hidden" name="tab" value=(view.tab.name());
            @if view.is_open { input type="hidden" name="view" value="files"; }
            (field("match", "Name matches", glob, "**/*.csv"))
            (field("prefix", "Name begins with", prefix, "2026/"))
            (field("since", "Since", &time(since), "18h"))
            (field("until", "Until", &time(until), "1h"))
            @if is_failed {
                (field("kind", "Kind", kind, "no-day"))
                (field("code", "Code", &code, "INVALID_ARGUMENT"))
                (field("reason", "Reason, folded", reason, ""))
            }
            button { "Filter" }
            @if !view.filter.is_empty() { a href={ "/?" (View { is_open: view.is_open, ..View::of_tab(view.tab) }) } { "Clear" } }
        }
    }
}

fn field(name: &str, label: &str, value: &str, example: &str) -> Markup {
    html! {
        label { span { (label) } input name=(name) value=(value) placeholder=(example) autocomplete="off" spellcheck="false"; }
    }
}
