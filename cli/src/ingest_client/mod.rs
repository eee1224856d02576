//! The streaming client of `EventService.Ingest`: some batches in flight, every one delivered
//! exactly once in effect, across broken connections and busy servers.
//!
//! Numbers are given to batches in the order in which they arrive. A batch that was not
//! acknowledged is sent again under its number, after a reconnect or when the server asked for
//! patience. The producer's memory is the batches in flight and nothing else.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use mercer_common::rpc::status::reason;
use mercer_proto::v1::{
    Event, IngestRequest, IngestResponse, event_service_client::EventServiceClient,
    ingest_response::Outcome,
};
use prost::Message as _;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{Code, Status, Streaming, transport::Channel};
use tonic_types::StatusExt as _;

/// The server refuses a batch number this far above the acknowledged ones.
const WINDOW: u64 = mercer_common::limits::BATCHES_IN_FLIGHT;

/// Settings of a producer.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// A UUID; a fresh one unless the same batches are sent again on purpose.
    pub producer_id: String,
    /// Batches sent and not yet answered, 1 to 64.
    pub in_flight: usize,
    /// How long to go on without any answer before giving up.
    pub patience: Duration,
    /// The number of the first batch, from 1; those before were acknowledged.
    pub first_sequence: u64,
}

impl IngestOptions {
    /// A new producer with 8 batches in flight and a minute of patience.
    #[must_use]
    pub fn new() -> Self {
        Self::resuming(uuid::Uuid::new_v4().to_string())
    }

    /// As [`Self::new`] for a producer whose id is known.
    #[must_use]
    pub fn resuming(producer_id: String) -> Self {
        Self { producer_id, in_flight: 8, patience: Duration::from_secs(60), first_sequence: 1 }
    }
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Batch of events; an empty one takes a number and is not sent.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Events of the batch, at most 10,000 and 4 MiB.
    pub events: Vec<Event>,
    /// The producer's last batch: it is remembered for ever.
    pub last: bool,
}

/// Outcome of a batch.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Number of the batch, from 1.
    pub batch_sequence: u64,
    /// Events in it.
    pub events: usize,
    /// Time from when the batch was last sent to the answer.
    pub latency: Duration,
    /// The token of the acknowledgement, or why it was refused for good.
    pub outcome: Result<String, Status>,
}

/// Counts of what a producer did in all.
#[derive(Clone, Debug, Default)]
pub struct IngestSummary {
    /// Batches acknowledged.
    pub batches: u64,
    /// Events in them.
    pub events: u64,
    /// Batches refused for good.
    pub rejected_batches: u64,
    /// Batches sent more than once.
    pub resent: u64,
    /// Connections opened after the first.
    pub reconnects: u64,
}

