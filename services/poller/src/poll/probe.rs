//! Which objects a probe asks about, while the inbox's brake is on.

use std::pin::pin;

use brigade_storage::Object;
use futures::StreamExt as _;

use crate::{brake::On, dispatch::folder, error::PollError, filter, run::RunContext, scan::scan};

/// Listed objects that are looked at for a probe, at most.
const MAX_LISTED: usize = 50_000;

/// As many objects as the probe may ask about: first those that were uploaded after the brake went on, then those of
/// folders that no refused object was in, then the others; of each kind the first by name.
pub(super) async fn choose(run: &RunContext, on: &On) -> Result<Vec<Object>, PollError> {
    let instance = &run.instance;
    let now = instance.clock.now();
    let size = usize::try_from(on.probe()).unwrap_or(usize::MAX);
    let mut listing = pin!(
        scan(instance.settler.source(), run.plan.prefix.clone(), String::new()).take(MAX_LISTED)
    );
    let mut ranks: [Vec<Object>; 3] = Default::default();
    while let Some(object) = listing.next().await {
        let object = object?.object;
        if filter::skip_listed(&instance.config, &object, now).is_some() {
            continue;
        }
        let rank = &mut ranks[rank(&object, on)];
        if rank.len() < size {
            rank.push(object);
        }
        if ranks[0].len() == size {
            break;
        }
    }
    let mut chosen: Vec<Object> = ranks.into_iter().flatten().collect();
    chosen.truncate(size);
    Ok(chosen)
}

fn rank(object: &Object, on: &On) -> usize {
    if object.created > on.since {
        0
    } else if on.prefixes.iter().all(|prefix| prefix != folder(&object.name)) {
        1
    } else {
        2
    }
}
