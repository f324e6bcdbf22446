//! Numbers and times as a person reads them.

use std::time::Duration;

use brigade_proto::{
    Duration as ProtoDuration, Timestamp as ProtoTimestamp,
    v1::{Count, Object, PollFinished},
};
use jiff::Timestamp;

/// `14s`, `6m02s`, `2h14m`, `3d04h`: two units, the smaller one only when it is not zero.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (large, unit, small, small_unit) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3_600 => (seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => (seconds / 3_600, "h", seconds / 60 % 60, "m"),
        _ => (seconds / 86_400, "d", seconds / 3_600 % 24, "h"),
    };
    match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small:02}{small_unit}"),
    }
}

/// A duration of the contract.
pub fn duration(given: Option<&ProtoDuration>) -> Duration {
    let given = given.copied().unwrap_or_default();
    let seconds = given.seconds.try_into().unwrap_or(0);
    Duration::new(seconds, given.nanos.try_into().unwrap_or(0))
}

/// A time of the contract.
pub fn time(given: Option<&ProtoTimestamp>) -> Option<Timestamp> {
    given.and_then(|given| Timestamp::new(given.seconds, given.nanos).ok())
}

/// The same for the contract.
pub fn to_proto(time: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// How long ago it was; 0 for what is still to come.
pub fn since(time: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time)).unwrap_or_default()
}

/// `2h14m ago`.
pub fn ago(time: Option<&ProtoTimestamp>, now: Timestamp) -> String {
    self::time(time).map(|time| format!("{} ago", span(since(time, now)))).unwrap_or_default()
}

/// A time to the second, for a program.
pub fn exact(time: Option<&ProtoTimestamp>) -> String {
    let second = self::time(time).and_then(|time| Timestamp::from_second(time.as_second()).ok());
    second.map(|time| time.to_string()).unwrap_or_default()
}

/// `1,204`.
pub fn number(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(0).to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1,204`, or `≥ 10,000` when the count ended at a limit.
pub fn count(count: Option<&Count>) -> String {
    let Count { value, at_least } = count.copied().unwrap_or_default();
    format!("{}{}", if at_least { "≥ " } else { "" }, number(value))
}

/// What could repaint a line is escaped: controls, bidirectional overrides, line separators and invisible characters.
pub fn escape(name: &str) -> String {
    let is_unsafe = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let mut shown = String::with_capacity(name.len());
    for c in name.chars() {
        if is_unsafe(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// `gs://bucket/name`.
pub fn uri(object: &Object) -> String {
    format!("gs://{}/{}", object.bucket, object.name)
}

/// The kind that a worker named. Where it named none the kind is the folded reason, cut to the length of a kind.
pub fn named_kind<'a>(kind: &'a str, reason_group: &str) -> &'a str {
    if reason_group.starts_with(kind) { "" } else { kind }
}

/// Why a poll ended: `already running`.
pub fn reason(finished: &PollFinished) -> String {
    let reason = finished.reason().as_str_name().trim_start_matches("END_REASON_");
    reason.to_lowercase().replace('_', " ")
}

/// How a poll ended: `complete: 3 found, 2 processed, 1 failed, 0 to be tried again`.
pub fn ended(finished: &PollFinished) -> String {
    let counts = finished.counts.unwrap_or_default();
    let reason = reason(finished);
    let [found, processed, failed, retry] =
        [counts.found, counts.processed, counts.failed, counts.retry].map(number);
    format!(
        "{reason}: {found} found, {processed} processed, {failed} failed, {retry} to be tried again"
    )
}

/// `1 object`, `1,204 objects`.
pub fn objects(count: u64) -> String {
    format!("{} object{}", number(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (180, "3m"),
            (362, "6m02s"),
            (8_040, "2h14m"),
            (7_200, "2h"),
            (273_600, "3d04h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn numbers_have_their_thousands_apart_and_say_when_there_are_more() {
        assert_eq!(
            (number(7), number(1_204), number(-1)),
            ("7".into(), "1,204".into(), "0".into())
        );
        assert_eq!(count(Some(&Count { value: 10_000, at_least: true })), "≥ 10,000");
        assert_eq!((objects(1), objects(2)), ("1 object".into(), "2 objects".into()));
    }

    #[test]
    fn an_age_is_never_negative_and_a_time_is_exact_to_the_second() {
        let now: Timestamp = "2026-11-24T12:00:00.5Z".parse().unwrap();
        let then = to_proto("2026-11-24T09:46:00.5Z".parse().unwrap());
        assert_eq!(ago(Some(&then), now), "2h14m ago");
        assert_eq!(exact(Some(&then)), "2026-11-24T09:46:00Z");
        let later = to_proto(now);
        assert_eq!(ago(Some(&later), "2026-11-24T11:00:00Z".parse().unwrap()), "0s ago");
        assert_eq!((ago(None, now), exact(None)), (String::new(), String::new()));
    }
}
