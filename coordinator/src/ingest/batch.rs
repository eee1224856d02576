//! Batches of events: a producer's, and those of single calls.

use std::sync::Arc;

use bytes::Bytes;
use mercer_common::{
    event::{EventChecker, RecordContext, SplitEvents},
    ids::Checker,
    limits,
    rpc::status::InvalidRequest,
    slot::ShardId,
};
use mercer_proto::{
    internal::{ProducerBatch, Section, section::Origin},
    v1::{BatchAcknowledgement, Event, IngestRequest, RecordEventsRequest, RecordEventsResponse},
};
use prost::Message as _;
use uuid::Uuid;

use super::{Ingest, IngestError, Numbers, encode};
use crate::stamp::Stamp;

/// Larger batches are checked and encoded off the runtime's threads.
const INLINE_EVENTS: usize = 1_000;

/// What turns events into sections, wherever it runs.
struct Encoding {
    checker: EventChecker,
    context: Arc<RecordContext>,
    apply_version: u32,
    origin: Option<Origin>,
    stamp: Stamp,
    /// Every shard gets a section, so that all of them learn the origin.
    all_shards: bool,
}

/// The sections of a batch, and what stands for its events.
struct Encoded {
    sections: Vec<(ShardId, Bytes)>,
    content: u128,
}

impl Encoding {
    fn run(self, events: Vec<Event>) -> Result<Encoded, InvalidRequest> {
        self.checker.check_batch(&events)?;
        let split = SplitEvents::new(events, &self.context, self.apply_version)?;
        let content = split.content();
        let split = split.into_sections();
        if !self.all_shards {
            let sections = encode(split, self.origin.as_ref(), self.stamp);
            return Ok(Encoded { sections, content });
        }
        let mut sections: Vec<(ShardId, Section)> =
            (0..self.context.layout.shards()).map(|shard| (shard, Section::default())).collect();
        for (shard, section) in split {
            sections[usize::from(shard)].1 = section;
        }
        let sections = encode(sections, self.origin.as_ref(), self.stamp);
        Ok(Encoded { sections, content })
    }
}

impl Ingest {
    /// Appends the events of a single call.
    pub(crate) async fn record_events(
        &self,
        mut request: RecordEventsRequest,
    ) -> Result<RecordEventsResponse, IngestError> {
        let _budget = self.budget(decoded_bytes(&request.events)).await;
        let mut checker = Checker::default();
        let request_id = request.request_id.take();
        let origin = self.request_origin(&mut checker, request_id, &request);
        checker.finish()?;
        self.check_rows(Uuid::nil(), &request.events)?;
        let encoded = self.encode_events(request.events, origin, false).await?;
        let token = self.append(encoded.sections).await?;
        Ok(RecordEventsResponse { token })
    }

    /// Appends one batch of a stream with these numbers.
    pub(crate) async fn batch(
        &self,
        request: IngestRequest,
        numbers: &Numbers,
    ) -> Result<BatchAcknowledgement, IngestError> {
        let producer = check_producer(&request)?;
        let id = Uuid::from_slice(&producer.producer_id).unwrap_or_default();
        self.check_rows(id, &request.events)?;
        // Remembering a finished producer for ever is the business of every shard.
        let all_shards = producer.r#final;
        let events = u32::try_from(request.events.len()).unwrap_or(u32::MAX);
        let origin = Some(Origin::Producer(producer.clone()));
        let encoded = self.encode_events(request.events, origin, all_shards).await?;
        numbers.note(&producer, encoded.content)?;
        let reserved = match all_shards {
            true => self.reserve(&[], &producer.producer_id).await?,
            false => None,
        };
        let token = self.append_reserved(encoded.sections, reserved).await?;
        Ok(BatchAcknowledgement { token, events })
    }

    async fn encode_events(
        &self,
        events: Vec<Event>,
        origin: Option<Origin>,
        all_shards: bool,
    ) -> Result<Encoded, IngestError> {
        let encoding = Encoding {
            checker: EventChecker::new(&self.context.currency, self.clock.now()),
            context: Arc::clone(&self.context),
            apply_version: self.apply_version(),
            origin,
            stamp: self.stamp(),
            all_shards,
        };
        if events.len() <= INLINE_EVENTS {
            return Ok(encoding.run(events)?);
        }
        let encoded = tokio::task::spawn_blocking(move || encoding.run(events)).await;
        Ok(encoded.map_err(|_| IngestError::ShuttingDown)??)
    }
}

/// Memory that decoded events take, about; little for what is refused for its number anyway.
pub(crate) fn decoded_bytes(events: &[Event]) -> usize {
    if events.len() > limits::BATCH_RECORDS {
        return 0;
    }
    let encoded: usize = events.iter().map(Event::encoded_len).sum();
    encoded + size_of_val(events)
}

fn check_producer(request: &IngestRequest) -> Result<ProducerBatch, InvalidRequest> {
    let mut checker = Checker::default();
    let producer_id = Uuid::try_parse(&request.producer_id);
    if producer_id.is_err() {
        checker.violation("producer_id", "is not a UUID");
    }
    let (sequence, through) = (request.batch_sequence, request.acknowledged_through);
    if sequence == 0 {
        checker.violation("batch_sequence", "starts at 1");
    } else if sequence <= through {
        checker.violation(
            "batch_sequence",
            format!("is {sequence}, which acknowledged_through = {through} says is done"),
        );
    } else if sequence - through > limits::BATCHES_IN_FLIGHT {
        let limit = limits::BATCHES_IN_FLIGHT;
        checker.violation(
            "batch_sequence",
            format!("is {sequence}; at most {limit} above acknowledged_through = {through}"),
        );
    }
    checker.finish()?;
    #[expect(deprecated, reason = "it is still taken")]
    let is_final = request.r#final;
    Ok(ProducerBatch {
        producer_id: producer_id.unwrap_or_default().into_bytes().to_vec(),
        batch_sequence: sequence,
        acknowledged_through: through,
        r#final: is_final,
    })
}
