//! How far the work is: what was settled, what is in flight, what is left, and how long that takes.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use brigade_proto::v1::{GetStatusResponse, Object, ObjectSettled, Settlement};
use brigade_storage::object::escape;

use crate::inbox::text::{number, span};

/// The rate is that of this time.
const WINDOW: Duration = Duration::from_secs(20);
/// How often the rate's window moves.
const STEP: Duration = Duration::from_millis(500);
/// The longest name in the line.
const NAME: usize = 32;
/// The cells of the bar, on a terminal that is wide enough.
const BAR: u64 = 20;

/// What is known of the work. It is a line of text at any time.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Whether the line begins with a bar.
    has_bar: bool,
    /// Whether the command ends and waits for what is in flight alone.
    pub(crate) is_ending: bool,
    /// Settled since nothing was left last.
    done: u64,
    /// Settled then, in flight and waiting, when it was counted last; and whether there are more.
    total: Option<u64>,
    is_more: bool,
    failed: u64,
    /// Since when each is in flight.
    in_flight: HashMap<(String, i64), Instant>,
    retrying: String,
    next_retry: Option<Instant>,
    /// How many were settled, and how many settled or in flight, at which time; the oldest first.
    samples: VecDeque<(Instant, u64, u64)>,
}

// === impl Progress ===

impl Progress {
    /// Nothing was settled yet; the line begins with a bar.
    pub(crate) fn with_bar() -> Self {
        Self { has_bar: true, ..Self::default() }
    }

    /// The worker has an object, for so long.
    pub(crate) fn dispatched(&mut self, object: Option<&Object>, took: Duration, now: Instant) {
        self.begin();
        if let Some(object) = object {
            let since = now.checked_sub(took).unwrap_or(now);
            self.in_flight.entry((object.name.clone(), object.generation)).or_insert(since);
        }
    }

    /// The worker does not have it any more.
    pub(crate) fn has_ended(&mut self, object: Option<&Object>) {
        let object = object.cloned().unwrap_or_default();
        self.in_flight.remove(&(object.name, object.generation));
    }

    /// Nothing is in flight, as far as it is known.
    pub(crate) fn forget_in_flight(&mut self) {
        self.in_flight.clear();
    }

    /// An object has an outcome.
    pub(crate) fn settled(&mut self, settled: &ObjectSettled, now: Instant) {
        self.begin();
        self.has_ended(settled.object.as_ref());
        self.done += 1;
        self.failed += u64::from(settled.settlement() == Settlement::Failed);
        self.sample(now);
    }

    /// So many are left to settle, of which there may be more.
    pub(crate) fn expect(&mut self, left: u64, is_more: bool) {
        self.total = Some(self.done + left);
        self.is_more = is_more;
    }

    /// The poller has counted, some time ago.
    pub(crate) fn counted(&mut self, status: &GetStatusResponse, age: Duration, now: Instant) {
        let waiting = status.waiting.unwrap_or_default();
        let left = |count: i64| u64::try_from(count).unwrap_or(0);
        // What was passed to the worker since is among what waited.
        let before = now.checked_sub(age).unwrap_or(now);
        let then = self.samples.iter().rev().find(|(at, ..)| *at <= before);
        self.total = Some(then.map_or(0, |(_, _, known)| *known) + left(waiting.value));
        self.is_more = waiting.at_least;
        self.retrying = match status.retrying.unwrap_or_default().value {
            0 => String::new(),
            _ => crate::inbox::text::count(status.retrying.as_ref()),
        };
    }

    /// The next try of an object is in so long.
    pub(crate) fn next_retry(&mut self, wait: Option<Duration>, now: Instant) {
        self.next_retry = wait.and_then(|wait| now.checked_add(wait));
    }

    /// What it waits for, the longest first: `2 in flight: a.csv 14s, b.csv 2s`. Nothing when nothing is in flight.
    pub(crate) fn waits_for(&self, now: Instant) -> Option<String> {
        const NAMED: usize = 5;
        let mut all: Vec<_> = self.in_flight.iter().collect();
        all.sort_by_key(|(key, since)| (**since, *key));
        let name = |(key, since): &(&(String, i64), &Instant)| {
            format!("{} {}", escape(&key.0), span(now.saturating_duration_since(**since)))
        };
        let mut names: Vec<_> = all.iter().take(NAMED).map(name).collect();
        if all.len() > NAMED {
            names.push(format!("and {} more", number(all.len() as u64 - NAMED as u64)));
        }
        (!all.is_empty()).then(|| format!("{} in flight: {}", all.len(), names.join(", ")))
    }

