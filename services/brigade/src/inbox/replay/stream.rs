//! One replay, over as many calls as it takes.

use std::{collections::HashSet, fmt::Write as _};

use brigade_client::InboxClient;
use brigade_proto::v1::{
    ReplayObjectsRequest, ReplayObjectsResponse, ReplayResult, ReplayedObject,
    replay_objects_response::Event,
};
use tonic::Status;

use crate::inbox::{
    out::{Stop, object},
    pages::Resume,
    text::number,
};

/// What a replay has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Moved, or in a dry run to be moved.
    pub(super) moved: u64,
    conflicts: u64,
    gone: u64,
    held: u64,
    errors: u64,
    /// Whether a limit ended it.
    pub(super) has_more: bool,
}

// === impl Tally ===

impl Tally {
    fn add(&mut self, result: ReplayResult) {
        *match result {
            ReplayResult::Replayed | ReplayResult::Planned => &mut self.moved,
            ReplayResult::Conflict => &mut self.conflicts,
            ReplayResult::Gone => &mut self.gone,
            ReplayResult::Held => &mut self.held,
            ReplayResult::Error | ReplayResult::Unspecified => &mut self.errors,
        } += 1;
    }

    /// How much of a limit is left; nothing without one.
    fn left_of(&self, limit: i64) -> Option<i64> {
        let moved = i64::try_from(self.moved).unwrap_or(i64::MAX);
        (limit > 0).then(|| limit.saturating_sub(moved).max(0))
    }

    /// Selected, and not moved.
    pub(super) fn skipped(&self) -> u64 {
        self.conflicts + self.gone + self.held + self.errors
    }

    /// ` (2 with another object of the name in the inbox)`, or nothing.
    pub(super) fn reasons(&self) -> String {
        let mut reasons = String::new();
        for (count, why) in [
            (self.conflicts, "with another object of the name in the inbox"),
            (self.gone, "not there"),
            (self.held, "under a hold or retention policy"),
            (self.errors, "refused by storage"),
        ] {
            if count > 0 {
                let before = if reasons.is_empty() { " (" } else { ", " };
                // Writing to a string cannot fail.
                let _ = write!(reasons, "{before}{} {why}", number(count));
            }
        }
        if !reasons.is_empty() {
            reasons.push(')');
        }
        reasons
    }
}

/// Runs it to its end. A stream that breaks off is continued; `each` gets each object once.
pub(super) async fn run(
    client: &InboxClient,
    mut request: ReplayObjectsRequest,
    mut each: impl FnMut(&ReplayObjectsResponse) -> Result<(), Stop>,
) -> Result<Tally, Stop> {
    let (mut resume, mut tally, mut calls) = (Resume::default(), Tally::default(), 0);
    let limit = request.limit;
    // The names with a result since the last token: a call that begins there may find them again.
    let mut done: HashSet<String> = HashSet::new();
    loop {
        let mut stream = client.replay(request.clone()).await?;
        calls += 1;
        let broken = loop {
            let response = match stream.message().await {
                Ok(Some(response)) => response,
                Ok(None) => break Status::unavailable("it ended before its last message"),
                Err(status) => break status,
            };
            match &response.event {
                Some(Event::Object(replayed)) => {
                    resume.progressed();
                    if !done.insert(key(replayed)) {
                        continue;
                    }
                    tally.add(replayed.result());
                }
                Some(Event::Progress(progress))
                    if !["", &request.page_token].contains(&&*progress.next_page_token) =>
                {
                    request.page_token.clone_from(&progress.next_page_token);
                    done.clear();
                }
                Some(Event::Finished(finished)) => {
                    tally.has_more = !finished.next_page_token.is_empty();
                    if !tally.has_more || tally.left_of(limit) == Some(0) {
                        each(&response)?;
                        return Ok(tally);
                    }
                    request.page_token.clone_from(&finished.next_page_token);
                    done.clear();
                    break Status::unavailable("the instance shuts down");
                }
                Some(Event::Started(_)) if calls > 1 => continue,
                _ => {}
            }
            each(&response)?;
        };
        resume.after(broken).await?;
        request.limit = tally.left_of(limit).unwrap_or(0);
        if limit > 0 && request.limit == 0 {
            return Ok(tally);
        }
    }
}

fn key(replayed: &ReplayedObject) -> String {
    // Of what is not there only the name is known.
    let info = replayed.object.clone().unwrap_or_default();
    format!("{}#{}", info.path, object(&info).generation)
}
