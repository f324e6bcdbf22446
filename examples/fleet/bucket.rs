//! What a bucket takes: writes and reads a second, and one write a second of one name. Above it answers 429.

use crate::{
    facts::{DOUBLES_IN, MINUTE, NAME_EVERY, SECOND},
    timeline::Micros,
};

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) writes: Rate,
    pub(crate) reads: Rate,
}

/// So many a second, which doubles when the demand has been higher for 20 minutes.
#[derive(Debug)]
pub(crate) struct Rate {
    pub(crate) limit: f64,
    second: u64,
    used: f64,
    /// The first refusal since it doubled last.
    short_since: Option<Micros>,
    pub(crate) refused: u64,
    pub(crate) last_refused: Micros,
    /// The most of one second that was above the limit: 0, unless the model is wrong.
    pub(crate) excess: f64,
    pub(crate) is_ignored: bool,
}

// === impl Bucket ===

impl Bucket {
    /// Writes a name whose last write was at `last`.
    pub(crate) fn write(&mut self, now: Micros, last: &mut Option<Micros>) -> bool {
        if last.is_some_and(|last| now < last + NAME_EVERY) || !self.writes.takes(now) {
            return false;
        }
        *last = Some(now);
        true
    }
}

// === impl Rate ===

impl Rate {
    pub(crate) fn new(limit: f64) -> Self {
        Self {
            limit,
            second: 0,
            used: 0.0,
            short_since: None,
            refused: 0,
            last_refused: 0,
            excess: 0.0,
            is_ignored: false,
        }
    }

    pub(crate) fn takes(&mut self, now: Micros) -> bool {
        if now / SECOND != self.second {
            self.second = now / SECOND;
            self.used = 0.0;
        }
        // It doubles under demand that lasts.
        if now >= self.last_refused + MINUTE {
            self.short_since = None;
        }
        if self.short_since.is_some_and(|since| now >= since + DOUBLES_IN) {
            self.limit *= 2.0;
            self.short_since = None;
        }
        if self.used + 1.0 > self.limit && !self.is_ignored {
            self.refused += 1;
            self.last_refused = now;
            self.short_since.get_or_insert(now);
            return false;
        }
        self.used += 1.0;
        self.excess = self.excess.max(self.used - self.limit);
        true
    }
}
