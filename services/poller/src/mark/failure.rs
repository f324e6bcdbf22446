//! Why an object failed, by what is written on it.

use brigade_client::answer::{Answer, WorkerAnswer};

use tonic::Code;

use super::text::printable;
use crate::fold::fold;

/// The kind of objects whose calls were lost too often.
pub(crate) const LOST_CALLS: &str = "lost-calls";
/// The kind of objects that storage did not let the worker read for a day.
pub(crate) const STORAGE_UNAVAILABLE: &str = "storage-unavailable";

/// The longest code, exit or kind, in bytes.
const MAX_DETAIL: usize = 64;

/// Why an object failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What happened, for a person.
    pub reason: String,
    /// The status that the worker returned: the name of a gRPC status, or `HTTP 422`. Empty when the worker returned none.
    pub code: String,
    /// How the worker's program ended. Empty when the worker did not say.
    pub exit: String,
    /// Equal for failures of one cause: what the worker named it, or the reason without what differs from file to file.
    pub kind: String,
}

impl Failure {
    /// What the worker said of a failure, without a reason yet.
    pub(crate) fn from_answer(answer: &Answer) -> Self {
        let answer = match answer {
            Answer::Worker(answer) if answer.code != Code::Ok => answer,
            _ => return Self::default(),
        };
        Self {
            code: code(answer),
            exit: printable(&answer.exit, MAX_DETAIL),
            kind: printable(&answer.kind, MAX_DETAIL),
            reason: String::new(),
        }
    }

    /// The same for this reason, which the poller gives: its kind is fixed.
    pub(crate) fn of_kind(self, kind: &str, reason: String) -> Self {
        Self { kind: kind.to_owned(), reason, ..self }
    }

    /// The same for this reason. Unless the worker named the kind, it is what `said` has in common for all objects.
    pub(crate) fn because(self, reason: String, said: &str, name: &str) -> Self {
        let kind = match &*self.kind {
            "" => printable(&fold(said, name), MAX_DETAIL),
            _ => self.kind,
        };
        Self { reason, kind, ..self }
    }
}

/// `HTTP 422`, or the name of the gRPC status as its specification writes it.
fn code(answer: &WorkerAnswer) -> String {
    if let Some(status) = answer.http_status {
        return format!("HTTP {status}");
    }
    grpc_name(answer.code)
}

/// The number of the gRPC status that is written so; nothing for one of HTTP.
pub(crate) fn grpc_code(written: &str) -> Option<i32> {
    /// The last status of the specification.
    const UNAUTHENTICATED: i32 = 16;
    (0..=UNAUTHENTICATED).find(|code| grpc_name(Code::from_i32(*code)) == written)
}

fn grpc_name(code: Code) -> String {
    let name = format!("{code:?}");
    name.char_indices().fold(String::new(), |mut code, (at, letter)| {
        if at > 0 && letter.is_ascii_uppercase() {
            code.push('_');
        }
        code.push(letter.to_ascii_uppercase());
        code
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_it_is_written() {
        for code in 0..=16 {
            assert_eq!(grpc_code(&grpc_name(Code::from_i32(code))), Some(code));
        }
        for other in ["HTTP 422", "", "17", "Ok"] {
            assert_eq!(grpc_code(other), None, "{other}");
        }
    }
}
