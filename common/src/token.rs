//! Freshness tokens: how far the log had come in the shards that a call touched.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;

use crate::{limits, log::Sequence, slot::ShardId};

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 8;
const ENTRY: usize = 2 + 8;

/// Positions of shards in one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    positions: BTreeMap<ShardId, Sequence>,
}

/// Why a token was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// Not a token.
    #[error("tokens[{index}] is malformed; pass tokens exactly as they were returned")]
    Malformed {
        /// Its place in the request.
        index: usize,
    },
    /// Of another log.
    #[error("tokens[{index}] belongs to another log; the data behind it is not in this cluster")]
    ForeignIncarnation {
        /// Its place in the request.
        index: usize,
    },
    /// More than a request may carry.
    #[error("{count} tokens; at most {} are allowed", limits::TOKENS)]
    TooMany {
        /// As sent.
        count: usize,
    },
}

impl Token {
    /// Raises the position of `shard` to at least `sequence`.
    pub fn advance(&mut self, shard: ShardId, sequence: Sequence) {
        let position = self.positions.entry(shard).or_default();
        *position = (*position).max(sequence);
    }

    /// The position of `shard`, 0 when it was not touched.
    #[must_use]
    pub fn position(&self, shard: ShardId) -> Sequence {
        self.positions.get(&shard).copied().unwrap_or(0)
    }

    /// The opaque form: base64url of format, incarnation and (shard, position) entries.
    #[must_use]
    pub fn encode(&self, incarnation: u64) -> String {
        let mut bytes = Vec::with_capacity(HEADER + self.positions.len() * ENTRY);
        bytes.push(FORMAT);
        bytes.extend(incarnation.to_be_bytes());
        for (shard, sequence) in &self.positions {
            bytes.extend(shard.to_be_bytes());
            bytes.extend(sequence.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes the tokens of a request and merges them by maximum.
    ///
    /// # Errors
    /// See [`TokenError`]; the index is the token's place in the request.
    pub fn merge(tokens: &[String], incarnation: u64) -> Result<Self, TokenError> {
        if tokens.len() > limits::TOKENS {
            return Err(TokenError::TooMany { count: tokens.len() });
        }
        let mut merged = Self::default();
        for (index, token) in tokens.iter().enumerate() {
            merged.merge_one(token, incarnation, index)?;
        }
        Ok(merged)
    }

    fn merge_one(&mut self, token: &str, incarnation: u64, index: usize) -> Result<(), TokenError> {
        let malformed = TokenError::Malformed { index };
        let longest = (HEADER + usize::from(limits::SHARDS) * ENTRY).div_ceil(3) * 4;
        if token.len() > longest {
            return Err(malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| malformed.clone())?;
        let (header, entries) = bytes.split_at_checked(HEADER).ok_or(malformed.clone())?;
        if header[0] != FORMAT || entries.len() % ENTRY != 0 {
            return Err(malformed);
        }
        if header[1..] != incarnation.to_be_bytes() {
            return Err(TokenError::ForeignIncarnation { index });
        }
        for entry in entries.chunks_exact(ENTRY) {
            let shard = u16::from_be_bytes([entry[0], entry[1]]);
            if shard >= limits::SHARDS {
                return Err(malformed);
            }
            let sequence = entry[2..].try_into().map_err(|_| malformed.clone())?;
            self.advance(shard, u64::from_be_bytes(sequence));
        }
        Ok(())
    }
}

/// Merges any number of tokens of one log into one, for clients that collect them.
/// No tokens give the empty text.
///
/// # Errors
/// When one is malformed or they are of different logs.
pub fn combine(tokens: &[String]) -> Result<String, TokenError> {
    let Some(first) = tokens.first() else { return Ok(String::new()) };
    let malformed = || TokenError::Malformed { index: 0 };
    let bytes = URL_SAFE_NO_PAD.decode(first).map_err(|_| malformed())?;
    let incarnation = bytes.get(1..HEADER).and_then(|bytes| bytes.try_into().ok());
    let incarnation = u64::from_be_bytes(incarnation.ok_or_else(malformed)?);
    let mut combined = Token::default();
    for (index, token) in tokens.iter().enumerate() {
        combined.merge_one(token, incarnation, index)?;
    }
    Ok(combined.encode(incarnation))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_survive_and_nothing_else_panics(
            positions in prop::collection::btree_map(0..limits::SHARDS, any::<u64>(), 0..64),
            other in "[-_A-Za-z0-9]{0,40}|.{0,40}",
        ) {
            let token = Token { positions };
            prop_assert_eq!(Token::merge(&[token.encode(7)], 7), Ok(token));
            // Whatever somebody else made up either means something or is refused.
            if let Ok(found) = Token::merge(std::slice::from_ref(&other), 7) {
                prop_assert_eq!(Token::merge(&[found.encode(7)], 7), Ok(found));
            }
        }
    }

    #[test]
    fn a_request_carries_few_tokens() {
        let tokens = vec![Token::default().encode(7); limits::TOKENS + 1];
        Token::merge(&tokens[1..], 7).expect("allowed");
        assert_eq!(Token::merge(&tokens, 7), Err(TokenError::TooMany { count: tokens.len() }));
    }

    #[test]
    fn merges_by_maximum() {
        let mut left = Token::default();
        left.advance(1, 10);
        left.advance(2, 20);
        let mut right = Token::default();
        right.advance(2, 30);
        let merged = Token::merge(&[left.encode(7), right.encode(7)], 7).expect("valid");
        assert_eq!([0, 1, 2].map(|shard| merged.position(shard)), [0, 10, 30]);
    }

    #[test]
    fn combines_without_knowing_the_log() {
        let mut left = Token::default();
        left.advance(1, 10);
        let mut right = Token::default();
        right.advance(2, 30);
        let mut both = left.clone();
        both.advance(2, 30);
        let tokens = [left.encode(7), right.encode(7)];
        assert_eq!(combine(&tokens), Ok(both.encode(7)));
        assert_eq!(combine(&[]), Ok(String::new()));
        assert_eq!(
            combine(&[left.encode(7), right.encode(8)]),
            Err(TokenError::ForeignIncarnation { index: 1 })
        );
    }

    #[test]
    fn refuses_foreign_and_malformed_tokens_by_index() {
        let good = Token::default().encode(7);
        let foreign = Token::default().encode(8);
        assert_eq!(
            Token::merge(&[good.clone(), foreign], 7),
            Err(TokenError::ForeignIncarnation { index: 1 })
        );
        for bad in ["", "?", "AAAA", &"A".repeat(10_000), &good[1..]] {
            assert_eq!(Token::merge(&[bad.into()], 7), Err(TokenError::Malformed { index: 0 }));
        }
    }
}
