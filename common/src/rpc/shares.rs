//! Shares: how connections divide what a server has.
//!
//! One connection may use what nobody else wants, for behind a proxy one connection is everybody. But
//! the more it holds, the more it must leave free, so that whoever holds little always gets in. The
//! rule is the dynamic threshold of shared-memory switches (Choudhury and Hahne, 1998): it takes
//! nothing back, and whoever holds most is the first to get no more.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::peer::Peer;

/// A part of all, kept for connections that hold few.
const KEPT: u64 = 8;
/// A part of what a connection holds, left free beside it.
const LEFT: u64 = 16;

/// So much of something, shared by connections.
#[derive(Debug)]
pub(super) struct Shares {
    limit: u64,
    few: u64,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    all: u64,
    /// Amounts taken, by the number of the connection; none of them is 0.
    of: HashMap<u64, u64>,
}

/// What a connection took; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    peer: u64,
    amount: u64,
}

impl Shares {
    /// All of `limit` is free. A connection that holds at most `few` may take the last of it.
    #[must_use]
    pub(super) fn new(limit: u64, few: u64) -> Arc<Self> {
        Arc::new(Self { limit, few, taken: Mutex::default(), freed: Notify::new() })
    }

    /// How much there is in all.
    #[must_use]
    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    /// Takes `amount` for `peer`; `None` when too little is free for a connection that holds as much.
    #[must_use]
    pub(super) fn try_take(self: &Arc<Self>, peer: &Peer, amount: u64) -> Option<Share> {
        let mut taken = self.taken.lock();
        let held = taken.of.get(&peer.number()).copied().unwrap_or(0);
        if !self.fits(taken.all, held, amount) {
            return None;
        }
        taken.all += amount;
        *taken.of.entry(peer.number()).or_default() += amount;
        Some(Share { shares: Arc::clone(self), peer: peer.number(), amount })
    }

    /// Takes `amount` for `peer`, at most the limit, as soon as it may have it.
    pub(super) async fn take(self: Arc<Self>, peer: Peer, amount: u64) -> Share {
        let amount = amount.min(self.limit);
        loop {
            let freed = self.freed.notified();
            if let Some(share) = self.try_take(&peer, amount) {
                return share;
            }
            freed.await;
        }
    }

    /// Takes one, which `victim` had: what is free stays as it is.
    pub(super) fn replace(self: &Arc<Self>, mut victim: Share, peer: &Peer) -> Share {
        let amount = std::mem::take(&mut victim.amount);
        let mut taken = self.taken.lock();
        taken.give_back(victim.peer, amount);
        taken.all += amount;
        *taken.of.entry(peer.number()).or_default() += amount;
        Share { shares: Arc::clone(self), peer: peer.number(), amount }
    }

    /// What `peer` holds.
    #[must_use]
    pub(super) fn held(&self, peer: u64) -> u64 {
        self.taken.lock().of.get(&peer).copied().unwrap_or(0)
    }

    fn fits(&self, all: u64, held: u64, amount: u64) -> bool {
        let Some(free) = (self.limit - all).checked_sub(amount) else { return false };
        // A taker of everything waits until it is alone.
        let holds = held + amount;
        holds <= self.few || held == 0 && all == 0 || free >= self.limit / KEPT + holds / LEFT
    }
}

impl Taken {
    fn give_back(&mut self, peer: u64, amount: u64) {
        self.all -= amount;
        if let Some(held) = self.of.get_mut(&peer) {
            *held -= amount;
            if *held == 0 {
                self.of.remove(&peer);
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.shares.taken.lock().give_back(self.peer, self.amount);
            self.shares.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn one_connection_uses_what_nobody_wants_and_others_still_get_in() {
        let shares = Shares::new(1_024, 8);
        let (hog, guest) = (Peer::new(), Peer::new());
        let mut held: Vec<Share> = std::iter::from_fn(|| shares.try_take(&hog, 1)).collect();
        assert_eq!(held.len(), 844, "of 1,024: an eighth and a sixteenth of its own stay free");
        let of_guest: Vec<Share> = std::iter::from_fn(|| shares.try_take(&guest, 1)).collect();
        assert_eq!(of_guest.len(), 49, "as long as more than the eighth is free");
        assert!(shares.try_take(&hog, 1).is_none());
        // What the hog gives back, the guest gets and the hog does not.
        held.truncate(842);
        assert!(shares.try_take(&hog, 1).is_none());
        let one_more = shares.try_take(&guest, 1).expect("free");
        // The last eighth is for those who hold few.
        let newcomers: Vec<Share> =
            std::iter::from_fn(|| shares.try_take(&Peer::new(), 1)).collect();
        assert_eq!(newcomers.len(), 1_024 - 842 - 50);
        drop((held, of_guest, one_more, newcomers));
        assert!(shares.taken.lock().of.is_empty());
        assert_eq!(shares.taken.lock().all, 0);
    }

    #[test]
    fn small_limits_are_used_up() {
        let shares = Shares::new(3, 8);
        let peer = Peer::new();
        let all: Vec<Share> = std::iter::from_fn(|| shares.try_take(&peer, 1)).collect();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn what_is_replaced_changes_its_owner() {
        let shares = Shares::new(2, 8);
        let (first, second) = (Peer::new(), Peer::new());
        let victim = shares.try_take(&first, 1).expect("free");
        let taken = shares.replace(victim, &second);
        assert_eq!((shares.held(first.number()), shares.held(second.number())), (0, 1));
        drop(taken);
        assert_eq!(shares.taken.lock().all, 0);
    }

    #[tokio::test]
    async fn whoever_waits_gets_what_is_freed() {
        let shares = Shares::new(10, 1);
        let (first, second) = (Peer::new(), Peer::new());
        let all = shares.try_take(&first, 10).expect("alone");
        let waiting = tokio::spawn(Arc::clone(&shares).take(second, 100));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(all);
        assert_eq!(waiting.await.expect("taken").amount, 10, "no more than there is");
    }

    proptest! {
        #[test]
        fn the_sum_stays_within_the_limit_and_is_given_back(
            limit in 1_u64..200,
            few in 0_u64..10,
            steps in vec((0_usize..5, 1_u64..30, any::<bool>()), 1..200),
        ) {
            let shares = Shares::new(limit, few);
            let peers: Vec<Peer> = std::iter::repeat_with(Peer::new).take(5).collect();
            let mut held: Vec<Share> = Vec::new();
            for (peer, amount, drops) in steps {
                if drops {
                    held.pop();
                } else {
                    held.extend(shares.try_take(&peers[peer], amount));
                }
                let sum: u64 = held.iter().map(|share| share.amount).sum();
                prop_assert_eq!(shares.taken.lock().all, sum);
                prop_assert!(sum <= limit);
            }
            // A connection that has nothing gets a few, if they are free.
            let sum: u64 = held.iter().map(|share| share.amount).sum();
            if few > 0 && sum < limit {
                prop_assert!(shares.try_take(&Peer::new(), 1).is_some());
            }
        }
    }
}
