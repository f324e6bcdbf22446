//! A deadline for a connection's first bytes.
//!
//! hyper-util waits without end for the bytes that tell HTTP/2 from HTTP/1.1, before any of hyper's own timeouts runs: a
//! client that connects and says nothing would hold its place for ever.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream that fails when its client has not shown which protocol it speaks in time.
pub(super) struct Opening<S> {
    inner: S,
    /// How much of the preface was read.
    met: usize,
    /// Nothing once the protocol is known.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<S> Opening<S> {
    pub(super) fn new(inner: S, time: Duration) -> Self {
        Self {
            inner,
            met: 0,
            deadline: Some(Box::pin(sleep(time))),
        }
    }

    /// The whole preface is HTTP/2, and the first other byte is not.
    fn note(&mut self, read: &[u8]) {
        let rest = &PREFACE[self.met..];
        let common = rest.iter().zip(read).take_while(|(a, b)| a == b).count();
        self.met += common;
        if common < read.len() || self.met == PREFACE.len() {
            self.deadline = None;
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        let Some(deadline) = &mut self.deadline else {
            return read;
        };
        if read.is_pending() {
            return deadline
                .as_mut()
                .poll(context)
                .map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        let met = &buffer.filled()[before..];
        self.note(met);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opening<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const TIME: Duration = Duration::from_secs(30);

    async fn times_out_after(first: &[u8]) -> bool {
        let (mut client, server) = tokio::io::duplex(64);
        let mut opening = Opening::new(server, TIME);
        client.write_all(first).await.unwrap();
        let mut read = vec![0; first.len()];
        opening.read_exact(&mut read).await.unwrap();
        assert_eq!(read, first);
        let next = tokio::time::timeout(TIME * 2, opening.read(&mut [0; 1])).await;
        matches!(next, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_is_closed() {
        assert!(times_out_after(b"").await);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_preface_does_not_stop_the_clock() {
        assert!(times_out_after(b"P").await);
        assert!(times_out_after(&PREFACE[..23]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_protocol_stops_the_clock() {
        assert!(!times_out_after(PREFACE).await);
        assert!(!times_out_after(b"GET / HTTP/1.1\r\n").await);
        assert!(!times_out_after(b"PUT / HTTP/1.1\r\n").await);
        assert!(!times_out_after(b"G").await);
    }
}
