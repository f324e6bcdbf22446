//! Who is connected, so that an idle connection can make room for a new one.
//!
//! Whoever can reach the port can connect as often as there is room, and stay for as long as an idle connection may. He
//! must not keep others out, health least of all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::activity::Activity;

/// All connections of a server.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Guest>>,
}

struct Guest {
    activity: Arc<Activity>,
    leave: Notify,
}

/// One connection's seat, until it is dropped.
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    number: u64,
    guest: Arc<Guest>,
}

// === impl Crowd ===

impl Crowd {
    pub(super) fn join(self: &Arc<Self>, activity: Arc<Activity>) -> Seat {
        let guest = Arc::new(Guest {
            activity,
            leave: Notify::new(),
        });
        let mut seats = self.seats();
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, guest.clone());
        Seat {
            crowd: self.clone(),
            number,
            guest,
        }
    }

    /// Has the connection leave that has been idle for longest. One with a call in flight is not idle, and calls are fewer
    /// than connections.
    pub(super) fn make_room(&self) {
        let seats = self.seats();
        let idle = seats.taken.values().filter_map(|guest| {
            let since = guest.activity.idle_since()?;
            Some((since, guest))
        });
        if let Some((_, guest)) = idle.min_by_key(|(since, _)| *since) {
            guest.leave.notify_one();
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Seat ===

impl Seat {
    /// Ends when this connection is to make room.
    pub(super) async fn wanted(&self) {
        self.guest.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.seats().taken.remove(&self.number);
    }
}
