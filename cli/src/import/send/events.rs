//! Streams batches of events under their numbers.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use anyhow::Result;
use indicatif::ProgressBar;
use mercer_common::{limits, token};
use mercer_proto::v1::Event;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Status, transport::Channel};

use super::{Refused, refusal};
use crate::{
    import::{
        chunk::{Accepted, Chunk},
        records::Records,
    },
    ingest_client::{Batch, IngestOptions, ingest_mending},
};

/// What of a batch is not answered yet: the rows of its events and the file's position after it.
type OnItsWay = BTreeMap<u64, (Vec<Accepted>, u64)>;

/// Sends all chunks of a file; `refused` is told of every row that the server does not take.
pub(crate) async fn send_events(
    channel: Channel,
    options: IngestOptions,
    chunks: impl Stream<Item = Chunk> + Send,
    (bar, done): (&ProgressBar, u64),
    tokens: &mut Vec<String>,
    refused: &mut (dyn FnMut(Refused) + Send),
) -> Result<()> {
    let on_its_way = Mutex::new(OnItsWay::new());
    let locked = || on_its_way.lock().unwrap_or_else(PoisonError::into_inner);
    let mut number = options.first_sequence - 1;
    let batches = chunks.map(|chunk| {
        number += 1;
        if !chunk.accepted.is_empty() {
            locked().insert(number, (chunk.accepted, chunk.position));
        }
        match chunk.records {
            Records::Events(events) => Batch { events, last: false },
            _ => Batch::default(),
        }
    });
    let mut failure = None;
    ingest_mending(
        channel,
        options,
        batches,
        |number, events, status| {
            let mut on_its_way = locked();
            let Some((rows, _)) = on_its_way.get_mut(&number) else { return false };
            if !refusal::is_about_rows(status) {
                return false;
            }
            take_out(events, rows, status, refused);
            true
        },
        |answer| {
            let (rows, position) = locked().remove(&answer.batch_sequence).unwrap_or_default();
            bar.set_position(bar.position().max(done + position));
            match answer.outcome {
                Ok(token) if token.is_empty() => {}
                Ok(token) => tokens.push(token),
                Err(status) if failure.is_none() => failure = Some((rows, status)),
                Err(_) => {}
            }
            bound(tokens);
        },
    )
    .await?;
    match failure {
        None => Ok(()),
        Some((rows, status)) => {
            let first = rows.first().copied().unwrap_or_default().line;
            let last = rows.last().copied().unwrap_or_default().line;
            Err(anyhow::Error::from(status)
                .context(format!("the server refused the batch of lines {first} to {last}")))
        }
    }
}

/// Makes one token of all as soon as there are as many as a call may carry.
fn bound(tokens: &mut Vec<String>) {
    if tokens.len() >= limits::TOKENS
        && let Ok(combined) = token::combine(tokens)
    {
        *tokens = vec![combined];
    }
}

/// Takes out the events that the server names, or all of them where it names none.
fn take_out(
    events: &mut Vec<Event>,
    rows: &mut Vec<Accepted>,
    status: &Status,
    refused: &mut (dyn FnMut(Refused) + Send),
) {
    let named = refusal::named(status, events.len());
    if named.is_empty() {
        for (accepted, event) in rows.drain(..).zip(events.drain(..)) {
            let (reason, row) = (status.message().to_owned(), event.import_row);
            refused(Refused { accepted, field: String::new(), reason, row });
        }
        return;
    }
    let all = std::mem::take(rows).into_iter().zip(std::mem::take(events));
    for (index, (accepted, event)) in all.enumerate() {
        match named.get(&index) {
            Some((field, reason)) => refused(Refused {
                accepted,
                field: field.clone(),
                reason: reason.clone(),
                row: event.import_row,
            }),
            None => {
                rows.push(accepted);
                events.push(event);
            }
        }
    }
}
