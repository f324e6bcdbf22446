//! What a program answers in words: in `ANSWER_FILE`, or as a persistent program. `docs/PROTOCOL.md` describes it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{error::ProcessError, processor::Outcome, text::with_fix};

/// How long a caller is asked to wait: a program cannot say.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Exactly one of these is set. Unknown keys are ignored, so that programs of later versions are understood.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    accept: Option<Accept>,
    refuse: Option<Refuse>,
    later: Option<Later>,
    misconfigured: Option<Misconfigured>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "accept to be an object such as {\"summary\":\"12 rows\"}")]
struct Accept {
    #[serde(deserialize_with = "or_default")]
    summary: String,
    #[serde(deserialize_with = "or_default")]
    labels: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "refuse to be an object such as {\"reason\":\"no column day\"}")]
struct Refuse {
    #[serde(deserialize_with = "or_default")]
    reason: String,
    #[serde(deserialize_with = "or_default")]
    kind: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "later to be an object such as {\"seconds\":30}")]
struct Later {
    seconds: Option<f64>,
    #[serde(deserialize_with = "or_default")]
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "misconfigured to be an object such as {\"reason\":\"no licence\"}")]
struct Misconfigured {
    #[serde(deserialize_with = "or_default")]
    reason: String,
}

/// `null` is as good as nothing.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The longest time that a program can ask for.
const MAX_DELAY: Duration = Duration::from_hours(24);

// === impl Answer ===

impl Answer {
    /// How many of the four it has; one is an answer.
    pub(super) fn count(&self) -> usize {
        [
            self.accept.is_some(),
            self.refuse.is_some(),
            self.later.is_some(),
            self.misconfigured.is_some(),
        ]
        .iter()
        .filter(|is| **is)
        .count()
    }

    pub(super) fn is_accept(&self) -> bool {
        self.accept.is_some()
    }

    /// Where it has no words, those that the program wrote: the summary of an acceptance, or the reason of anything else.
    pub(super) fn with_words(mut self, summary: String, reason: String) -> Self {
        let said = [
            self.accept.as_mut().map(|accept| (&mut accept.summary, summary)),
            self.refuse.as_mut().map(|refuse| (&mut refuse.reason, reason.clone())),
            self.later.as_mut().map(|later| (&mut later.reason, reason.clone())),
            self.misconfigured.as_mut().map(|said| (&mut said.reason, reason)),
        ];
        for (words, default) in said.into_iter().flatten() {
            if words.trim().is_empty() {
                *words = default;
            }
        }
        self
    }

    /// What it means for the object.
    pub(super) fn into_result(self) -> Result<Outcome, ProcessError> {
        if let Some(Refuse { reason, kind }) = self.refuse {
            let reason = or(reason, "the program refused it without a reason");
            return Err(ProcessError::refuse(reason).with_kind(kind));
        }
        if let Some(Later { seconds, reason }) = self.later {
            let delay = seconds.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)));
            let delay =
                delay.map_or(RETRY_AFTER, |delay| delay.unwrap_or(MAX_DELAY).min(MAX_DELAY));
            let reason = or(reason, "the program asked for a retry");
            return Err(ProcessError::retry_after(delay, reason));
        }
        if let Some(Misconfigured { reason }) = self.misconfigured {
            let said = "the program says that it is misconfigured";
            let reason = if reason.trim().is_empty() {
                said.to_owned()
            } else {
                format!("{said}: {reason}")
            };
            // Else the caller guesses one.
            let fix = "correct the program's configuration";
            return Err(ProcessError::misconfigured(with_fix(reason, fix)));
        }
        let Accept { summary, labels } = self.accept.unwrap_or_default();
        let labels: BTreeMap<_, _> =
            labels.into_iter().map(|(key, value)| (key, text(value))).collect();
        Ok(Outcome { labels, ..Outcome::summary(summary) })
    }
}

fn or(given: String, default: &str) -> String {
    if given.trim().is_empty() { default.to_owned() } else { given }
}

/// A label's value as text: strings as they are, numbers and the like as JSON.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
