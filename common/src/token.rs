//! Freshness tokens: how far the log had come in the shards that a call touched.
//!
//! ```text
//! format 2   2 u8, incarnation u64, number of epochs u8, epochs of 16 bytes ascending, then entries:
//!            index of the epoch u8, shard u16, position u64
//! format 1   1 u8, incarnation u64, then entries: shard u16, position u64
//! ```
//!
//! All big endian, base64url. Format 1 is of before there were epochs; its positions hold up to the end of
//! what was written without any. Positions of different epochs are kept apart: whether they belong to
//! one history only the log can tell.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use thiserror::Error;

use crate::{
    limits,
    log::{Epoch, EventLog, Mark, Sequence},
    slot::ShardId,
};

const FORMAT: u8 = 2;
const FORMAT_WITHOUT_EPOCHS: u8 = 1;
const HEADER: usize = 1 + 8;
const EPOCH: usize = 16;
/// An entry of format 1, which format 2 puts an index before.
const ENTRY: usize = 2 + 8;
/// Bytes of the longest token.
const LONGEST: usize = HEADER
    + 1
    + limits::TOKEN_EPOCHS * EPOCH
    + limits::TOKEN_EPOCHS * limits::SHARDS as usize * (1 + ENTRY);

/// Positions of shards in one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    positions: BTreeMap<(Epoch, ShardId), Sequence>,
}

/// Why a token was refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// The text is no token.
    #[error("tokens[{index}] is malformed; pass tokens exactly as they were returned")]
    Malformed {
        /// Its place in the request.
        index: usize,
    },
    /// A token of another log.
    #[error("tokens[{index}] belongs to another log; the data behind it is not in this cluster")]
    ForeignIncarnation {
        /// Its place in the request.
        index: usize,
    },
    /// A token of what this log once held, or of a copy of it that went on by itself.
    #[error(
        "tokens[{index}] was issued for what this log does not hold: it was restored from an earlier state, and what was acknowledged after that is not in this cluster; send it again, and drop the token"
    )]
    LostHistory {
        /// Its place in the request.
        index: usize,
    },
    /// More than a request may carry.
    #[error("{count} tokens; at most {} are allowed", limits::TOKENS)]
    TooMany {
        /// Number of tokens that were sent.
        count: usize,
    },
    /// More than one token may name.
    #[error(
        "the tokens name {count} epochs of the log, and one token at most {}; pass them apart",
        limits::TOKEN_EPOCHS
    )]
    TooManyEpochs {
        /// Epochs that all tokens together name.
        count: usize,
    },
}

impl Token {
    /// Raises the position of `shard` in the mark's epoch to at least that of the mark.
    pub fn advance(&mut self, shard: ShardId, mark: Mark) {
        let position = self.positions.entry((mark.epoch, shard)).or_default();
        *position = (*position).max(mark.position);
    }

    /// The position of `shard`, 0 when it was not touched. Where the log accepts all marks of the
    /// token, the highest one holds, whatever its epoch: positions of one log are ordered.
    #[must_use]
    pub fn position(&self, shard: ShardId) -> Sequence {
        let of_shard = self.positions.iter().filter(|((_, one), _)| *one == shard);
        of_shard.map(|(_, position)| *position).max().unwrap_or(0)
    }

    /// What the log must hold: the highest position of each epoch.
    pub fn marks(&self) -> impl Iterator<Item = Mark> {
        let mut highest: BTreeMap<Epoch, Sequence> = BTreeMap::new();
        for (&(epoch, _), &position) in &self.positions {
            let known = highest.entry(epoch).or_default();
            *known = (*known).max(position);
        }
        highest.into_iter().map(|(epoch, position)| Mark { epoch, position })
    }

