//! Sends catalogue, stock and terms, call by call.

use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::ProgressBar;
use mercer_common::token;
use mercer_proto::v1::{
    ImportCall, Item, SetCompetitorPricesRequest, SetStockRequest, SetSupplyRequest,
    UpsertItemsRequest, UpsertLocationsRequest, UpsertSuppliersRequest, UpsertUsersRequest, User,
    catalog_service_client::CatalogServiceClient,
};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Status, transport::Channel};

use super::{Refused, refusal};
use crate::{
    import::{
        chunk::{Accepted, Chunk},
        records::Records,
    },
    ingest_client::{Backoff, is_transient, retry_delay},
};

/// How long a busy server is asked again.
const PATIENCE: Duration = Duration::from_secs(60);

/// What makes each call take effect once.
#[derive(Debug)]
pub(crate) enum Once {
    /// An id of its own.
    Alone,
    /// Its number within an import of records; the last one that was given.
    Of { import_id: String, number: u64 },
}

impl Once {
    /// Ids for the next call.
    fn next(&mut self) -> (Option<String>, Option<ImportCall>) {
        match self {
            Self::Alone => (Some(uuid::Uuid::new_v4().to_string()), None),
            Self::Of { import_id, number } => {
                *number += 1;
                (None, Some(ImportCall { import_id: import_id.clone(), number: *number }))
            }
        }
    }
}

/// Upserts chunk by chunk, in order: of two rows with one id the later one wins. `refused` is told
/// of every row that the server does not take.
pub(crate) async fn send_catalog(
    channel: Channel,
    once: &mut Once,
    chunks: impl Stream<Item = Chunk> + Send,
    (bar, done): (&ProgressBar, u64),
    tokens: &mut Vec<String>,
    refused: &mut (dyn FnMut(Refused) + Send),
) -> Result<()> {
    let mut client = CatalogServiceClient::new(channel);
    let mut chunks = std::pin::pin!(chunks);
    while let Some(chunk) = chunks.next().await {
        if !chunk.accepted.is_empty() {
            send_chunk(&mut client, once, chunk.records, chunk.accepted, tokens, refused).await?;
            *tokens = vec![token::combine(tokens)?];
        }
        bar.set_position(done + chunk.position);
    }
    Ok(())
}

/// Sends records in as many calls as it takes to find those that the server refuses.
async fn send_chunk(
    client: &mut CatalogServiceClient<Channel>,
    once: &mut Once,
    records: Records,
    rows: Vec<Accepted>,
    tokens: &mut Vec<String>,
    refused: &mut (dyn FnMut(Refused) + Send),
) -> Result<()> {
    // The first part is on top: order is kept.
    let mut todo = vec![(records, rows)];
    while let Some((mut records, mut rows)) = todo.pop() {
        if rows.is_empty() {
            continue;
        }
        if !records.fit()
            && rows.len() > 1
            && let Some(rest) = records.split_off_half()
        {
            let rest_rows = rows.split_off(records.len());
            todo.extend([(rest, rest_rows), (records, rows)]);
            continue;
        }
        let status = match upsert(client, once, &records).await {
            Ok(token) => {
                tokens.push(token);
                continue;
            }
            Err(status) => status,
        };
        if !refusal::is_about_rows(&status) {
            let (first, last) = (rows[0].line, rows[rows.len() - 1].line);
            return Err(anyhow::Error::from(status).context(format!("lines {first} to {last}")));
        }
        let named = refusal::named(&status, rows.len());
        if !named.is_empty() {
            records.retain(&mut |index| !named.contains_key(&index));
            for (index, (field, reason)) in &named {
                refused(Refused {
                    accepted: rows[*index],
                    field: field.clone(),
                    reason: reason.clone(),
                    row: Vec::new(),
                });
            }
            let mut index = 0;
            rows.retain(|_| {
                index += 1;
                !named.contains_key(&(index - 1))
            });
            todo.push((records, rows));
        } else if rows.len() > 1
            && let Some(rest) = records.split_off_half()
        {
            let rest_rows = rows.split_off(records.len());
            todo.extend([(rest, rest_rows), (records, rows)]);
        } else {
            let reason = status.message().to_owned();
            refused(Refused { accepted: rows[0], field: String::new(), reason, row: Vec::new() });
        }
    }
    Ok(())
}

/// One call, repeated while the server is busy: it takes effect once.
async fn upsert(
    client: &mut CatalogServiceClient<Channel>,
    once: &mut Once,
    records: &Records,
) -> Result<String, Status> {
    let (request_id, import) = once.next();
    let started = Instant::now();
    let mut backoff = Backoff::default();
    loop {
        let (request_id, import) = (request_id.clone(), import.clone());
        let result = match records {
            Records::Items(items) => {
                client
                    .upsert_items(UpsertItemsRequest { request_id, import, ..items.clone() })
                    .await
            }
            Records::Users(users) => {
                client
                    .upsert_users(UpsertUsersRequest { request_id, import, ..users.clone() })
                    .await
            }
            Records::Stock(stock) => {
                client.set_stock(SetStockRequest { request_id, import, ..stock.clone() }).await
            }
            Records::Supply(supply) => {
                client.set_supply(SetSupplyRequest { request_id, import, ..supply.clone() }).await
            }
            Records::CompetitorPrices(prices) => {
                let request = SetCompetitorPricesRequest { request_id, import, ..prices.clone() };
                client.set_competitor_prices(request).await
            }
            Records::Locations(locations) => {
                let request = UpsertLocationsRequest { request_id, import, ..locations.clone() };
                client.upsert_locations(request).await
            }
            Records::Suppliers(suppliers) => {
                let request = UpsertSuppliersRequest { request_id, import, ..suppliers.clone() };
                client.upsert_suppliers(request).await
            }
            Records::Events(_) => return Err(Status::internal("events are streamed")),
        };
        match result {
            Ok(response) => return Ok(response.into_inner().token),
            Err(status) if is_transient(&status) && started.elapsed() < PATIENCE => {
                tokio::time::sleep(retry_delay(&status).unwrap_or_else(|| backoff.next())).await;
            }
            Err(status) => return Err(status),
        }
    }
}

/// Upserts whole items; returns a token of all.
pub(crate) async fn send_items(channel: &Channel, items: Vec<Item>) -> Result<String> {
    send(channel, [Records::Items(UpsertItemsRequest { items, ..Default::default() })]).await
}

/// Upserts whole users; returns a token of all.
pub(crate) async fn send_users(channel: &Channel, users: Vec<User>) -> Result<String> {
    send(channel, [Records::Users(UpsertUsersRequest { users, ..Default::default() })]).await
}

/// Sends records in as many calls as the limits ask for, in order; returns a token of all.
pub(crate) async fn send(
    channel: &Channel,
    records: impl IntoIterator<Item = Records>,
) -> Result<String> {
    let mut client = CatalogServiceClient::new(channel.clone());
    let mut tokens = Vec::new();
    for part in records.into_iter().flat_map(Records::within_limit) {
        tokens.push(upsert(&mut client, &mut Once::Alone, &part).await?);
    }
    Ok(token::combine(&tokens)?)
}
