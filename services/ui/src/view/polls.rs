//! The polls that this page has seen.

use jiff::Timestamp;
use maud::{Markup, html};

use super::rows::at;
use crate::{
    live::Poll,
    text::{duration, ended, escape, span},
};

/// The newest first.
pub(super) fn table(polls: &[Poll], since: Timestamp) -> Markup {
    let now = Timestamp::now();
    html! {
        p.quiet { "Of the instance that this page watches since " (since.strftime("%H:%M UTC")) "." }
        @if polls.is_empty() { p { "No poll began since then." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Table" { table {
                caption { "Polls, the newest first" }
                thead { tr { th { "Began" } th { "Poll" } th { "By" } th.number { "Took" } th { "End" } } }
                tbody { @for Poll { started, finished, is_unsure } in polls {
                    tr {
                        td { (at(started.start_time.as_ref(), now)) }
                        td { code { (started.poll_id) } }
                        td { (escape(&started.trigger)) " " (escape(&started.trigger_name)) }
                        td.number { (finished.as_ref().map(|end| span(duration(end.duration.as_ref()))).unwrap_or_default()) }
                        td { (finished.as_ref().map_or_else(|| unended(*is_unsure), ended)) }
                    }
                } }
            } }
        }
    }
}

fn unended(is_unsure: bool) -> String {
    if is_unsure { "not seen: the poller's events broke off meanwhile" } else { "runs" }.to_owned()
}
