//! The lost calls of one object: what is known of each, as it is written on the object, and whether they are enough.
//!
//! A call is lost when it was sent, and the worker's process or its connection ended before an answer. Most losses are no
//! object's fault: workers are redeployed. An object whose calls are lost again and again while it is the only one at work
//! ends the worker itself, as one does that takes more memory than there is.

use std::{fmt, time::Duration};

use jiff::{SignedDuration, Timestamp};

/// An object fails after so many losses at most: more are not kept.
pub(crate) const MOST: u32 = 8;

/// The losses that are kept: the first one, and the last ones.
const KEPT: usize = 1 + MOST as usize;

/// Losses that only the worker's health speaks for must be spread over this time.
const MIN_SPAN: SignedDuration = SignedDuration::from_mins(10);

/// What is known of a lost call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Other calls were in flight.
    Together,
    /// It was the only call of this poller, and nothing shows that the worker was well.
    Alone,
    /// The same, and the worker answered its health check before, and lost no other call since the loss before.
    Healthy,
    /// The same, and the worker has accepted another object since this object's first loss.
    Counted,
}

/// One lost call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Loss {
    pub(crate) at: Timestamp,
    /// How long the call had lasted.
    pub(crate) after: Duration,
    pub(crate) how: How,
}

/// The lost calls of one generation, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Losses(Vec<Loss>);

/// With what an object may be in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// With all others.
    None,
    /// With others, once all that were never lost have had their turn.
    Last,
    /// Alone.
    Alone,
}

const HOW: [(How, &str); 4] = [
    (How::Together, "together"),
    (How::Alone, "alone"),
    (How::Healthy, "healthy"),
    (How::Counted, "counted"),
];

// === impl Losses ===

impl Losses {
    /// As written on an object. What cannot be read is no loss.
    pub(crate) fn parse(written: &str) -> Self {
        Self(written.split("; ").filter_map(Loss::parse).collect())
    }

    pub(crate) fn push(&mut self, loss: Loss) {
        if self.0.len() >= KEPT {
            self.0.remove(1);
        }
        self.0.push(loss);
    }

    pub(crate) fn first(&self) -> Option<Loss> {
        self.0.first().copied()
    }

    pub(crate) fn last(&self) -> Option<Loss> {
        self.0.last().copied()
    }

    /// Whether one of them was at about this time.
    pub(crate) fn any_within(&self, span: SignedDuration, at: Timestamp) -> bool {
        self.0.iter().any(|loss| loss.at.duration_since(at).abs() <= span)
    }

    /// How long the longest of the lost calls had lasted.
    pub(crate) fn longest(&self) -> Duration {
        self.0.iter().map(|loss| loss.after).max().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// How many were lost alone.
    pub(crate) fn alone(&self) -> usize {
        self.0.iter().filter(|loss| loss.how != How::Together).count()
    }

    pub(crate) fn isolation(&self) -> Isolation {
        match self.0.len() {
            0 => Isolation::None,
            1 if self.alone() == 0 => Isolation::Last,
            _ => Isolation::Alone,
        }
    }

    /// Whether they are as many as are kept: this object may go on so for ever.
    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= KEPT
    }

    /// Why the object goes to the failed location; nothing while there are too few that count. `max` 0: never.
    pub(crate) fn verdict(&self, max: u32, last_error: &str) -> Option<String> {
        if max == 0 {
            return None;
        }
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let of = |how: &[How]| -> Vec<&Loss> {
            self.0.iter().filter(|loss| how.contains(&loss.how)).collect()
        };
        let (seen, losses) = match (of(&[How::Counted]), of(&[How::Counted, How::Healthy])) {
            (counted, _) if counted.len() >= max => ("accepted other files beside it", counted),
            (_, all) if all.len() >= max && span(&all) >= MIN_SPAN => {
                ("was healthy before each of them", all)
            }
            _ => return None,
        };
        let times: Vec<_> = losses
            .iter()
            .map(|loss| format!("{} after {}", loss.at, Seconds(loss.after)))
            .collect();
        Some(format!(
            "the worker's process or its connection ended {} times while this file was the only one at work: {}; the \
             worker {seen}; the file probably ends the worker, for instance by taking more memory than there is; the \
             last error: {last_error}",
            losses.len(),
            times.join(", "),
        ))
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, loss) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            let how = HOW.iter().find(|(how, _)| *how == loss.how).map_or("", |(_, name)| name);
            write!(f, "{separator}{} {} {how}", loss.at, Seconds(loss.after))?;
        }
        Ok(())
    }
}

fn span(losses: &[&Loss]) -> SignedDuration {
    match losses {
        [first, .., last] => last.at.duration_since(first.at),
        _ => SignedDuration::ZERO,
    }
}

