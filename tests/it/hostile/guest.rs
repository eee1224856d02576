//! The second client, which wants nothing but to be answered.

use std::{
    iter,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::{BufMut as _, Bytes, BytesMut};
use mercer_proto::v1::{
    BatchRecommendResponse, Event, EventType, IngestRequest, IngestResponse, Item,
    ListItemsRequest, PopularRequest, RecommendRequest, UpsertItemsRequest,
    catalog_service_client::CatalogServiceClient, event_service_client::EventServiceClient,
    ingest_response::Outcome, recommend_service_client::RecommendServiceClient,
};
use mercer_tests::answers;
use prost::Message as _;
use prost_types::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use super::server::Server;

/// Items of a page, each of some 12 KB.
const ITEMS: u32 = 200;
/// How long one answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Guest {
    channel: Channel,
    streams: usize,
}

/// An open stream, up and down.
pub(crate) struct Open<U, D> {
    _up: mpsc::Sender<U>,
    _down: Streaming<D>,
}

impl Guest {
    pub(crate) async fn connect(server: &Server) -> anyhow::Result<Self> {
        Self::connect_to(server.endpoint()).await
    }

    pub(crate) async fn connect_to(endpoint: &str) -> anyhow::Result<Self> {
        Ok(Self { channel: answers::connect(endpoint).await?, streams: 0 })
    }

    /// Asks so many times and is answered each time; returns how long each took.
    pub(crate) async fn answers(&mut self, calls: usize) -> anyhow::Result<Vec<Duration>> {
        let mut client = RecommendServiceClient::new(self.channel.clone());
        let mut times = Vec::new();
        for call in 0..calls {
            let begin = Instant::now();
            let answer = client.popular(PopularRequest::default());
            let answer = tokio::time::timeout(PATIENCE, answer).await;
            answer.with_context(|| format!("call {call} is not answered"))??;
            times.push(begin.elapsed());
        }
        Ok(times)
    }

    /// Opens so many Ingest streams, and has a batch acknowledged on each.
    pub(crate) async fn ingest(
        &mut self,
        streams: usize,
    ) -> anyhow::Result<Vec<Open<IngestRequest, IngestResponse>>> {
        let mut open = Vec::new();
        for _ in 0..streams {
            self.streams += 1;
            let mut client = EventServiceClient::new(self.channel.clone());
            let (up, requests) = mpsc::channel(1);
            let event = Event {
                item_id: "sku".into(),
                r#type: EventType::View.into(),
                event_time: Some(Timestamp { seconds: 1_750_000_000, nanos: 0 }),
                ..Event::default()
            };
            let producer_id = format!("00000000-0000-4000-8000-{:012}", self.streams);
            let request = IngestRequest {
                producer_id,
                batch_sequence: 1,
                events: vec![event],
                ..Default::default()
            };
            up.send(request).await?;
            let mut down = client.ingest(ReceiverStream::new(requests)).await?.into_inner();
            let answer = down.message().await?.context("an answer")?;
            anyhow::ensure!(
                matches!(answer.outcome, Some(Outcome::Acknowledgement(_))),
                "{answer:?}"
            );
            open.push(Open { _up: up, _down: down });
        }
        Ok(open)
    }

    /// Opens a stream of recommendations, and has one answered.
    pub(crate) async fn recommend_stream(
        &mut self,
    ) -> anyhow::Result<Open<RecommendRequest, BatchRecommendResponse>> {
        let mut client = RecommendServiceClient::new(self.channel.clone());
        let (up, requests) = mpsc::channel(1);
        let request = RecommendRequest { user_id: "user".into(), ..Default::default() };
        up.send(request).await?;
        let mut down = client.batch_recommend(ReceiverStream::new(requests)).await?.into_inner();
        down.message().await?.context("an answer")?;
        Ok(Open { _up: up, _down: down })
    }

    /// Items whose page is megabytes long.
    pub(crate) async fn fill_catalogue(&mut self) -> anyhow::Result<()> {
        let mut client = CatalogServiceClient::new(self.channel.clone());
        let value = "v".repeat(200);
        let attributes = iter::repeat_with(|| value.clone()).enumerate().take(60);
        let attributes = attributes.map(|(number, value)| (format!("name-{number}"), value));
        let attributes: std::collections::HashMap<_, _> = attributes.collect();
        for number in 0..ITEMS {
            let item = Item {
                item_id: format!("large-{number}"),
                attributes: attributes.clone().into_iter().collect(),
                ..Default::default()
            };
            client
                .upsert_items(UpsertItemsRequest { items: vec![item], ..Default::default() })
                .await?;
        }
        Ok(())
    }
}

/// Asks for a page of all that [`Guest::fill_catalogue`] made.
pub(crate) fn list_items() -> Bytes {
    let request = ListItemsRequest { page_size: ITEMS, ..Default::default() };
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(u32::try_from(request.encoded_len()).expect("short"));
    request.encode(&mut framed).expect("it grows");
    framed.freeze()
}