    /// `1,204/2,000 · 32 in flight, longest subject-9.csv 14s · 41/s · 3 failed · ETA 19s`.
    pub(crate) fn line(&mut self, now: Instant, width: usize) -> String {
        self.sample(now);
        let total = self.total.map(|total| total.max(self.known()));
        let left = total.map(|total| total - self.done);
        let is_idle = left == Some(0);
        let mut parts = Vec::new();
        if self.is_ending {
            parts.push("ending, Ctrl-C ends now".to_owned());
        }
        if is_idle && !self.has_bar {
            parts.push("nothing waits".to_owned());
        } else if let Some(total) = total {
            let sign = if self.is_more { "≥ " } else { "" };
            let counts = format!("{}/{sign}{}", number(self.done), number(total));
            let bar =
                if self.has_bar && width >= 60 { bar(self.done, total) } else { String::new() };
            parts.push(bar + &counts);
        } else {
            parts.push(format!("{} settled", number(self.done)));
        }
        parts.extend(self.in_flight(now));
        let rate = if is_idle { 0.0 } else { self.rate(now) };
        parts.extend(shown(rate));
        if self.failed > 0 {
            parts.push(format!("{} failed", number(self.failed)));
        }
        if let Some(left) = left.filter(|_| !self.is_more && rate > 0.0) {
            #[allow(clippy::cast_precision_loss, reason = "it is an estimate")]
            let seconds = Duration::try_from_secs_f64((left as f64 / rate).ceil());
            parts.extend(seconds.ok().map(|left| format!("ETA {}", span(left))));
        }
        if !self.retrying.is_empty() {
            let wait = self.next_retry.map(|at| at.saturating_duration_since(now));
            let next = wait.map(|wait| format!(", next in {}", span(wait))).unwrap_or_default();
            parts.push(format!("{} to retry{next}", self.retrying));
        }
        parts.join(" · ")
    }

    /// Settled or in flight.
    fn known(&self) -> u64 {
        self.done + self.in_flight.len() as u64
    }

    fn in_flight(&self, now: Instant) -> Option<String> {
        let ((name, _), since) =
            self.in_flight.iter().min_by_key(|(key, since)| (**since, *key))?;
        let file = name.rsplit('/').find(|part| !part.is_empty()).unwrap_or(name);
        let longest = if self.in_flight.len() == 1 { "" } else { "longest " };
        let count = number(self.in_flight.len() as u64);
        let took = span(now.saturating_duration_since(*since));
        Some(format!("{count} in flight, {longest}{} {took}", short(&escape(file).to_string())))
    }

    /// What is settled after nothing was left counts from 0.
    fn begin(&mut self) {
        let is_over = self.total.is_some_and(|total| self.done >= total);
        if is_over && !self.has_bar && self.in_flight.is_empty() {
            (self.done, self.total) = (0, Some(0));
            self.samples.clear();
        }
    }

    fn sample(&mut self, now: Instant) {
        if self.samples.back().is_none_or(|(at, ..)| now.saturating_duration_since(*at) >= STEP) {
            self.samples.push_back((now, self.done, self.known()));
        }
        while self.samples.len() > 2 && now.saturating_duration_since(self.samples[1].0) >= WINDOW {
            self.samples.pop_front();
        }
    }

    /// Settled objects a second.
    #[allow(clippy::cast_precision_loss, reason = "it is an estimate")]
    fn rate(&self, now: Instant) -> f64 {
        let Some((at, done, _)) = self.samples.front() else { return 0.0 };
        let time = now.saturating_duration_since(*at).as_secs_f64();
        if time < 1.0 { 0.0 } else { (self.done - done) as f64 / time }
    }
}

/// `41/s`, or of slow ones `12/min`; nothing when nothing was settled.
fn shown(rate: f64) -> Option<String> {
    match rate {
        0.0 => None,
        slow if slow < 1.0 => Some(format!("{:.0}/min", (slow * 60.0).max(1.0))),
        rate if rate < 10.0 => Some(format!("{rate:.1}/s")),
        rate => Some(format!("{rate:.0}/s")),
    }
}

