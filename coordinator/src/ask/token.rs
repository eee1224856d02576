//! The tokens of a request, against this cluster's log.

use mercer_common::{
    limits,
    log::EventLog,
    slot::ShardId,
    token::{self, Token, TokenError},
};
use mercer_proto::internal::ShardPosition;

use super::{Engine, error::AskError};

/// What a call must see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Required {
    token: Token,
}

impl Required {
    /// Merges the tokens of a request. Each was issued for what the log holds, or is refused: a
    /// shard would wait for ever for a position of another history, or take what has that number
    /// here for it.
    pub(crate) fn new(tokens: &[String], log: &dyn EventLog) -> Result<Self, TokenError> {
        if tokens.len() > limits::TOKENS {
            return Err(TokenError::TooMany { count: tokens.len() });
        }
        let mut required = Token::default();
        for (index, token) in tokens.iter().enumerate() {
            let token = Token::decode(token, log.incarnation(), index)?;
            if !token.marks().all(|mark| log.accepts(mark)) {
                return Err(TokenError::LostHistory { index });
            }
            required.merge(&token);
        }
        Ok(Self { token: required })
    }

    /// What `shard` must have applied before it answers.
    pub(crate) fn at(&self, shard: ShardId) -> ShardPosition {
        ShardPosition { shard: u32::from(shard), sequence: self.token.position(shard) }
    }

    /// What each of `shards` must have applied.
    pub(crate) fn at_all(&self, shards: &[ShardId]) -> Vec<ShardPosition> {
        shards.iter().map(|shard| self.at(*shard)).collect()
    }
}

impl Engine {
    /// What the tokens of a request require.
    pub(crate) fn required(&self, tokens: &[String]) -> Result<Required, AskError> {
        Ok(Required::new(tokens, &*self.log)?)
    }

    /// The token of an answer by shards that had come so far.
    pub(crate) fn token<'a>(
        &self,
        positions: impl IntoIterator<Item = &'a ShardPosition>,
    ) -> String {
        let mut reached = Vec::new();
        for position in positions {
            if let Ok(shard) = ShardId::try_from(position.shard) {
                reached.push((shard, position.sequence));
            }
        }
        token::issue(&*self.log, reached)
    }
}

#[cfg(test)]
mod tests {
    use mercer_common::log::{Epoch, Mark, memory::MemoryLog};

    use super::*;

    async fn append(log: &MemoryLog) {
        log.append(vec![(1, "a".into()), (2, "b".into())]).await.expect("stored");
    }

    #[tokio::test]
    async fn a_token_of_a_lost_history_is_refused_by_index() {
        let log = MemoryLog::new(7);
        append(&log).await;
        let old = token::issue(&log, [(1, 1), (2, 2)]);
        append(&log).await;
        let lost = token::issue(&log, [(1, 3)]);
        let tokens = [old.clone(), lost.clone()];
        let required = Required::new(&tokens, &log).expect("reached");
        assert_eq!(required.at_all(&[0, 1, 2]).iter().map(|p| p.sequence).sum::<u64>(), 5);

        log.restore(2);
        let refused = Some(TokenError::LostHistory { index: 1 });
        assert_eq!(Required::new(&tokens, &log).err(), refused, "plainly ahead");
        for _ in 0..5 {
            append(&log).await;
        }
        assert_eq!(Required::new(&tokens, &log).err(), refused, "grown past it meanwhile");
        // Both epochs hold: the highest position counts.
        let new = token::issue(&log, [(1, 5)]);
        let required = Required::new(&[new, old], &log).expect("of this history");
        assert_eq!([1, 2].map(|shard| required.at(shard).sequence), [5, 2]);
    }

    #[tokio::test]
    async fn a_token_without_epoch_holds_for_what_was_written_before_epochs() {
        let log = MemoryLog::new(7);
        append(&log).await;
        let mut token = Token::default();
        token.advance(1, Mark { epoch: Epoch::NONE, position: 1 });
        let refused = Required::new(&[token.encode(7)], &log).err();
        assert_eq!(refused, Some(TokenError::LostHistory { index: 0 }), "the log began with one");
        assert_eq!(
            Required::new(&vec![String::new(); limits::TOKENS + 1], &log).err(),
            Some(TokenError::TooMany { count: limits::TOKENS + 1 })
        );
    }
}
