//! Streams that clients keep open: bounded, and ended for idleness only when another wants to come in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::{
    admission::FEW_CALLS,
    peer::Peer,
    shares::{Share, Shares},
    status::{Describe, Description},
};

/// Reason of the end of a stream that was idle when others wanted to come in. Open it again, and send
/// what was not answered.
pub const IDLE: &str = "IDLE";
/// A client that is awaited for less is not idle.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// The stream was idle, and another took its place.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the stream was idle and others want its place: all {limit} are taken; open it again when there \
     is something to send, and send what was not answered"
)]
pub struct StreamIdle {
    limit: u64,
}

impl Describe for StreamIdle {
    fn describe(&self) -> Description {
        Description::new(Code::Unavailable, IDLE)
            .retry_after(Duration::from_millis(100))
            .with("limit", self.limit)
    }
}

/// The places for streams of one kind, shared by connections.
#[derive(Debug)]
pub struct Streams {
    shares: Arc<Shares>,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: BTreeMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    share: Share,
    peer: Peer,
    /// Since when the client is awaited; `None` while it awaits us.
    awaited: Option<Instant>,
    ended: CancellationToken,
}

/// An open stream; its place is free when it is dropped.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<Streams>,
    number: u64,
    ended: CancellationToken,
}

impl Streams {
    /// So many places, all of them free.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { shares: Shares::new(limit as u64, FEW_CALLS), open: Mutex::default() })
    }

    /// How many streams may be open.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.shares.limit()
    }

    /// Opens a stream; `None` when all places are taken and nobody who holds as many as `peer` is
    /// idle.
    #[must_use]
    pub fn open(self: &Arc<Self>, peer: &Peer) -> Option<OpenStream> {
        let mut open = self.open.lock();
        let share = match self.shares.try_take(peer, 1) {
            Some(share) => share,
            None => {
                let victim = self.idlest(&open, peer)?;
                let victim = open.by_number.remove(&victim)?;
                victim.ended.cancel();
                self.shares.replace(victim.share, peer)
            }
        };
        let number = open.next;
        open.next += 1;
        let ended = CancellationToken::new();
        let member = Member {
            share,
            peer: peer.clone(),
            awaited: Some(Instant::now()),
            ended: ended.clone(),
        };
        open.by_number.insert(number, member);
        Some(OpenStream { streams: Arc::clone(self), number, ended })
    }

    /// The stream that was idle for longest, of the connection that holds most.
    fn idlest(&self, open: &Open, peer: &Peer) -> Option<u64> {
        let held = self.shares.held(peer.number());
        let now = Instant::now();
        let idle = open.by_number.iter().filter_map(|(number, member)| {
            let idle = now.saturating_duration_since(member.awaited?);
            let holds = self.shares.held(member.peer.number());
            (idle >= IDLE_AFTER && holds >= held).then_some((holds, idle, *number))
        });
        idle.max_by_key(|(holds, idle, number)| (*holds, *idle, std::cmp::Reverse(*number)))
            .map(|(.., number)| number)
    }

    fn mark(&self, number: u64, awaited: Option<Instant>) {
        if let Some(member) = self.open.lock().by_number.get_mut(&number) {
            member.awaited = awaited;
        }
    }
}

impl OpenStream {
    /// Notes that from now on the client is awaited: to send, or to take.
    pub fn awaits_client(&self) {
        self.streams.mark(self.number, Some(Instant::now()));
    }

    /// Notes that the client awaits an answer.
    pub fn works(&self) {
        self.streams.mark(self.number, None);
    }

    /// Ends when the stream has to.
    pub async fn ended(&self) -> StreamIdle {
        self.ended.cancelled().await;
        StreamIdle { limit: self.streams.limit() }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.streams.open.lock().by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_idlest_of_whoever_holds_most_makes_room() {
        let streams = Streams::new(4);
        let (hog, guest) = (Peer::new(), Peer::new());
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(streams.open(&hog).expect("free"));
            advance(Duration::from_secs(1)).await;
        }
        let of_guest = streams.open(&guest).expect("free");
        advance(Duration::from_secs(10)).await;
        held[0].awaits_client();
        held[1].works();
        advance(IDLE_AFTER).await;
        // The first is idle for two seconds, the second not at all, the third for longest.
        let second = streams.open(&guest).expect("makes room");
        assert_eq!(held[2].ended().await, StreamIdle { limit: 4 });
        assert!(!held[0].ended.is_cancelled() && !of_guest.ended.is_cancelled());
        // Its own end gives nothing back twice.
        drop(held.pop());
        assert_eq!(streams.shares.held(guest.number()), 2);
        // Now both hold as many; the guest's own first one is idle for longest.
        let third = streams.open(&guest).expect("makes room");
        assert!(of_guest.ended.is_cancelled());
        drop((of_guest, second, third, held));
        assert_eq!(streams.shares.held(guest.number()) + streams.shares.held(hog.number()), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_ends_for_somebody_who_holds_more_or_while_at_work() {
        let streams = Streams::new(3);
        let (hog, guest) = (Peer::new(), Peer::new());
        let held = [streams.open(&hog), streams.open(&hog)].map(|stream| stream.expect("free"));
        let of_guest = streams.open(&guest).expect("free");
        held.iter().for_each(OpenStream::works);
        advance(Duration::from_secs(60)).await;
        assert!(streams.open(&hog).is_none());
        assert!(!of_guest.ended.is_cancelled());
    }
}
