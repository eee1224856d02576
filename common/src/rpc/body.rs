//! Bodies of requests: each message has room reserved before its bytes are read, and the client a
//! time to send them.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Code, Status, codegen::StdError};

use super::{
    peer::Peer,
    shares::{Share, Shares},
    status::{Describe, Description},
};

/// The time that a client may be awaited for a message, and what each so many bytes add.
const PATIENCE: Duration = Duration::from_secs(10);
const BYTES_A_SECOND: u64 = 64 << 10;
/// Bytes before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The client did not send what it began.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the request did not arrive: the client was awaited for {waited_seconds} s and sent \
     {received} bytes; begin a call when its message is there, and end the request after it"
)]
pub(super) struct BodyTimeout {
    waited_seconds: u64,
    received: u64,
}

impl Describe for BodyTimeout {
    fn describe(&self) -> Description {
        Description::new(Code::DeadlineExceeded, "REQUEST_INCOMPLETE")
            .with("waited_seconds", self.waited_seconds)
            .with("received_bytes", self.received)
    }
}

/// What the messages of a call hold of the room for messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserved(Arc<Mutex<Vec<Share>>>);

impl Reserved {
    fn add(&self, share: Share) {
        self.0.lock().push(share);
    }

    fn release(&self) {
        self.0.lock().clear();
    }
}

/// The body of a request whose messages have room reserved.
pub(super) struct Metered<B> {
    inner: B,
    peer: Peer,
    room: Room,
    reserved: Reserved,
    /// Any number of messages come, and their client may pause between them.
    streams: bool,
    message: Message,
    waiting: Option<Waiting>,
    patience: Patience,
}

/// The room for messages of a server.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) shares: Arc<Shares>,
    /// A longer message is refused by its length; one that is compressed may become so long.
    pub(super) message_bytes: u64,
}

/// Where in its messages a body is.
#[derive(Debug)]
enum Message {
    Prefix { bytes: [u8; PREFIX], have: usize },
    Content { left: u64 },
}

/// A frame that is handed on when there is room for what it begins.
struct Waiting {
    frame: Frame<Bytes>,
    room: Pin<Box<dyn Future<Output = Share> + Send>>,
}

/// How long the client was awaited.
#[derive(Default)]
struct Patience {
    received: u64,
    waited: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Metered<B> {
    /// `reserved` is given back after a message of many, and otherwise with its last clone.
    pub(super) fn new(inner: B, peer: Peer, room: Room, streams: bool, reserved: Reserved) -> Self {
        Self {
            inner,
            peer,
            room,
            reserved,
            streams,
            message: Message::BEGIN,
            waiting: None,
            patience: Patience::default(),
        }
    }

    /// Whether the client owes bytes.
    fn owes(&self) -> bool {
        !self.streams || !matches!(self.message, Message::Prefix { have: 0, .. })
    }
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes, Error: Into<StdError>> + Unpin,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            if this.streams && !this.owes() {
                // Whoever asks for more is done with the messages before.
                this.reserved.release();
                this.patience = Patience::default();
            }
            let frame = match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending if this.owes() => {
                    let timeout = ready!(this.patience.poll(context));
                    return Poll::Ready(Some(Err(timeout.to_status())));
                }
                Poll::Pending => return Poll::Pending,
            };
            this.patience.came();
            this.peer.touch();
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(Status::from_error(error.into()))));
                }
                None => return Poll::Ready(None),
            };
            let Some(data) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
            this.patience.received += data.len() as u64;
            let begun = this.message.pass(data, this.room.message_bytes);
            if begun == 0 {
                return Poll::Ready(Some(Ok(frame)));
            }
            if let Some(share) = this.room.shares.try_take(&this.peer, begun) {
                this.reserved.add(share);
                return Poll::Ready(Some(Ok(frame)));
            }
            let room = Arc::clone(&this.room.shares).take(this.peer.clone(), begun);
            this.waiting = Some(Waiting { frame, room: Box::pin(room) });
        }
        let waiting = this.waiting.as_mut().expect("set above");
        let share = ready!(waiting.room.as_mut().poll(context));
        this.reserved.add(share);
        Poll::Ready(this.waiting.take().map(|waiting| Ok(waiting.frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Message {
    const BEGIN: Self = Self::Prefix { bytes: [0; PREFIX], have: 0 };

    /// Goes on through `data`; returns the room that messages need that begin in it.
    fn pass(&mut self, mut data: &[u8], message_bytes: u64) -> u64 {
        let mut begun = 0;
        while !data.is_empty() {
            match self {
                Self::Prefix { bytes, have } => {
                    let taken = data.len().min(PREFIX - *have);
                    bytes[*have..*have + taken].copy_from_slice(&data[..taken]);
                    *have += taken;
                    data = &data[taken..];
                    if *have == PREFIX {
                        let [compressed, length @ ..] = *bytes;
                        let left = u64::from(u32::from_be_bytes(length));
                        let most = if compressed == 0 { left } else { message_bytes };
                        begun += most.min(message_bytes);
                        *self = Self::Content { left };
                    }
                }
                Self::Content { left } => {
                    let taken = (*left).min(data.len() as u64);
                    *left -= taken;
                    data = &data[usize::try_from(taken).expect("at most what there is")..];
                }
            }
            if matches!(self, Self::Content { left: 0 }) {
                *self = Self::BEGIN;
            }
        }
        begun
    }
}

impl Patience {
    /// Ready when the client was awaited for too long.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<BodyTimeout> {
        let earned = Duration::from_secs(self.received / BYTES_A_SECOND);
        let since = *self.since.get_or_insert_with(Instant::now);
        let until = since + (PATIENCE + earned).saturating_sub(self.waited);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(context));
        let waited_seconds = (self.waited + since.elapsed()).as_secs();
        Poll::Ready(BodyTimeout { waited_seconds, received: self.received })
    }

    /// Notes that the client sent something.
    fn came(&mut self) {
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests;
