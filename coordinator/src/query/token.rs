//! The tokens of a request, against this cluster's log.

use mercer_common::{
    log::Sequence,
    slot::{ShardId, ShardLayout},
    token::{Token, TokenError},
};
use mercer_proto::internal::ShardPosition;

/// What a call must see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Required {
    token: Token,
}

impl Required {
    /// Merges the tokens of a request by maximum. One that names a position which the log has
    /// not reached was not issued by this cluster.
    pub(crate) fn new(
        tokens: &[String],
        incarnation: u64,
        layout: ShardLayout,
        end: Sequence,
    ) -> Result<Self, TokenError> {
        let token = Token::merge(tokens, incarnation)?;
        if (0..layout.shards()).any(|shard| token.position(shard) > end) {
            let beyond = |one: &String| {
                Token::merge(std::slice::from_ref(one), incarnation).is_ok_and(|token| {
                    (0..layout.shards()).any(|shard| token.position(shard) > end)
                })
            };
            let index = tokens.iter().position(beyond).unwrap_or_default();
            return Err(TokenError::Malformed { index });
        }
        Ok(Self { token })
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

/// Notes what shards had applied when they answered.
pub(crate) fn advance(token: &mut Token, positions: &[ShardPosition]) {
    for position in positions {
        if let Ok(shard) = ShardId::try_from(position.shard) {
            token.advance(shard, position.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_position_that_the_log_has_not_reached_by_index() {
        let layout = ShardLayout::new(4);
        let token = |shard, sequence| {
            let mut token = Token::default();
            token.advance(shard, sequence);
            token.encode(7)
        };
        let tokens = [token(1, 10), token(2, 11)];
        let required = Required::new(&tokens, 7, layout, 11).expect("reached");
        assert_eq!(required.at_all(&[0, 1, 2]).iter().map(|p| p.sequence).sum::<u64>(), 21);
        assert_eq!(
            Required::new(&tokens, 7, layout, 10).err(),
            Some(TokenError::Malformed { index: 1 })
        );
    }
}
