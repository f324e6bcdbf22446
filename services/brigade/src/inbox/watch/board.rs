//! What a person sees of a poller at work.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use brigade_proto::v1::{
    InboxObject, ObjectSettled, PollResponse, Settlement, WatchEventsResponse,
    poll_response::Event as PollEvent, watch_events_response::Event,
};
use brigade_storage::object::escape;
use owo_colors::Style;

use super::follow::Update;
use crate::{
    dev::table::shown,
    inbox::{
        out::{Out, object},
        table::shortened,
        text::{self, duration, number, span, time},
    },
};

/// Settlements that are kept to be shown: more than a screen has lines.
const KEPT: usize = 200;

/// The state of one instance, as far as its events tell.
#[derive(Debug)]
pub(super) struct Board {
    what: String,
    began: Instant,
    /// Since when each object is in flight, by name and generation.
    in_flight: HashMap<(String, i64), Instant>,
    /// In flight and not named: a snapshot has a limit.
    unnamed: u64,
    settled: VecDeque<Row>,
    processed: u64,
    failed: u64,
    left: u64,
    missed: u64,
    poll: String,
    /// Why the connection was lost, while it is.
    lost: Option<String>,
}

/// One settlement.
#[derive(Debug)]
struct Row {
    at: String,
    word: &'static str,
    style: Style,
    text: String,
}

// === impl Board ===

impl Board {
    pub(super) fn new(what: String, began: Instant) -> Self {
        Self {
            what,
            began,
            in_flight: HashMap::new(),
            unnamed: 0,
            settled: VecDeque::new(),
            processed: 0,
            failed: 0,
            left: 0,
            missed: 0,
            poll: "none runs".to_owned(),
            lost: None,
        }
    }

    pub(super) fn update(&mut self, update: Update, now: Instant) {
        match update {
            Update::Event(response) => {
                self.lost = None;
                self.event(*response, now);
            }
            Update::Lost(why) => self.lost = Some(why),
            Update::Ended(_) => {}
        }
    }

    fn event(&mut self, response: WatchEventsResponse, now: Instant) {
        let at = time(response.time.as_ref());
        let at = at.map(|at| at.strftime("%H:%M:%SZ").to_string()).unwrap_or_default();
        match response.event {
            Some(Event::Snapshot(snapshot)) => {
                self.in_flight = snapshot.objects.iter().map(|info| in_flight(info, now)).collect();
                let count = u64::try_from(snapshot.count).unwrap_or(0);
                self.unnamed = count.saturating_sub(self.in_flight.len() as u64);
            }
            Some(Event::Dispatched(info)) => {
                let (key, since) = in_flight(&info, now);
                self.in_flight.insert(key, since);
            }
            Some(Event::Poll(response)) => self.poll(response, at),
            Some(Event::Missed(missed)) => self.missed += u64::try_from(missed).unwrap_or(0),
            Some(Event::Heartbeat(_)) | None => {}
        }
    }

    fn poll(&mut self, response: PollResponse, at: String) {
        match response.event {
            Some(PollEvent::Started(started)) => {
                self.poll = format!("{} runs since {at}, by {}", started.poll_id, started.trigger);
            }
            Some(PollEvent::Finished(finished)) => {
                let reason = text::reason(&finished);
                self.poll = format!("none runs; the last one ended at {at}: {reason}");
            }
            Some(PollEvent::Settled(settled)) => self.settle(&settled, at),
            Some(PollEvent::Skipped(_)) | None => {}
        }
    }

    fn settle(&mut self, settled: &ObjectSettled, at: String) {
        let object = settled.object.clone().unwrap_or_default();
        if self.in_flight.remove(&(object.name.clone(), object.generation)).is_none() {
            self.unnamed = self.unnamed.saturating_sub(1);
        }
        let (word, style) = match settled.settlement() {
            Settlement::Planned => ("planned", Style::new().dimmed()),
            other => shown(other),
        };
        match settled.settlement() {
            Settlement::Processed => self.processed += 1,
            Settlement::Failed => self.failed += 1,
            Settlement::Retry | Settlement::Held | Settlement::Stopped => self.left += 1,
            _ => {}
        }
        let took = span(duration(settled.duration.as_ref()));
        let remark = if settled.summary.is_empty() { &settled.reason } else { &settled.summary };
        let text = format!("{}  {took}  {}", escape(&object.name), escape(remark));
        self.settled.push_front(Row { at, word, style, text });
        self.settled.truncate(KEPT);
    }

    /// The lines of a screen.
    pub(super) fn lines(
        &self,
        columns: usize,
        rows: usize,
        now: Instant,
        out: &Out,
    ) -> Vec<String> {
        let cut = |text: String| shortened(&text, columns);
        let heading = |text: &str| out.styled(&shortened(text, columns), Style::new().dimmed());
        let mut lines = vec![
            out.styled(&cut(format!("{} · Ctrl-C ends", escape(&self.what))), Style::new().bold()),
            cut(self.counts(now)),
            cut(format!("poll: {}", escape(&self.poll))),
        ];
        if let Some(lost) = &self.lost {
            let text = cut(format!("connection lost, trying again: {}", escape(lost)));
            lines.push(out.styled(&text, Style::new().red()));
        }
        let mut in_flight: Vec<_> = self.in_flight.iter().collect();
        in_flight.sort_by_key(|((name, _), since)| (**since, name.clone()));
        let room = rows.saturating_sub(lines.len() + 4);
        // Half of the screen each, unless one needs less.
        let for_flight =
            in_flight.len().min((room / 2).max(room.saturating_sub(self.settled.len())));
        lines.extend([String::new(), heading("IN FLIGHT")]);
        lines.extend(in_flight.iter().take(for_flight).map(|((name, _), since)| {
            let age = span(now.saturating_duration_since(**since));
            cut(format!("{age:>7}  {}", escape(name)))
        }));
        lines.extend([String::new(), heading("SETTLED")]);
        lines.extend(self.settled.iter().take(room - for_flight).map(|row| {
            let before = format!("{}  {:<10}  ", row.at, row.word);
            let text = shortened(&row.text, columns.saturating_sub(before.chars().count()));
            let word = out.styled(&format!("{:<10}", row.word), row.style);
            format!("{}  {word}  {text}", row.at)
        }));
        lines.truncate(rows);
        lines
    }

    /// `3 in flight, longest 14s · 12 processed · 1 failed · 0 left for later`.
    fn counts(&self, now: Instant) -> String {
        let count = self.in_flight.len() as u64 + self.unnamed;
        let longest = self
            .in_flight
            .values()
            .min()
            .map(|since| format!(", longest {}", span(now.saturating_duration_since(*since))));
        let missed = match self.missed {
            0 => String::new(),
            missed => format!(" · {} events missed", number(missed)),
        };
        let (longest, settled) = (longest.unwrap_or_default(), self.settled_counts());
        format!("{} in flight{longest} · {settled}{missed}", number(count))
    }

    fn settled_counts(&self) -> String {
        let [processed, failed, left] = [self.processed, self.failed, self.left].map(number);
        format!("{processed} processed · {failed} failed · {left} left for later")
    }

    /// What stays on the terminal.
    pub(super) fn summary(&self, now: Instant) -> String {
        let watched = span(now.saturating_duration_since(self.began));
        format!("watched {} for {watched}: {}", escape(&self.what), self.settled_counts())
    }
}

/// An object in flight, and since when.
fn in_flight(info: &InboxObject, now: Instant) -> ((String, i64), Instant) {
    let object = object(info);
    let since: Duration = duration(info.in_flight.as_ref());
    ((object.name, object.generation), now.checked_sub(since).unwrap_or(now))
}
