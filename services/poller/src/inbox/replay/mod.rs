//! Moves failed objects back into the inbox.

mod batches;
mod plan;
mod put_back;
mod run;

use std::sync::Arc;

use brigade_proto::v1::{ReplayObjectsRequest, ReplayObjectsResponse};
use brigade_telemetry::carried;
use futures::stream::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use self::{plan::Plan, run::Run};
use crate::{error::PollError, instance::Instance};

/// Responses that wait for the caller to read them, at most: then the replay waits too.
const MAX_BEHIND: usize = 64;

/// Moves what the request selects. It runs until its stream is dropped: then the moves that have begun are its last.
pub(crate) fn replay(
    instance: Arc<Instance>,
    request: ReplayObjectsRequest,
) -> Result<impl Stream<Item = Result<ReplayObjectsResponse, PollError>> + Send + 'static, PollError>
{
    let plan = Plan::new(&instance, request)?;
    let batches = batches::batches(&instance, &plan)?;
    let permit = instance.streams.replay()?;
    let (sender, responses) = mpsc::channel(MAX_BEHIND);
    let running = instance.running.clone();
    let run = Run::new(instance, plan, sender).run(batches);
    running.spawn(carried(async move {
        let _permit = permit;
        run.await;
    }));
    Ok(ReceiverStream::new(responses))
}
