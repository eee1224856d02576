//! What the batch numbers of a stream stand for, as long as they may come again.

use std::collections::VecDeque;

use mercer_common::{limits, rpc::status::InvalidRequest};
use mercer_proto::internal::ProducerBatch;
use parking_lot::Mutex;

/// Numbers that are remembered, which is all that one producer may have unacknowledged.
const NUMBERS: usize = limits::BATCHES_IN_FLIGHT as usize;

/// The batches of one stream whose numbers were not acknowledged by its client. A shard drops a
/// number that it has applied without looking at the events: with other events, some shards would
/// apply what others drop.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    sent: Mutex<VecDeque<Sent>>,
}

#[derive(Debug)]
struct Sent {
    producer_id: Vec<u8>,
    number: u64,
    content: u128,
}

impl Numbers {
    /// Notes that a batch is about to be appended.
    ///
    /// # Errors
    /// When its number stands for another one.
    pub(super) fn note(&self, batch: &ProducerBatch, content: u128) -> Result<(), InvalidRequest> {
        let number = batch.batch_sequence;
        let mut sent = self.sent.lock();
        sent.retain(|one| {
            one.producer_id != batch.producer_id || one.number > batch.acknowledged_through
        });
        let before =
            sent.iter().find(|one| one.producer_id == batch.producer_id && one.number == number);
        match before {
            Some(before) if before.content == content => return Ok(()),
            Some(_) => {
                let description = format!(
                    "{number} was sent with other events on this stream; send the same events \
                     again, or these under the next number"
                );
                return Err(InvalidRequest::field("batch_sequence", description));
            }
            None => {}
        }
        if sent.len() == NUMBERS {
            sent.pop_front();
        }
        sent.push_back(Sent { producer_id: batch.producer_id.clone(), number, content });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(producer: u8, batch_sequence: u64, acknowledged_through: u64) -> ProducerBatch {
        let producer_id = vec![producer; 16];
        ProducerBatch { producer_id, batch_sequence, acknowledged_through, r#final: false }
    }

    #[test]
    fn a_number_stands_for_its_content_until_it_is_acknowledged() {
        let numbers = Numbers::default();
        assert!(numbers.note(&batch(1, 5, 4), 7).is_ok());
        assert!(numbers.note(&batch(1, 5, 4), 7).is_ok(), "the same again");
        let refused = numbers.note(&batch(1, 5, 4), 8).expect_err("other events");
        assert_eq!(refused.violations[0].field, "batch_sequence");
        assert!(refused.violations[0].description.starts_with("5 was sent"));
        assert!(numbers.note(&batch(1, 6, 4), 8).is_ok(), "another number");
        assert!(numbers.note(&batch(2, 5, 4), 8).is_ok(), "another producer");
        assert!(numbers.note(&batch(1, 7, 5), 1).is_ok(), "acknowledges 5");
        assert!(numbers.note(&batch(1, 5, 4), 8).is_ok(), "which is forgotten");
        assert!(numbers.note(&batch(1, 6, 5), 7).is_err());
        assert!(numbers.note(&batch(2, 5, 4), 7).is_err(), "of the other producer");
    }

    #[test]
    fn as_many_numbers_are_kept_as_may_be_under_way() {
        let numbers = Numbers::default();
        for number in 1..=64 {
            numbers.note(&batch(1, number, 0), number.into()).expect("new");
        }
        for number in 1..=64 {
            assert!(numbers.note(&batch(1, number, 0), 0).is_err(), "{number}");
        }
        for producer in 2..=200 {
            numbers.note(&batch(producer, 1, 0), 0).expect("new");
        }
        assert_eq!(numbers.sent.lock().len(), 64);
    }
}
