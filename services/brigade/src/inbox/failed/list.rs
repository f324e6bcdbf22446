//! Failed objects, one a line, in the order of their names.

use std::ops::ControlFlow;

use brigade_client::InboxClient;
use brigade_proto::v1::{InboxObject, ObjectFilter};
use jiff::Timestamp;

use super::Form;
use crate::inbox::{
    csv,
    out::{Out, Stop, note},
    pages::each_object,
    table::{Columns, separated},
    text::{ago, exact, named_kind, number},
};

/// Behind the last line the rest is counted until so many objects were looked at.
const COUNTED: u64 = 10_000;

const COLUMNS: Columns<4> =
    Columns { names: ["NAME", "FAILED", "KIND", "REASON"], wide: 3, numbers: &[] };

/// Prints them as they arrive, but for a terminal: a table there is aligned. Returns how many there are at least.
pub(super) async fn run(
    client: &InboxClient,
    filter: &ObjectFilter,
    form: Form,
    limit: usize,
    out: &mut Out,
) -> Result<u64, Stop> {
    let is_aligned = form == Form::Table && out.is_terminal();
    let (mut shown, mut more, mut rows) = (0_usize, 0_u64, Vec::new());
    let mut counted_from = None;
    let mut is_at_least = false;
    if form == Form::Csv {
        out.line(&csv::record(csv::FIELDS))?;
    }
    let now = Timestamp::now();
    let listed = each_object(client, filter, |info, scanned| {
        if shown == limit {
            more += 1;
            let enough = scanned.saturating_sub(*counted_from.get_or_insert(scanned)) >= COUNTED;
            is_at_least = !out.is_terminal() || enough;
            return Ok(if is_at_least {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            });
        }
        match form {
            Form::Json => out.item(&info, shown == 0)?,
            Form::Csv => out.line(&csv::record(csv::fields(&info)))?,
            Form::Table if is_aligned => {
                let kind = named_kind(&info.kind, &info.reason_group);
                rows.push(cells(&info, ago(info.settle_time.as_ref(), now), kind));
            }
            Form::Table => {
                separated(out, &cells(&info, exact(info.settle_time.as_ref()), &info.kind))?;
            }
        }
        shown += 1;
        Ok(ControlFlow::Continue(()))
    });
    listed.await?;
    match form {
        Form::Json => out.end_array(shown == 0)?,
        Form::Table if !rows.is_empty() => COLUMNS.aligned(out, &rows)?,
        _ => {}
    }
    out.flush()?;
    if more > 0 {
        let sign = if is_at_least { "at least " } else { "" };
        note(&format!(
            "{sign}{} more failed; --limit 0 shows all, --group shows them by their reasons",
            number(more)
        ));
    }
    Ok(shown as u64 + more)
}

fn cells(info: &InboxObject, failed: String, kind: &str) -> [String; 4] {
    [info.path.clone(), failed, kind.to_owned(), info.reason.clone()]
}
