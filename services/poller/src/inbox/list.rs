//! Streams the objects of a place.

use std::sync::Arc;

use brigade_proto::v1::{ListObjectsRequest, ListObjectsResponse, ObjectFilter};
use futures::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, Stream},
};

use super::{
    selection::{Selected, SelectedPage, Selection, invalid},
    token,
};
use crate::{error::PollError, instance::Instance};

/// Objects of one response: with metadata of 8 KiB each they are a quarter of what gRPC takes.
const CHUNK: usize = 100;

/// The objects that the request's filter selects, page by page: a page of 1,000 objects is in memory at most.
pub(crate) fn list(
    instance: &Arc<Instance>,
    request: ListObjectsRequest,
) -> Result<impl Stream<Item = Result<ListObjectsResponse, PollError>> + Send + 'static, PollError>
{
    let filter = request.filter.unwrap_or_default();
    let limit = limit(request.limit)?;
    let selection = Selection::new(instance, &filter)?;
    let start_after = token::decode(&filter, &request.page_token)?;
    let permit = instance.streams.list()?;
    let pages = Box::pin(selection.pages(start_after));
    let chunks = stream::try_unfold((pages, limit), move |(mut pages, left)| {
        let filter = filter.clone();
        async move {
            if left == 0 {
                return Ok::<_, PollError>(None);
            }
            let Some(page) = pages.try_next().await? else { return Ok(None) };
            let (responses, left) = responses(&filter, page, left);
            Ok(Some((stream::iter(responses.into_iter().map(Ok)), (pages, left))))
        }
    });
    // The closure has the permit for as long as the stream lasts.
    Ok(chunks.try_flatten().inspect(move |_| _ = &permit))
}

/// How many objects a request takes at most.
pub(crate) fn limit(given: i64) -> Result<usize, PollError> {
    match usize::try_from(given) {
        Ok(0) => Ok(usize::MAX),
        Ok(limit) => Ok(limit),
        Err(_) => invalid("limit", format!("{given} is negative; 0 means no limit")),
    }
}

/// A page as responses with at most `left` objects, and how many are left then.
fn responses(
    filter: &ObjectFilter,
    mut page: SelectedPage,
    left: usize,
) -> (Vec<ListObjectsResponse>, usize) {
    let is_cut = page.objects.len() > left;
    page.objects.truncate(left);
    let left = left - page.objects.len();
    let scanned = page.scanned.try_into().unwrap_or(i64::MAX);
    let mut responses: Vec<_> = (page.objects.chunks(CHUNK))
        .map(|chunk| ListObjectsResponse {
            objects: chunk.iter().map(|selected| selected.info.clone()).collect(),
            next_page_token: chunk.last().map_or_else(String::new, |last| after(filter, last)),
            scanned,
        })
        .collect();
    let end = match &*page.last_name {
        _ if page.is_last => String::new(),
        name => token::encode(filter, name),
    };
    match responses.last_mut() {
        Some(last) if !is_cut => last.next_page_token = end,
        Some(_) => {}
        None => responses.push(ListObjectsResponse {
            next_page_token: end,
            scanned,
            ..ListObjectsResponse::default()
        }),
    }
    (responses, left)
}

fn after(filter: &ObjectFilter, selected: &Selected) -> String {
    token::encode(filter, &selected.object.name)
}