/// Why a producer stopped before its last batch.
#[derive(Debug, Error)]
pub enum IngestError {
    /// The server refuses the stream itself.
    #[error("the server refused the stream")]
    Refused(#[source] Status),
    /// Nothing was answered for too long.
    #[error("no batch was acknowledged for {waited:.0?}")]
    Stalled {
        /// Time without an acknowledgement.
        waited: Duration,
        /// The latest trouble, if the server named one.
        #[source]
        cause: Option<Status>,
    },
    /// The server answered what nobody asked.
    #[error("the server answered batch {0}, which is not in flight")]
    Confused(u64),
}

/// Sends all `batches` and calls `on_answer` for each; returns when every one is answered.
///
/// # Errors
/// See [`IngestError`]; batches answered before stay in the log.
pub async fn ingest(
    channel: Channel,
    options: IngestOptions,
    batches: impl Stream<Item = Batch> + Send,
    on_answer: impl FnMut(Answer) + Send,
) -> Result<IngestSummary, IngestError> {
    ingest_mending(channel, options, batches, |_, _, _| false, on_answer).await
}

/// As [`ingest`], but a batch that was refused for good is shown to `mend` with its number: where
/// that is true, what it left of the batch is sent again under the same number, as nothing of it was
/// stored. A batch of which nothing is left is answered with an empty token.
///
/// # Errors
/// See [`IngestError`].
pub(crate) async fn ingest_mending(
    channel: Channel,
    options: IngestOptions,
    batches: impl Stream<Item = Batch> + Send,
    mend: impl FnMut(u64, &mut Vec<Event>, &Status) -> bool + Send,
    on_answer: impl FnMut(Answer) + Send,
) -> Result<IngestSummary, IngestError> {
    let mut producer = Producer {
        client: EventServiceClient::new(channel),
        in_flight: options.in_flight.clamp(1, usize::try_from(WINDOW).unwrap_or(64)),
        producer_id: options.producer_id,
        patience: options.patience,
        pending: BTreeMap::new(),
        next_sequence: options.first_sequence.max(1),
        last_answer: Instant::now(),
        trouble: None,
        summary: IngestSummary::default(),
        mend,
        on_answer,
    };
    let mut batches = std::pin::pin!(batches.fuse());
    let mut exhausted = false;
    let mut backoff = Backoff::default();
    while !(exhausted && producer.pending.is_empty()) {
        let answered = producer.summary.batches;
        match producer.stream(&mut batches, &mut exhausted).await {
            Ok(()) => {}
            Err(Stopped::For(error)) => return Err(error),
            Err(Stopped::Until(status)) => {
                producer.trouble = Some(status);
                producer.check_patience()?;
                if producer.summary.batches > answered {
                    backoff = Backoff::default();
                }
                let hint = producer.trouble.as_ref().and_then(retry_delay);
                tokio::time::sleep(hint.unwrap_or_else(|| backoff.next())).await;
                producer.summary.reconnects += 1;
            }
        }
    }
    Ok(producer.summary)
}

/// Why a stream ended early.
enum Stopped {
    /// Ended for good.
    For(IngestError),
    /// Ended until the next attempt.
    Until(Status),
}

/// A batch that is not answered yet.
struct Pending {
    events: Vec<Event>,
    last: bool,
    sent: Option<Instant>,
    /// Time before which the batch is not sent again.
    not_before: Instant,
    attempts: u64,
}

struct Producer<M, F> {
    client: EventServiceClient<Channel>,
    producer_id: String,
    in_flight: usize,
    patience: Duration,
    pending: BTreeMap<u64, Pending>,
    next_sequence: u64,
    last_answer: Instant,
    trouble: Option<Status>,
    summary: IngestSummary,
    mend: M,
    on_answer: F,
}

impl<M, F> Producer<M, F>
where
    M: FnMut(u64, &mut Vec<Event>, &Status) -> bool + Send,
    F: FnMut(Answer) + Send,
{
    /// Runs one stream until all is answered or it breaks.
    async fn stream<S: Stream<Item = Batch>>(
        &mut self,
        batches: &mut std::pin::Pin<&mut S>,
        exhausted: &mut bool,
    ) -> Result<(), Stopped> {
        // Whatever was in flight on the previous stream goes out again first.
        for pending in self.pending.values_mut() {
            pending.sent = None;
        }
        // Holds all batches in flight, so that sending never waits.
        let (sender, receiver) = mpsc::channel(self.in_flight);
        let opening = self.client.ingest(ReceiverStream::new(receiver));
        let opened = tokio::time::timeout(Duration::from_secs(10), opening).await;
        let mut answers: Streaming<IngestResponse> = opened
            .map_err(|_| Stopped::Until(Status::unavailable("the server does not answer")))?
            .map_err(classify)?
            .into_inner();
        loop {
            self.send_due(&sender)?;
            if *exhausted && self.pending.is_empty() {
                break;
            }
            let window_open = self.next_sequence <= self.acknowledged_through() + WINDOW;
            let room = !*exhausted && self.pending.len() < self.in_flight && window_open;
            let wake = self.wake_at();
            tokio::select! {
                answer = answers.next() => match answer {
                    Some(Ok(answer)) => self.answered(answer)?,
                    Some(Err(status)) => return Err(classify(status)),
                    None => {
                        return Err(Stopped::Until(Status::unavailable("the server ended the stream")));
                    }
                },
                batch = batches.next(), if room => match batch {
                    Some(batch) => self.accept(batch),
                    None => *exhausted = true,
                },
                () = tokio::time::sleep_until(wake.into()) => self.check_patience_in_stream()?,
            }
        }
        // A clean end: the server sees the end of the requests and ends the answers. The streams
        // are finished rather than dropped; what is still wrong now cannot undo acknowledgements.
        drop(sender);
        let drain = async { while let Some(Ok(_)) = answers.next().await {} };
        let _ = tokio::time::timeout(Duration::from_secs(5), drain).await;
        Ok(())
    }

    /// Numbers a batch and queues it.
    fn accept(&mut self, batch: Batch) {
        let now = Instant::now();
        if self.pending.is_empty() {
            // Waiting for the caller's next batch is not the server's silence.
            self.last_answer = now;
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        if !batch.events.is_empty() {
            let pending = Pending {
                events: batch.events,
                last: batch.last,
                sent: None,
                not_before: now,
                attempts: 0,
            };
            self.pending.insert(sequence, pending);
        }
    }

    /// Every batch up to this number has been answered.
    fn acknowledged_through(&self) -> u64 {
        self.pending.keys().next().copied().unwrap_or(self.next_sequence) - 1
    }

    /// Sends what has not been sent on this stream and is due.
    fn send_due(&mut self, sender: &mpsc::Sender<IngestRequest>) -> Result<(), Stopped> {
        let acknowledged_through = self.acknowledged_through();
        let now = Instant::now();
        for (&batch_sequence, pending) in &mut self.pending {
            if pending.sent.is_some() || pending.not_before > now {
                continue;
            }
            #[expect(deprecated, reason = "files that are imported again rely on it")]
            let request = IngestRequest {
                producer_id: self.producer_id.clone(),
                batch_sequence,
                acknowledged_through,
                events: pending.events.clone(),
                r#final: pending.last,
            };
            match sender.try_send(request) {
                Ok(()) => {}
                // The transport is behind; an answer will wake this loop again.
                Err(mpsc::error::TrySendError::Full(_)) => break,
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    return Err(Stopped::Until(Status::unavailable("the connection is closed")));
                }
            }
            pending.sent = Some(now);
            pending.attempts += 1;
            self.summary.resent += u64::from(pending.attempts > 1);
        }
        Ok(())
    }

    /// When something is to be done although no answer comes.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let unsent = self.pending.values().filter(|pending| pending.sent.is_none());
        let due = unsent.map(|p| p.not_before.max(now + Duration::from_millis(1))).min();
        let second = now + Duration::from_secs(1);
        due.map_or(second, |due| due.min(second))
    }