    /// The opaque form of a token that names at most [`limits::TOKEN_EPOCHS`] epochs.
    ///
    /// # Panics
    /// When it names more: only [`combine`] makes such tokens, and refuses to encode them.
    #[must_use]
    pub fn encode(&self, incarnation: u64) -> String {
        let epochs: Vec<Epoch> = self.epochs().into_iter().collect();
        let mut bytes = vec![FORMAT];
        bytes.extend(incarnation.to_be_bytes());
        bytes.push(u8::try_from(epochs.len()).expect("few epochs"));
        for epoch in &epochs {
            bytes.extend(epoch.0.to_be_bytes());
        }
        for ((epoch, shard), position) in &self.positions {
            let index = epochs.partition_point(|one| one < epoch);
            bytes.push(u8::try_from(index).expect("few epochs"));
            bytes.extend(shard.to_be_bytes());
            bytes.extend(position.to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn epochs(&self) -> BTreeSet<Epoch> {
        self.positions.keys().map(|(epoch, _)| *epoch).collect()
    }

    /// Decodes one token of the log `incarnation`; `index` is its place in the request.
    ///
    /// # Errors
    /// `Malformed` and `ForeignIncarnation`.
    pub fn decode(token: &str, incarnation: u64, index: usize) -> Result<Self, TokenError> {
        let (of, token) = parse(token).ok_or(TokenError::Malformed { index })?;
        if of == incarnation { Ok(token) } else { Err(TokenError::ForeignIncarnation { index }) }
    }

    /// Takes the maximum of both within each epoch.
    pub fn merge(&mut self, other: &Self) {
        for (&(epoch, shard), &position) in &other.positions {
            self.advance(shard, Mark { epoch, position });
        }
    }
}

/// The token for these positions, all of which `log` has reached. It names one epoch, that of the
/// highest position: a log that lacks it lacks the token's position too.
pub fn issue(
    log: &dyn EventLog,
    positions: impl IntoIterator<Item = (ShardId, Sequence)>,
) -> String {
    let positions: Vec<(ShardId, Sequence)> = positions.into_iter().collect();
    let highest = positions.iter().map(|(_, position)| *position).max().unwrap_or(0);
    let epoch = log.epoch_at(highest);
    let mut token = Token::default();
    for (shard, position) in positions {
        token.advance(shard, Mark { epoch, position });
    }
    token.encode(log.incarnation())
}

/// Merges any number of tokens of one log into one, for clients that collect them.
/// No tokens give the empty text.
///
/// # Errors
/// When one is malformed, they are of different logs, or name too many epochs for one token.
pub fn combine(tokens: &[String]) -> Result<String, TokenError> {
    let Some(first) = tokens.first() else { return Ok(String::new()) };
    let (incarnation, mut combined) = parse(first).ok_or(TokenError::Malformed { index: 0 })?;
    for (index, token) in tokens.iter().enumerate().skip(1) {
        combined.merge(&Token::decode(token, incarnation, index)?);
    }
    let count = combined.epochs().len();
    if count > limits::TOKEN_EPOCHS {
        return Err(TokenError::TooManyEpochs { count });
    }
    Ok(combined.encode(incarnation))
}

/// The incarnation of the log that the token belongs to, and the token; `None` when it is none.
fn parse(token: &str) -> Option<(u64, Token)> {
    if token.len() > LONGEST.div_ceil(3) * 4 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    let (format, incarnation) = header.split_first()?;
    let token = match *format {
        FORMAT => parse_entries(rest)?,
        FORMAT_WITHOUT_EPOCHS => parse_entries_without_epochs(rest)?,
        _ => return None,
    };
    Some((u64::from_be_bytes(incarnation.try_into().ok()?), token))
}

fn parse_entries(bytes: &[u8]) -> Option<Token> {
    let (&count, rest) = bytes.split_first()?;
    let count = usize::from(count);
    let (epochs, entries) = rest.split_at_checked(count * EPOCH)?;
    if count > limits::TOKEN_EPOCHS || !entries.len().is_multiple_of(1 + ENTRY) {
        return None;
    }
    let mut token = Token::default();
    for entry in entries.chunks_exact(1 + ENTRY) {
        let (&index, entry) = entry.split_first()?;
        let epoch = epochs.chunks_exact(EPOCH).nth(usize::from(index))?;
        token.parse_entry(Epoch(u128::from_be_bytes(epoch.try_into().ok()?)), entry)?;
    }
    Some(token)
}

fn parse_entries_without_epochs(entries: &[u8]) -> Option<Token> {
    if !entries.len().is_multiple_of(ENTRY) {
        return None;
    }
    let mut token = Token::default();
    for entry in entries.chunks_exact(ENTRY) {
        token.parse_entry(Epoch::NONE, entry)?;
    }
    Some(token)
}

impl Token {
    fn parse_entry(&mut self, epoch: Epoch, entry: &[u8]) -> Option<()> {
        let (shard, position) = entry.split_at_checked(2)?;
        let shard = ShardId::from_be_bytes(shard.try_into().ok()?);
        let position = Sequence::from_be_bytes(position.try_into().ok()?);
        (shard < limits::SHARDS).then(|| self.advance(shard, Mark { epoch, position }))
    }
}

#[cfg(test)]
mod tests;
