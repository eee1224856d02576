//! What a cluster forecasts, charges and orders, in a form that can be compared bit for bit.

use anyhow::Context as _;
use mercer_proto::v1::{
    BatchForecastRequest, BatchPolicyRequest, BatchPriceRequest, ElasticityRequest,
    ElasticityResponse, ForecastRequest, ForecastResponse, ListPoliciesRequest, PolicyRequest,
    PolicyResponse, PriceRequest, PriceResponse, batch_forecast_response, batch_policy_response,
    batch_price_response, forecast_service_client::ForecastServiceClient,
    inventory_service_client::InventoryServiceClient, pricing_service_client::PricingServiceClient,
};
use tonic::transport::Channel;

use crate::answers::request;

/// What the cluster decides about each item, by unary calls, by batches and by listing; numbers
/// are spelt so that different bits differ. The names of versions and tokens are left out.
///
/// # Errors
/// When a call fails, or a batch answers otherwise than single calls.
pub async fn decisions(
    channel: &Channel,
    items: impl IntoIterator<Item = String>,
) -> anyhow::Result<Vec<String>> {
    let items: Vec<String> = items.into_iter().collect();
    let mut answers = forecasts(channel, &items).await?;
    answers.extend(elasticities(channel, &items).await?);
    answers.extend(prices(channel, &items).await?);
    answers.extend(policies(channel, &items).await?);
    answers.extend(plan(channel).await?);
    Ok(answers)
}

/// An answer without what differs between two clusters that agree.
trait Comparable {
    fn comparable(self) -> String;
}

impl Comparable for ForecastResponse {
    fn comparable(self) -> String {
        let plain = Self { version: String::new(), token: String::new(), ..self };
        format!("{plain:?}")
    }
}

impl Comparable for ElasticityResponse {
    fn comparable(self) -> String {
        let plain = Self { version: String::new(), token: String::new(), ..self };
        format!("{plain:?}")
    }
}

impl Comparable for PriceResponse {
    fn comparable(mut self) -> String {
        let forecast = self.forecast.take().map(Comparable::comparable);
        let plain = Self { version: String::new(), token: String::new(), ..self };
        format!("{plain:?} {forecast:?}")
    }
}

impl Comparable for PolicyResponse {
    fn comparable(self) -> String {
        let plain = Self { version: String::new(), token: String::new(), ..self };
        format!("{plain:?}")
    }
}

/// Fails unless a batch answered as single calls did.
fn compare(single: &[String], batch: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(single.len() == batch.len(), "the batch has {} answers", batch.len());
    for (single, batch) in single.iter().zip(batch) {
        anyhow::ensure!(single == batch, "the batch says {batch} instead of {single}");
    }
    Ok(())
}

/// Forecasts of each item at all locations and at four of them, one of which nobody sells at.
async fn forecasts(channel: &Channel, items: &[String]) -> anyhow::Result<Vec<String>> {
    let mut client = ForecastServiceClient::new(channel.clone());
    let places = ["", "default", "store-0", "store-1", "nowhere"];
    let requests: Vec<ForecastRequest> = items
        .iter()
        .flat_map(|item| places.map(|place| (item, place)))
        .map(|(item, place)| ForecastRequest {
            item_id: item.clone(),
            location_id: place.into(),
            horizon: 35,
            ..ForecastRequest::default()
        })
        .collect();
    let mut single = Vec::new();
    for message in &requests {
        single.push(match client.forecast(request(message.clone())).await {
            Ok(answer) => answer.into_inner().comparable(),
            Err(status) => status.message().to_owned(),
        });
    }
    let message = BatchForecastRequest { requests, tokens: Vec::new() };
    let mut answers = client.batch_forecast(request(message)).await?.into_inner();
    let mut batch = Vec::new();
    while let Some(element) = answers.message().await? {
        batch.push(match element.outcome.context("an element without outcome")? {
            batch_forecast_response::Outcome::Forecast(answer) => answer.comparable(),
            batch_forecast_response::Outcome::Error(error) => error.message,
        });
    }
    compare(&single, &batch)?;
    Ok(single)
}

async fn elasticities(channel: &Channel, items: &[String]) -> anyhow::Result<Vec<String>> {
    let mut client = PricingServiceClient::new(channel.clone());
    let mut answers = Vec::new();
    for item_id in items.iter().cloned() {
        let message = ElasticityRequest { item_id, ..ElasticityRequest::default() };
        answers.push(client.elasticity(request(message)).await?.into_inner().comparable());
    }
    Ok(answers)
}

async fn prices(channel: &Channel, items: &[String]) -> anyhow::Result<Vec<String>> {
    let mut client = PricingServiceClient::new(channel.clone());
    let mut requests = Vec::new();
    for item_id in items.iter().cloned() {
        requests.push(PriceRequest { item_id, ..PriceRequest::default() });
    }
    let mut single = Vec::new();
    for message in &requests {
        single.push(client.price(request(message.clone())).await?.into_inner().comparable());
    }
    let message = BatchPriceRequest { requests, tokens: Vec::new() };
    let mut answers = client.batch_price(request(message)).await?.into_inner();
    let mut batch = Vec::new();
    while let Some(element) = answers.message().await? {
        batch.push(match element.outcome.context("an element without outcome")? {
            batch_price_response::Outcome::Price(answer) => answer.comparable(),
            batch_price_response::Outcome::Error(error) => error.message,
        });
    }
    compare(&single, &batch)?;
    Ok(single)
}

async fn policies(channel: &Channel, items: &[String]) -> anyhow::Result<Vec<String>> {
    let mut client = InventoryServiceClient::new(channel.clone());
    let mut requests = Vec::new();
    for item_id in items.iter().cloned() {
        requests.push(PolicyRequest { item_id, ..PolicyRequest::default() });
    }
    let mut single = Vec::new();
    for message in &requests {
        single.push(client.policy(request(message.clone())).await?.into_inner().comparable());
    }
    let message = BatchPolicyRequest { requests, tokens: Vec::new() };
    let mut answers = client.batch_policy(request(message)).await?.into_inner();
    let mut batch = Vec::new();
    while let Some(element) = answers.message().await? {
        batch.push(match element.outcome.context("an element without outcome")? {
            batch_policy_response::Outcome::Policy(answer) => answer.comparable(),
            batch_policy_response::Outcome::Error(error) => error.message,
        });
    }
    compare(&single, &batch)?;
    Ok(single)
}

/// The policies of the whole catalogue, in pages of an odd size.
async fn plan(channel: &Channel) -> anyhow::Result<Vec<String>> {
    let mut client = InventoryServiceClient::new(channel.clone());
    let mut answers = Vec::new();
    let mut page_token = String::new();
    loop {
        let message = ListPoliciesRequest { page_size: 17, page_token, ..Default::default() };
        let page = client.list_policies(request(message)).await?.into_inner();
        answers.extend(page.policies.into_iter().map(Comparable::comparable));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(answers);
        }
    }
}
