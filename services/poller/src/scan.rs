//! Lists the inbox page by page, so that memory does not grow with the bucket.

use std::{collections::VecDeque, sync::Arc};

use brigade_storage::{Bucket, Error, ListRequest, Object};
use futures::stream::{self, Stream};

use crate::retry;

/// Cloud Storage's largest page.
const PAGE: i32 = 1000;

/// Streams the live objects of `bucket` under `prefix` in name order, fetching a page when the one before is used up.
pub(crate) fn scan(
    bucket: Arc<dyn Bucket>,
    prefix: String,
) -> impl Stream<Item = Result<Object, Error>> + Send {
    let first = ListRequest { prefix, page_size: PAGE, page_token: String::new() };
    let state = (bucket, Some(first), VecDeque::new());
    stream::try_unfold(state, |(bucket, mut next, mut page)| async move {
        loop {
            if let Some(object) = page.pop_front() {
                return Ok(Some((object, (bucket, next, page))));
            }
            let Some(request) = next.take() else {
                return Ok(None);
            };
            let listed = retry::repeated(|| bucket.list(&request)).await?;
            page = listed.objects.into();
            next = match listed.next {
                end if end.is_empty() => None,
                page_token => Some(ListRequest { page_token, ..request }),
            };
        }
    })
}
