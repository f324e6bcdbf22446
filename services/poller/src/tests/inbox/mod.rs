//! `InboxService` over a simulated bucket.

mod listing;
mod object;
mod replay;
mod status;
mod watch;

use brigade_proto::v1::{
    InboxObject, ListObjectsRequest, ObjectFilter, Place, ReplayObjectsRequest,
};
use futures::TryStreamExt as _;

use super::*;
use crate::inbox::list;

/// Everything of one place.
pub(super) fn all(place: Place) -> ObjectFilter {
    ObjectFilter { place: place.into(), ..ObjectFilter::default() }
}

/// Lists in pieces of `limit` objects, each with the token of the one before; 0 lists at once.
pub(super) async fn list_in_pieces(
    poller: &Poller,
    filter: &ObjectFilter,
    limit: i64,
) -> Result<Vec<InboxObject>, PollError> {
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let filter = Some(filter.clone());
        let request = brigade_proto::v1::ListObjectsRequest { filter, limit, page_token };
        let responses: Vec<_> = list::list(&poller.instance, request)?.try_collect().await?;
        page_token = responses.last().map(|last| last.next_page_token.clone()).unwrap_or_default();
        listed.extend(responses.into_iter().flat_map(|response| response.objects));
        if page_token.is_empty() {
            return Ok(listed);
        }
    }
}

/// Every object of one place.
pub(super) async fn list_all(poller: &Poller, filter: &ObjectFilter) -> Vec<InboxObject> {
    list_in_pieces(poller, filter, 0).await.unwrap()
}

pub(super) fn paths(objects: &[InboxObject]) -> Vec<&str> {
    objects.iter().map(|object| object.path.as_str()).collect()
}

/// Each has a page in memory, and its caller may never read it.
#[tokio::test(start_paused = true)]
async fn sixteen_may_list_and_sixteen_replay_and_each_that_ends_makes_room_for_another() {
    let world = world(Script::default());
    let instance = &world.poller.instance;
    let list = || {
        let filter = Some(all(Place::Failed));
        list::list(instance, ListObjectsRequest { filter, ..ListObjectsRequest::default() })
    };
    let replay = || {
        let request = ReplayObjectsRequest { all: true, ..ReplayObjectsRequest::default() };
        world.poller.replay(request)
    };
    let mut lists: Vec<_> = (0..16).map(|_| list().ok().unwrap()).collect();
    assert!(matches!(list().err().unwrap(), PollError::Busy { what: "list", .. }));
    let replays: Vec<_> = (0..16).map(|_| replay().ok().unwrap()).collect();
    assert!(matches!(replay().err().unwrap(), PollError::Busy { what: "replay", .. }));
    lists.pop();
    assert!(list().is_ok());
    drop(replays);
    // A replay ends when it sees that its caller is gone.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(replay().is_ok());
}
