//! What the poller lists, as far as a page of it goes.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use brigade_client::InboxClient;
use brigade_proto::{
    Timestamp,
    v1::{InboxObject, ListObjectsRequest, ObjectFilter},
};
use tonic::Status;

/// Rows of a page.
pub(crate) const ROWS: usize = 200;
/// A page looks at so many objects for its rows, and takes so long.
const SCANNED: i64 = 20_000;
const TIME: Duration = Duration::from_secs(8);

/// Rows, and where they continue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) objects: Vec<InboxObject>,
    /// The token of the next page; empty when there is none.
    pub(crate) next: String,
    pub(crate) scanned: i64,
}

/// Failures of one cause.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) count: u64,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) example: InboxObject,
}

/// The causes, the most frequent first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    pub(crate) all: Vec<Group>,
    pub(crate) count: u64,
    /// Whether there are more objects than were looked at.
    pub(crate) is_part: bool,
}

/// One page of objects.
pub(crate) async fn rows(
    inbox: &InboxClient,
    filter: ObjectFilter,
    page: String,
) -> Result<Rows, Status> {
    let mut rows = Rows::default();
    let limit = ROWS.try_into().unwrap_or(i64::MAX);
    let request = ListObjectsRequest { filter: Some(filter), limit, page_token: page };
    rows.next = each(inbox, request, |objects, scanned| {
        rows.objects.extend(objects);
        rows.scanned = scanned;
    })
    .await?;
    Ok(rows)
}

/// All objects that a page looks at, by their kinds and reasons.
pub(crate) async fn groups(inbox: &InboxClient, filter: ObjectFilter) -> Result<Groups, Status> {
    let mut groups: HashMap<(String, String), Group> = HashMap::new();
    let request = ListObjectsRequest { filter: Some(filter), ..ListObjectsRequest::default() };
    let next = each(inbox, request, |objects, _| {
        for info in objects {
            let key = (info.kind.clone(), info.reason_group.clone());
            let at = info.settle_time;
            let group = groups.entry(key).or_insert_with(|| Group {
                count: 0,
                first: at,
                last: at,
                example: info,
            });
            group.count += 1;
            group.first = earlier(group.first, at);
            group.last = later(group.last, at);
        }
    })
    .await?;
    let count = groups.values().map(|group| group.count).sum();
    let mut groups: Vec<_> = groups.into_values().collect();
    let name = |group: &Group| (group.example.kind.clone(), group.example.reason_group.clone());
    groups.sort_by(|one, other| {
        other.count.cmp(&one.count).then_with(|| name(one).cmp(&name(other)))
    });
    Ok(Groups { all: groups, count, is_part: !next.is_empty() })
}

/// Gives away objects until they end, or a page's limits. Returns the token that continues.
async fn each(
    inbox: &InboxClient,
    request: ListObjectsRequest,
    mut take: impl FnMut(Vec<InboxObject>, i64),
) -> Result<String, Status> {
    let began = Instant::now();
    let mut stream = inbox.list(request).await?;
    let mut next = String::new();
    while let Some(response) = stream.message().await? {
        next = response.next_page_token;
        take(response.objects, response.scanned);
        if response.scanned >= SCANNED || began.elapsed() > TIME {
            break;
        }
    }
    Ok(next)
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    let key = |time: &Timestamp| (time.seconds, time.nanos);
    one.into_iter().chain(other).min_by_key(key)
}

fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    let key = |time: &Timestamp| (time.seconds, time.nanos);
    one.into_iter().chain(other).max_by_key(key)
}