fn bar(done: u64, total: u64) -> String {
    let full = done.saturating_mul(BAR).checked_div(total).unwrap_or(BAR);
    let cells = (0..BAR).map(|cell| if cell < full { '█' } else { '░' });
    cells.chain([' ']).collect()
}

/// The end of a name tells more than its beginning.
fn short(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME {
        return name.to_owned();
    }
    ['…'].into_iter().chain(name.chars().skip(length - NAME + 1)).collect()
}

#[cfg(test)]
mod tests {
    use brigade_proto::v1::Count;

    use super::*;

    fn object(name: &str) -> Object {
        Object { name: name.into(), generation: 1, ..Object::default() }
    }

    fn settled(name: &str, settlement: Settlement) -> ObjectSettled {
        let (object, settlement) = (Some(object(name)), settlement.into());
        ObjectSettled { object, settlement, ..ObjectSettled::default() }
    }

    fn waiting(value: i64, at_least: bool, in_flight: i64) -> GetStatusResponse {
        let waiting = Some(Count { value, at_least });
        GetStatusResponse { waiting, in_flight, ..GetStatusResponse::default() }
    }

    #[test]
    fn the_line_says_how_far_it_is_and_what_takes_longest() {
        let (start, mut line, mut lines) = (Instant::now(), Progress::default(), Vec::new());
        let after = |seconds| start + Duration::from_secs(seconds);
        lines.push(line.line(start, 80));
        line.counted(&waiting(2_000, false, 0), Duration::ZERO, start);
        lines.push(line.line(start, 80));
        for name in ["incoming/subject-9", "incoming/a", "incoming/b"] {
            line.dispatched(Some(&object(name)), Duration::ZERO, start);
        }
        for n in 0..400 {
            let settlement = if n < 3 { Settlement::Failed } else { Settlement::Processed };
            line.settled(&settled(&format!("incoming/{n}"), settlement), after(10));
        }
        line.has_ended(Some(&object("incoming/a")));
        lines.push(line.line(after(10), 80));
        // What was settled after the count is not among what is left.
        line.counted(&waiting(2_000, false, 0), Duration::from_secs(11), after(11));
        lines.push(line.line(after(11), 80));
        let retrying = Some(Count { value: 2, at_least: false });
        let status = GetStatusResponse { retrying, ..waiting(20_000, true, 2) };
        line.counted(&status, Duration::ZERO, after(12));
        line.next_retry(Some(Duration::from_secs(98)), after(12));
        lines.push(line.line(after(12), 80));
        line.is_ending = true;
        lines.push(line.line(after(13), 80));
        lines.push(line.waits_for(after(13)).unwrap());
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_comes_after_nothing_was_left_counts_from_zero() {
        let (now, mut line) = (Instant::now(), Progress::default());
        line.counted(&waiting(1, false, 0), Duration::ZERO, now);
        line.dispatched(Some(&object("a")), Duration::ZERO, now);
        line.settled(&settled("a", Settlement::Failed), now);
        assert_eq!(line.line(now, 80), "nothing waits · 1 failed");
        line.dispatched(Some(&object("incoming/2026/b")), Duration::ZERO, now);
        assert_eq!(line.line(now, 80), "0/1 · 1 in flight, b 0s · 1 failed");
    }

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done_and_only_on_a_wide_terminal() {
        let (now, mut line) = (Instant::now(), Progress::with_bar());
        assert_eq!(line.line(now, 80), "0 settled");
        line.expect(2, false);
        line.settled(&settled("a", Settlement::Processed), now);
        assert_eq!(line.line(now, 80), "██████████░░░░░░░░░░ 1/2");
        assert_eq!(line.line(now, 40), "1/2");
        line.settled(&settled("b", Settlement::Processed), now);
        assert_eq!(line.line(now, 80), "████████████████████ 2/2");
    }

    #[test]
    fn names_are_cut_at_their_beginning_and_escaped() {
        let (now, mut line) = (Instant::now(), Progress::default());
        let name = format!("x/{}\n.csv", "é".repeat(100));
        line.dispatched(Some(&object(&name)), Duration::ZERO, now);
        let shown = line.line(now, 80);
        assert!(shown.contains("é\\n.csv 0s") && shown.chars().count() < 70, "{shown}");
    }
}