// === impl Loss ===

impl Loss {
    fn parse(written: &str) -> Option<Self> {
        let mut parts = written.split(' ');
        let (at, after, how) = (parts.next()?, parts.next()?, parts.next()?);
        let after = after.strip_suffix('s')?.parse().ok()?;
        let (how, _) = HOW.iter().find(|(_, name)| *name == how)?;
        Some(Self {
            at: at.parse().ok()?,
            after: Duration::try_from_secs_f64(after).ok()?,
            how: *how,
        })
    }
}

/// Seconds with one digit behind the point.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}s", self.0.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(minute: i64, how: How) -> Loss {
        let at = Timestamp::from_second(minute * 60).unwrap();
        Loss { at, after: Duration::from_millis(1_500), how }
    }

    fn losses(how: &[How]) -> Losses {
        let mut losses = Losses::default();
        for (minute, how) in (0..).zip(how) {
            losses.push(loss(minute, *how));
        }
        losses
    }

    #[test]
    fn losses_are_read_as_they_are_written() {
        let all = losses(&HOW.map(|(how, _)| how));
        assert_eq!(Losses::parse(&all.to_string()), all);
        insta::assert_snapshot!(all);
    }

    #[test]
    fn what_cannot_be_read_is_no_loss() {
        for odd in [
            "",
            ";",
            "x 1s alone",
            "1970-01-01T00:00:00Z -1s alone",
            "1970-01-01T00:00:00Z 1e300s alone",
        ] {
            assert_eq!(Losses::parse(odd), Losses::default(), "{odd}");
        }
    }

    #[test]
    fn an_object_is_asked_last_after_one_loss_and_alone_after_two() {
        use How::{Alone, Together};
        for (how, isolation) in [
            (vec![], Isolation::None),
            (vec![Together], Isolation::Last),
            (vec![Together, Together], Isolation::Alone),
            (vec![Alone], Isolation::Alone),
        ] {
            assert_eq!(losses(&how).isolation(), isolation, "{how:?}");
        }
    }

    #[test]
    fn only_losses_that_count_are_held_against_an_object() {
        use How::{Alone, Counted, Healthy, Together};
        let fails = |how: &[How]| losses(how).verdict(3, "reset").is_some();
        assert!(!fails(&[Together; 9]) && !fails(&[Alone; 9]));
        assert!(!fails(&[Counted; 2]) && fails(&[Counted; 3]));
        assert!(fails(&[Together, Counted, Alone, Counted, Together, Counted]));
        assert!(!fails(&[Healthy; 3]), "within two minutes");
        let mut spread = losses(&[Healthy; 2]);
        spread.push(loss(10, Healthy));
        assert!(spread.verdict(3, "reset").is_some());
        assert_eq!(spread.verdict(4, "reset"), None);
        assert_eq!(losses(&[Counted; 9]).verdict(0, "reset"), None);
    }

    #[test]
    fn the_reason_names_what_happened_and_when() {
        let counted = losses(&[How::Together, How::Counted, How::Counted]);
        let healthy = {
            let mut losses = losses(&[How::Healthy]);
            losses.push(loss(10, How::Healthy));
            losses
        };
        let reasons = [counted, healthy].map(|losses| losses.verdict(2, "reset").unwrap());
        insta::assert_snapshot!(reasons.join("\n"));
    }

    #[test]
    fn the_first_loss_and_the_last_ones_are_kept() {
        let many = losses(&[How::Alone; 20]);
        assert!(many.is_full());
        assert_eq!(
            (many.first(), many.last()),
            (Some(loss(0, How::Alone)), Some(loss(19, How::Alone)))
        );
        assert!(many.to_string().len() < 500);
        let eight = losses(&[How::Alone; 8]);
        assert!(!eight.is_full());
    }

    #[test]
    fn as_many_losses_are_kept_as_the_largest_limit_takes_and_the_first_one_besides() {
        let mut all = losses(&[How::Together; 2]);
        for minute in 2..2 + i64::from(MOST) {
            assert_eq!(all.verdict(MOST, "reset"), None);
            all.push(loss(minute, How::Counted));
        }
        assert!(all.verdict(MOST, "reset").is_some());
        assert_eq!(all.first(), Some(loss(0, How::Together)));
    }

    #[test]
    fn the_longest_loss_is_known_wherever_it_stands() {
        let mut all = losses(&[How::Alone; 2]);
        assert_eq!(all.longest(), Duration::from_millis(1_500));
        all.push(Loss { after: Duration::from_secs(9), ..loss(2, How::Alone) });
        all.push(loss(3, How::Alone));
        assert_eq!(all.longest(), Duration::from_secs(9));
        assert_eq!(Losses::default().longest(), Duration::ZERO);
    }
}
