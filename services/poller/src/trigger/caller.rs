//! Who calls, by the headers that each of Google's services sends.
//!
//! They are for logs and for the poll's first event, never for a decision: any allowed caller can send them.

use axum::http::HeaderMap;

use crate::request::Trigger;

/// Longer values are cut; Google's own are shorter.
const MAX: usize = 512;

/// The caller as a trigger. `otherwise` is its kind when no header tells.
///
/// Sources: Cloud Scheduler, "HTTP targets" (`X-CloudScheduler-*`); Cloud Tasks, "Write task handlers"
/// (`X-CloudTasks-*`); Pub/Sub, "Payload unwrapping" (`x-goog-pubsub-*`); `CloudEvents` HTTP binding 1.0 (`ce-*`).
pub(super) fn from_headers(headers: &HeaderMap, otherwise: &'static str) -> Trigger {
    let header = |name: &str| {
        // What is no UTF-8 is replaced, since it is only logged.
        let value = headers.get(name)?;
        Some(cut(&String::from_utf8_lossy(value.as_bytes())))
    };
    let or_empty = |name: &str| header(name).unwrap_or_default();
    let mut trigger = Trigger { kind: otherwise, ..Trigger::default() };
    if let Some(name) = header("x-cloudscheduler-jobname") {
        trigger.kind = "scheduler";
        trigger.name = name;
        trigger.id = or_empty("x-cloudscheduler-scheduletime");
    } else if let Some(name) = header("x-cloudtasks-queuename") {
        trigger.kind = "tasks";
        trigger.name = name;
        trigger.id = or_empty("x-cloudtasks-taskname");
        trigger.attempt = or_empty("x-cloudtasks-taskretrycount").parse().ok();
    } else if let Some(id) = header("ce-id") {
        trigger.kind = "eventarc";
        trigger.name = or_empty("ce-source");
        trigger.id = id;
    } else if let Some(id) = header("x-goog-pubsub-message-id") {
        trigger.kind = "pubsub";
        trigger.name = or_empty("x-goog-pubsub-subscription-name");
        trigger.id = id;
        trigger.ordering_key = or_empty("x-goog-pubsub-ordering-key");
    }
    trigger
}

/// At most so much of what a caller says, cut at a character.
pub(super) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn caller(headers: &[(&'static str, &str)]) -> Trigger {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        });
        from_headers(&headers.collect(), "http")
    }

    #[test]
    fn each_service_is_known_by_its_own_headers() {
        let scheduler = caller(&[
            ("x-cloudscheduler", "true"),
            ("x-cloudscheduler-jobname", "every-minute"),
            ("x-cloudscheduler-scheduletime", "2026-03-04T10:00:00Z"),
        ]);
        assert_eq!(scheduler.kind, "scheduler");
        assert_eq!(scheduler.name, "every-minute");
        assert_eq!(scheduler.id, "2026-03-04T10:00:00Z");

        let tasks = caller(&[
            ("x-cloudtasks-queuename", "objects"),
            ("x-cloudtasks-taskname", "o-1"),
            ("x-cloudtasks-taskretrycount", "3"),
        ]);
        assert_eq!((tasks.kind, tasks.name.as_str()), ("tasks", "objects"));
        assert_eq!((tasks.id.as_str(), tasks.attempt), ("o-1", Some(3)));

        let pubsub = caller(&[
            ("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s"),
            ("x-goog-pubsub-message-id", "2070443601311540"),
            ("x-goog-pubsub-ordering-key", "k"),
        ]);
        assert_eq!((pubsub.kind, pubsub.ordering_key.as_str()), ("pubsub", "k"));
        assert_eq!(pubsub.id, "2070443601311540");

        assert_eq!(caller(&[("ce-id", "1096434104173400")]).kind, "eventarc");
        assert_eq!(caller(&[]).kind, "http");
    }

    #[test]
    fn what_is_too_long_or_no_text_is_cut_and_replaced() {
        let long = "é".repeat(MAX);
        let trigger = caller(&[("x-cloudscheduler-jobname", &long)]);
        assert_eq!(trigger.name.len(), MAX);
        let mut headers = HeaderMap::new();
        headers.insert("ce-id", HeaderValue::from_bytes(b"a\xff").unwrap());
        assert_eq!(from_headers(&headers, "http").id, "a\u{fffd}");
    }
}
