//! The HTML. Every name and reason is text: templates escape it.

mod filter;
mod header;
mod object;
mod polls;
mod rows;

use std::time::Duration;

use brigade_proto::v1::{GetObjectResponse, GetStatusResponse, InboxObject};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use tonic::Status;

use crate::{
    listing::{Groups, Rows},
    live::{Changes, Poll},
    query::{Tab, View},
    spark::Minutes,
};

/// What every page has around its content.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// Names the poller.
    pub(crate) what: String,
    /// For changes.
    pub(crate) token: String,
    pub(crate) takes_files: bool,
    pub(crate) minutes: Minutes,
    /// Since when the page sees events.
    pub(crate) since: Timestamp,
}

/// The state of the inbox.
#[derive(Clone, Debug)]
pub(crate) enum Header {
    Status(Box<GetStatusResponse>),
    Error(Status),
    /// The poller still counts.
    Counting,
}

/// What a tab shows.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Groups(Groups),
    Rows(Rows),
    Flights(Vec<(InboxObject, Duration)>),
    Polls(Vec<Poll>),
    Error(Status),
}

/// A tab.
pub(crate) fn page(
    frame: &Frame,
    changes: &Changes,
    view: &View,
    header: &Header,
    content: &Content,
) -> Markup {
    let main = html! {
        (tabs(view.tab))
        main #main data-tab=(view.tab.name()) data-filter=(View { page: String::new(), ..view.clone() }) {
            @if view.tab.place().is_some() { (filter::form(view)) }
            @match content {
                Content::Groups(groups) => (rows::groups(view, groups)),
                Content::Rows(rows) => (rows::rows(view, rows)),
                Content::Flights(flights) => (rows::flights(flights, frame.since)),
                Content::Polls(polls) => (polls::table(polls, frame.since)),
                Content::Error(status) => p.error role="alert" { (status.message()) },
            }
        }
        @if frame.takes_files {
            p #drop .quiet { "Drop files here to put them into the inbox, or " label { "choose them: " input #files type="file" multiple; } }
        }
    };
    document(frame, view.tab.title(), Some((changes, header)), &main)
}

/// One object.
pub(crate) fn object(frame: &Frame, found: &GetObjectResponse) -> Markup {
    document(frame, "Object", None, &html! { main #main { (object::detail(found)) } })
}

/// The header by itself, for a page that is open.
pub(crate) fn header(frame: &Frame, header: &Header) -> Markup {
    header::status(frame, header)
}

/// A request that the page cannot serve.
pub(crate) fn problem(frame: &Frame, why: &str) -> Markup {
    let main = html! {
        main #main { p.error role="alert" { (why) } p { a href="/" { "All failed objects" } } }
    };
    document(frame, "Error", None, &main)
}

fn document(
    frame: &Frame,
    title: &str,
    state: Option<(&Changes, &Header)>,
    main: &Markup,
) -> Markup {
    let seen = state.map(|(changes, _)| changes.to_json().to_string());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="token" content=(frame.token);
                @if let Some(seen) = seen { meta name="seen" content=(seen); }
                title { (title) " · Bucket Brigade" }
                link rel="stylesheet" href="/style.css";
                script src="/page.js" defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    p.title { a href="/" { "Bucket Brigade" } " " span.quiet { (frame.what) } }
                    div #status { @if let Some((_, header)) = state { (header::status(frame, header)) } }
                }
                (main)
                p #lost role="status" {}
                p #news role="status" {}
                (dialogs())
            }
        }
    }
}

fn tabs(shown: Tab) -> Markup {
    html! {
        nav aria-label="Places" {
            @for tab in Tab::ALL {
                a href={ "/?" (View::of_tab(tab)) } aria-current=[(tab == shown).then_some("page")] { (tab.title()) }
            }
            button #poll type="button" { "Poll now" }
            button #keys type="button" aria-label="Keys" { "?" }
        }
    }
}

/// The script fills and opens them.
fn dialogs() -> Markup {
    const KEYS: [(&str, &str); 6] = [
        ("/", "go to the filter"),
        ("j k", "next and previous row"),
        ("x", "select the row"),
        ("Enter", "open the row"),
        ("r", "load the page again"),
        ("?", "show the keys"),
    ];
    html! {
        dialog #ask aria-labelledby="asked" {
            p #asked {}
            ul #left {}
            progress #progress hidden aria-label="Progress" {}
            form method="dialog" { button #no value="no" { "Cancel" } button #yes type="button" { "Replay" } }
        }
        dialog #help aria-label="Keys" {
            dl { @for (key, what) in KEYS { dt { kbd { (key) } } dd { (what) } } }
            form method="dialog" { button { "Close" } }
        }
    }
}

#[cfg(test)]
mod tests;
