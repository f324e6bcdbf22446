//! Copies, which may take several calls; nothing is visible before the last.

use super::{
    history::Change,
    state::{Request, State, check_metadata, check_name, merged, place_of},
};
use brigade_storage::{
    RewriteStep,
    error::{Kind, Result},
    object::{Metadata, Pinned},
};

/// What one step of a copy asks for. All steps of one copy must ask for the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) generation: i64,
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) metadata: Option<Metadata>,
}

/// How far a copy got; its token is its place in the list.
#[derive(Debug)]
pub(super) struct Progress {
    from: (String, String),
    copy: Copy,
    bytes: u64,
}

// === impl State ===

impl State {
    pub(super) fn rewrite(
        &mut self,
        request: Request<'_>,
        copy: Copy,
        token: Option<&str>,
    ) -> Result<RewriteStep> {
        check_name(request, &copy.name)?;
        let source = self.pinned(request, copy.generation)?.clone();
        self.check_free(request, &copy.bucket, &copy.name)?;
        if let Some(metadata) = &copy.metadata {
            check_metadata(request, &merged(&source.object.metadata, metadata))?;
        }
        let done = self.carried(request, &copy, token)?;
        let carried = self
            .rewrite_step
            .map_or(u64::MAX, |step| done.saturating_add(step));
        if carried < source.object.size {
            return Ok(RewriteStep::More(self.remember(request, copy, carried)));
        }
        let made = self.place_copy(
            request,
            &source,
            copy.bucket,
            copy.name,
            copy.metadata.as_ref(),
        );
        let to = place_of(&made);
        self.record(
            request,
            request.place(copy.generation),
            Change::Copied { to },
        );
        Ok(RewriteStep::Done(Box::new(made)))
    }

    /// How many bytes the steps before carried.
    fn carried(&self, request: Request<'_>, copy: &Copy, token: Option<&str>) -> Result<u64> {
        let Some(token) = token else { return Ok(0) };
        let from = (request.bucket.to_owned(), request.name.to_owned());
        token
            .parse::<usize>()
            .ok()
            .and_then(|at| self.rewrites.get(at))
            .filter(|progress| progress.copy == *copy && progress.from == from)
            .map(|progress| progress.bytes)
            .ok_or_else(|| request.failed(Kind::Invalid, "the token is of another copy"))
    }

    fn remember(&mut self, request: Request<'_>, copy: Copy, bytes: u64) -> String {
        self.rewrites.push(Progress {
            from: (request.bucket.to_owned(), request.name.to_owned()),
            copy,
            bytes,
        });
        (self.rewrites.len() - 1).to_string()
    }
}

// === impl Copy ===

impl Copy {
    pub(super) fn new(
        source: Pinned<'_>,
        bucket: &str,
        name: &str,
        metadata: Option<&Metadata>,
    ) -> Self {
        Self {
            generation: source.generation,
            bucket: bucket.to_owned(),
            name: name.to_owned(),
            metadata: metadata.cloned(),
        }
    }
}
