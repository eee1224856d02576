//! What repeated sections and events are recognised by.

use mercer_common::event::IdKey;
use mercer_proto::internal::{ProducerBatch, section};

use super::ApplyError;

/// Identifies an incarnation of a producer.
pub(crate) type ProducerId = [u8; 16];

/// What a repeated section is recognised by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is never repeated.
    Untracked,
    /// A batch of a producer.
    Producer(Batch),
    /// A call with a request id.
    Request(SentAs),
}

/// A batch of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) producer: ProducerId,
    pub(crate) number: u64,
    pub(crate) acknowledged_through: u64,
    pub(crate) is_final: bool,
}

/// What stands for an event or request that has an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentAs {
    /// Version 1: the hash of the id, whatever was sent under it.
    Hash(u128),
    /// Since version 2: the id and what was sent under it.
    Key(IdKey),
}

impl Origin {
    pub(super) fn read(origin: Option<section::Origin>) -> Result<Self, ApplyError> {
        let request = |sent: Option<SentAs>| match sent {
            Some(sent) => Ok(Self::Request(sent)),
            None => Err(ApplyError::Malformed("what stands for a request is empty")),
        };
        match origin {
            None => Ok(Self::Untracked),
            Some(section::Origin::RequestHash(hash)) => request(SentAs::read(&hash, &[])?),
            Some(section::Origin::RequestKey(key)) => request(SentAs::read(&[], &key)?),
            Some(section::Origin::Producer(batch)) => {
                let ProducerBatch { producer_id, batch_sequence, acknowledged_through, r#final } =
                    batch;
                let producer = producer_id
                    .try_into()
                    .map_err(|_| ApplyError::Malformed("a producer id has not 16 bytes"))?;
                Ok(Self::Producer(Batch {
                    producer,
                    number: batch_sequence,
                    acknowledged_through,
                    is_final: r#final,
                }))
            }
        }
    }
}

impl SentAs {
    /// `None` when the event has no id.
    pub(super) fn read(hash: &[u8], key: &[u8]) -> Result<Option<Self>, ApplyError> {
        match (hash, key) {
            ([], []) => Ok(None),
            (hash, []) => {
                let hash = hash
                    .try_into()
                    .map_err(|_| ApplyError::Malformed("a hash has not 16 bytes"))?;
                Ok(Some(Self::Hash(u128::from_be_bytes(hash))))
            }
            ([], key) => {
                let key = IdKey::from_bytes(key);
                let key = key.ok_or(ApplyError::Malformed("a key has not 16 bytes"))?;
                Ok(Some(Self::Key(key)))
            }
            _ => Err(ApplyError::Malformed("an event has both a hash and a key")),
        }
    }
}
