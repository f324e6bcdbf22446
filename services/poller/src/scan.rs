//! Lists the inbox page by page, so that memory does not grow with the bucket.

use std::{collections::VecDeque, sync::Arc};

use brigade_storage::{Bucket, Error, ListRequest, Object};
use futures::stream::{self, Stream};
use tokio::time::Instant;

use crate::{retry, spans};

/// Cloud Storage's largest page.
const PAGE: i32 = 1000;

/// An object of a listing.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) object: Object,
    /// Its page was not requested before.
    pub(crate) asked: Instant,
    /// The number of its page, from 1.
    pub(crate) page: u32,
}

struct Scan {
    bucket: Arc<dyn Bucket>,
    prefix: String,
    next: Option<ListRequest>,
    page: VecDeque<Object>,
    asked: Instant,
    number: u32,
    /// Names before this one come last.
    rest: String,
    /// The listing ends before this name.
    end: Option<String>,
}

/// Streams the live objects of `bucket` under `prefix` in name order, from `start` to the end and then those before it,
/// fetching a page when the one before is used up.
pub(crate) fn scan(
    bucket: Arc<dyn Bucket>,
    prefix: String,
    start: String,
) -> impl Stream<Item = Result<Listed, Error>> + Send {
    let scan = Scan {
        next: Some(ListRequest {
            prefix: prefix.clone(),
            start: start.clone(),
            page_size: PAGE,
            page_token: String::new(),
        }),
        bucket,
        prefix,
        page: VecDeque::new(),
        asked: Instant::now(),
        number: 0,
        rest: start,
        end: None,
    };
    stream::try_unfold(scan, |mut scan| async move {
        loop {
            if let Some(object) = scan.page.pop_front() {
                if scan.end.as_ref().is_some_and(|end| object.name >= *end) {
                    return Ok(None);
                }
                let listed = Listed { object, asked: scan.asked, page: scan.number };
                return Ok(Some((listed, scan)));
            }
            let Some(request) = scan.next_request() else {
                return Ok(None);
            };
            scan.asked = Instant::now();
            scan.number += 1;
            let page = spans::page(scan.number);
            let listed = page.around(retry::repeated(|| scan.bucket.list(&request))).await;
            let listed = listed.inspect_err(|error| page.fail(error))?;
            scan.page = listed.objects.into();
            scan.next = match listed.next {
                end if end.is_empty() => None,
                page_token => Some(ListRequest { page_token, ..request }),
            };
        }
    })
}

// === impl Scan ===

impl Scan {
    fn next_request(&mut self) -> Option<ListRequest> {
        if self.next.is_none() && !self.rest.is_empty() {
            self.end = Some(std::mem::take(&mut self.rest));
            let prefix = self.prefix.clone();
            self.next = Some(ListRequest { prefix, page_size: PAGE, ..ListRequest::default() });
        }
        self.next.take()
    }
}
