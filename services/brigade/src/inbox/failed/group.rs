//! Failed objects, grouped by their kinds and reasons.

use std::{cmp::Reverse, collections::HashMap, ops::ControlFlow};

use brigade_client::InboxClient;
use brigade_proto::v1::{InboxObject, ObjectFilter};
use jiff::Timestamp;
use serde_json::json;

use super::Form;
use crate::inbox::{
    csv,
    out::{Out, Stop, note},
    pages::each_object,
    table::{Columns, separated},
    text::{named_kind, number, since, span, time},
};

/// So many groups are kept apart. What has yet another reason is counted in one group.
const GROUPS: usize = 10_000;
const OTHERS: &str = "(other reasons)";

const COLUMNS: Columns<6> =
    Columns { names: ["N", "KIND", "REASON", "FIRST", "LAST", "EXAMPLE"], wide: 2, numbers: &[0] };
const FIELDS: [&str; 6] = ["count", "kind", "reason", "first", "last", "example"];

/// Objects that failed for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Group {
    count: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    /// The name of the first one.
    example: String,
}

#[derive(Debug, Default)]
struct Groups {
    by_reason: HashMap<(String, String), Group>,
    total: u64,
}

/// Prints the groups, and returns how many objects they have.
pub(super) async fn run(
    client: &InboxClient,
    filter: &ObjectFilter,
    form: Form,
    limit: usize,
    out: &mut Out,
) -> Result<u64, Stop> {
    let mut groups = Groups::default();
    let listed = each_object(client, filter, |info, _| {
        groups.add(info);
        Ok(ControlFlow::Continue(()))
    });
    listed.await?;
    let total = groups.total;
    let mut sorted = groups.sorted();
    let more: u64 = sorted.iter().skip(limit).map(|(_, group)| group.count).sum();
    let left_out = sorted.len().saturating_sub(limit);
    sorted.truncate(limit);
    print(&sorted, form, out)?;
    out.flush()?;
    if left_out > 0 {
        let (left_out, more) = (number(left_out as u64), number(more));
        note(&format!("{left_out} more reasons, of {more} objects; --limit 0 shows all"));
    }
    Ok(total)
}

fn print(sorted: &[((String, String), Group)], form: Form, out: &mut Out) -> Result<(), Stop> {
    if form == Form::Csv {
        out.line(&csv::record(FIELDS))?;
    }
    if form == Form::Table && out.is_terminal() && !sorted.is_empty() {
        let now = Timestamp::now();
        let ago = |time: Timestamp| format!("{} ago", span(since(time, now)));
        let row = |group @ ((kind, reason), of): &_| {
            let mut cells = cells(group, number(of.count), ago);
            named_kind(kind, reason).clone_into(&mut cells[1]);
            cells
        };
        let rows: Vec<_> = sorted.iter().map(row).collect();
        return COLUMNS.aligned(out, &rows);
    }
    for (at, group) in sorted.iter().enumerate() {
        let cells = cells(group, group.1.count.to_string(), |time| time.to_string());
        match form {
            Form::Csv => out.line(&csv::record(cells))?,
            Form::Table => separated(out, &cells)?,
            Form::Json => {
                let [_, kind, reason, first, last, example] = cells;
                let item = json!({ "count": group.1.count, "kind": kind, "reason": reason, "first": first, "last": last, "example": example });
                out.item(&item, at == 0)?;
            }
        }
    }
    if form == Form::Json {
        out.end_array(sorted.is_empty())?;
    }
    Ok(())
}

fn cells(
    ((kind, reason), group): &((String, String), Group),
    count: String,
    show: impl Fn(Timestamp) -> String,
) -> [String; 6] {
    let show = |time: Option<Timestamp>| time.map(&show).unwrap_or_default();
    let (first, last) = (show(group.first), show(group.last));
    [count, kind.clone(), reason.clone(), first, last, group.example.clone()]
}

// === impl Groups ===

impl Groups {
    fn add(&mut self, info: InboxObject) {
        let mut key = (info.kind, info.reason_group);
        if !self.by_reason.contains_key(&key) && self.by_reason.len() >= GROUPS {
            key = (String::new(), OTHERS.to_owned());
        }
        let at = time(info.settle_time.as_ref());
        let group = self.by_reason.entry(key).or_default();
        if group.count == 0 {
            group.example = info.path;
        }
        group.count += 1;
        group.first = [group.first, at].into_iter().flatten().min();
        group.last = group.last.max(at);
        self.total += 1;
    }

    /// The largest first; of equal ones that with the first kind and reason.
    fn sorted(self) -> Vec<((String, String), Group)> {
        let mut groups: Vec<_> = self.by_reason.into_iter().collect();
        groups.sort_by(|(a, one), (b, other)| {
            (Reverse(one.count), a).cmp(&(Reverse(other.count), b))
        });
        groups
    }
}

#[cfg(test)]
mod tests {
    use brigade_proto::Timestamp as ProtoTimestamp;

    use super::*;

    fn failed(reason: &str, path: &str, seconds: i64) -> InboxObject {
        InboxObject {
            reason_group: reason.into(),
            path: path.into(),
            settle_time: Some(ProtoTimestamp { seconds, nanos: 0 }),
            ..InboxObject::default()
        }
    }

    #[test]
    fn groups_have_counts_times_and_an_example_and_the_largest_is_first() {
        let mut groups = Groups::default();
        for (reason, path, at) in [("b", "1", 9), ("a", "2", 5), ("b", "3", 2), ("c", "4", 1)] {
            groups.add(failed(reason, path, at));
        }
        let sorted = groups.sorted();
        let reasons: Vec<_> = sorted.iter().map(|((_, reason), _)| &**reason).collect();
        assert_eq!(reasons, ["b", "a", "c"]);
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let largest = Group { count: 2, first: at(2), last: at(9), example: "1".into() };
        assert_eq!(sorted[0].1, largest);
    }

    #[test]
    fn so_many_reasons_take_bounded_memory_and_no_object_is_lost_from_the_count() {
        let mut groups = Groups::default();
        for at in 0..GROUPS + 50 {
            groups.add(failed(&at.to_string(), "x", 1));
        }
        assert_eq!(groups.total, GROUPS as u64 + 50);
        let sorted = groups.sorted();
        assert_eq!(sorted.len(), GROUPS + 1);
        assert_eq!((&*sorted[0].0.1, sorted[0].1.count), (OTHERS, 50));
    }
}
