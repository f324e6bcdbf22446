//! Follows the events of a poller over as many connections as it takes.

use std::time::Duration;

use brigade_client::InboxClient;
use brigade_proto::v1::WatchEventsResponse;
use tokio::{
    sync::mpsc::{self, Receiver, Sender, error::SendError},
    time::{sleep, timeout},
};
use tonic::Status;

use crate::inbox::pages::is_broken;

/// A stream without an event for so long is dead: a poller sends a heartbeat every 15 s.
const SILENCE: Duration = Duration::from_secs(50);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Updates that wait to be shown.
const QUEUE: usize = 256;

/// What happened to the poller, or to the connection.
#[derive(Debug)]
pub(super) enum Update {
    Event(Box<WatchEventsResponse>),
    /// The connection was lost for this reason; it is made again.
    Lost(String),
    /// There will be no other update.
    Ended(Status),
}

/// Connects until the first event, and then again and again. It ends when the receiver is dropped.
pub(super) fn follow(client: InboxClient) -> Receiver<Update> {
    let (sender, updates) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut has_begun = false;
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = match once(&client, &sender, &mut has_begun, &mut pause).await {
                Ok(lost) => lost,
                Err(SendError(_)) => return,
            };
            let update = if has_begun && is_broken(&lost) {
                Update::Lost(lost.message().to_owned())
            } else {
                Update::Ended(lost)
            };
            if sender.send(update).await.is_err() {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    });
    updates
}

/// One connection, and why it was lost.
async fn once(
    client: &InboxClient,
    sender: &Sender<Update>,
    has_begun: &mut bool,
    pause: &mut Duration,
) -> Result<Status, SendError<Update>> {
    let mut stream = match client.watch().await {
        Ok(stream) => stream,
        Err(status) => return Ok(status),
    };
    loop {
        let event = match timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(event))) => event,
            Ok(Ok(None)) => return Ok(Status::unavailable("the poller ended the stream")),
            Ok(Err(status)) => return Ok(status),
            Err(_) => {
                let seconds = SILENCE.as_secs();
                return Ok(Status::unavailable(format!("the poller was silent for {seconds} s")));
            }
        };
        (*has_begun, *pause) = (true, FIRST_PAUSE);
        sender.send(Update::Event(Box::new(event))).await?;
    }
}