    fn answered(&mut self, answer: IngestResponse) -> Result<(), Stopped> {
        let sequence = answer.batch_sequence;
        let Some(pending) = self.pending.get_mut(&sequence) else {
            // Sent twice, answered twice.
            if sequence < self.next_sequence {
                return Ok(());
            }
            return Err(Stopped::For(IngestError::Confused(sequence)));
        };
        let outcome = match answer.outcome {
            Some(Outcome::Acknowledgement(acknowledgement)) => Ok(acknowledgement.token),
            Some(Outcome::Rejection(rejection)) => {
                let status = Status::with_details(
                    Code::from_i32(rejection.code),
                    rejection.message.clone(),
                    rejection.encode_to_vec().into(),
                );
                if pending.last && reason(&status).as_deref() == Some(BOUND_REACHED) {
                    // No more finished producers are remembered: it is taken as any other batch.
                    pending.last = false;
                    pending.sent = None;
                    return Ok(());
                }
                if is_transient(&status) {
                    let delay = retry_delay(&status).unwrap_or(Duration::from_millis(100));
                    pending.sent = None;
                    pending.not_before = Instant::now() + delay;
                    self.trouble = Some(status);
                    return Ok(());
                }
                if (self.mend)(sequence, &mut pending.events, &status) {
                    if !pending.events.is_empty() {
                        pending.sent = None;
                        self.last_answer = Instant::now();
                        return Ok(());
                    }
                    Ok(String::new())
                } else {
                    Err(status)
                }
            }
            None => Err(Status::internal("the server answered without an outcome")),
        };
        let now = Instant::now();
        let latency = pending.sent.map_or(Duration::ZERO, |sent| now - sent);
        let events = pending.events.len();
        self.pending.remove(&sequence);
        self.last_answer = now;
        self.trouble = None;
        if outcome.is_ok() {
            self.summary.batches += 1;
            self.summary.events += events as u64;
        } else {
            self.summary.rejected_batches += 1;
        }
        (self.on_answer)(Answer { batch_sequence: sequence, events, latency, outcome });
        Ok(())
    }

    fn check_patience(&mut self) -> Result<(), IngestError> {
        let waited = self.last_answer.elapsed();
        if waited > self.patience {
            return Err(IngestError::Stalled { waited, cause: self.trouble.take() });
        }
        Ok(())
    }

    fn check_patience_in_stream(&mut self) -> Result<(), Stopped> {
        if self.pending.is_empty() { Ok(()) } else { self.check_patience().map_err(Stopped::For) }
    }
}

fn classify(status: Status) -> Stopped {
    // A broken connection shows as UNKNOWN, CANCELLED or INTERNAL, depending on where it broke.
    let broken = matches!(status.code(), Code::Unknown | Code::Cancelled | Code::Internal);
    if broken || is_transient(&status) {
        Stopped::Until(status)
    } else {
        Stopped::For(IngestError::Refused(status))
    }
}

/// Reason of a refusal by a bound on what is kept, which waiting does not change.
const BOUND_REACHED: &str = "BOUND_REACHED";

/// Whether the same call may succeed later.
pub(crate) fn is_transient(status: &Status) -> bool {
    let code = status.code();
    let waits = matches!(
        code,
        Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted
    );
    waits && reason(status).as_deref() != Some(BOUND_REACHED)
}

/// Time that the server asked to wait.
pub(crate) fn retry_delay(status: &Status) -> Option<Duration> {
    let delay = status.get_details_retry_info()?.retry_delay?;
    Some(delay.min(Duration::from_secs(30)))
}

/// Growing pauses, without randomness: producers are few.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    attempts: u32,
}

impl Backoff {
    /// The next pause: 50 ms, doubling to 2 s.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = Duration::from_millis(50 << self.attempts.min(5));
        self.attempts += 1;
        pause.min(Duration::from_secs(2))
    }
}
