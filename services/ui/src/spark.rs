//! How many objects were settled, minute by minute, and a drawing of it.

use std::collections::VecDeque;

use brigade_proto::v1::Settlement;
use jiff::Timestamp;
use maud::{Markup, html};

/// A day.
const KEPT: usize = 24 * 60;
/// Bars of a drawing.
const BARS: usize = 30;
const HEIGHT: u64 = 20;

/// Counts of the minutes in which something was settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minutes(VecDeque<Minute>);

#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    at: i64,
    processed: u64,
    failed: u64,
}

// === impl Minutes ===

impl Minutes {
    pub(crate) fn note(&mut self, settlement: Settlement) {
        self.note_at(Timestamp::now().as_second() / 60, settlement);
    }

    fn note_at(&mut self, at: i64, settlement: Settlement) {
        if self.0.back().is_none_or(|last| last.at != at) {
            if self.0.len() == KEPT {
                self.0.pop_front();
            }
            self.0.push_back(Minute { at, ..Minute::default() });
        }
        let Some(last) = self.0.back_mut() else { return };
        match settlement {
            Settlement::Processed => last.processed += 1,
            Settlement::Failed => last.failed += 1,
            _ => {}
        }
    }

    /// The bars of the time since `since`, a day at most, and the minutes of one bar.
    fn bars(&self, since: i64, now: i64, settlement: Settlement) -> ([u64; BARS], i64) {
        let span = (now - since + 1).clamp(1, 24 * 60);
        let bar = span.unsigned_abs().div_ceil(BARS as u64).cast_signed();
        let mut bars = [0; BARS];
        for minute in &self.0 {
            let behind = usize::try_from((now - minute.at) / bar).unwrap_or(usize::MAX);
            if let Some(index) = (BARS - 1).checked_sub(behind) {
                bars[index] +=
                    if settlement == Settlement::Failed { minute.failed } else { minute.processed };
            }
        }
        (bars, bar)
    }

    /// A drawing, with its numbers for those who do not see it.
    pub(crate) fn draw(&self, since: Timestamp, settlement: Settlement) -> Markup {
        let minute = |time: Timestamp| time.as_second() / 60;
        let (bars, width) = self.bars(minute(since), minute(Timestamp::now()), settlement);
        let (most, total) = (bars.iter().copied().max().unwrap_or(0), bars.iter().sum::<u64>());
        let label =
            format!("{total} seen since this page started, a bar is {width} min, at most {most}");
        html! {
            svg.spark viewBox={ "0 0 " (BARS * 4) " " (HEIGHT) } role="img" aria-label=(label) {
                title { (label) }
                @for (index, count) in bars.iter().enumerate() {
                    @let height = if most == 0 { 1 } else { (count * HEIGHT).div_ceil(most).max(1) };
                    rect x=(index * 4) y=(HEIGHT - height) width="3" height=(height) {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_minutes_are_on_the_right() {
        let mut minutes = Minutes::default();
        for (at, settlement) in
            [(100, Settlement::Failed), (159, Settlement::Failed), (159, Settlement::Processed)]
        {
            minutes.note_at(at, settlement);
        }
        let (bars, width) = minutes.bars(100, 159, Settlement::Failed);
        assert_eq!((bars[0], bars[BARS - 1], width), (1, 1, 2));
        assert_eq!(bars.iter().sum::<u64>(), 2);
        let (bars, width) = minutes.bars(0, 100_000, Settlement::Failed);
        assert_eq!((bars.iter().sum::<u64>(), width), (0, 48), "a day is kept at most");
    }
}
