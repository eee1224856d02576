//! What a cluster forecasts, charges and orders, in a form that can be compared bit for bit.

use mercer_proto::v1::{
    BatchForecastRequest, BatchPolicyRequest, BatchPriceRequest, ElasticityRequest,
    ForecastRequest, ListPoliciesRequest, PolicyRequest, PriceRequest, batch_forecast_response,
    batch_policy_response, batch_price_response, forecast_service_client::ForecastServiceClient,
    inventory_service_client::InventoryServiceClient, pricing_service_client::PricingServiceClient,
};
use tonic::transport::Channel;

use crate::answers::request;

/// What the cluster decides about each item, by unary calls, by batches and by listing; numbers
/// are spelt so that different bits differ. The numbers of versions and tokens are left out.
///
/// # Errors
/// When a call fails, or a batch answers otherwise than single calls.
pub async fn decisions(
    channel: &Channel,
    items: impl IntoIterator<Item = String>,
) -> anyhow::Result<Vec<String>> {
    let mut answers = Vec::new();
    let items: Vec<String> = items.into_iter().collect();
    forecasts(channel, &items, &mut answers).await?;
    prices(channel, &items, &mut answers).await?;
    policies(channel, &items, &mut answers).await?;
    let mut inventory = InventoryServiceClient::new(channel.clone());
    let mut page_token = String::new();
    loop {
        let message = ListPoliciesRequest { page_size: 17, page_token, ..Default::default() };
        let page = inventory.list_policies(request(message)).await?.into_inner();
        for mut policy in page.policies {
            policy.version.clear();
            answers.push(format!("{policy:?}"));
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(answers);
        }
    }
}

async fn forecasts(
    channel: &Channel,
    items: &[String],
    answers: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut client = ForecastServiceClient::new(channel.clone());
    let places = ["", "default", "store-0", "store-1"];
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
    let first = answers.len();
    for message in &requests {
        answers.push(match client.forecast(request(message.clone())).await {
            Ok(response) => {
                let mut answer = response.into_inner();
                answer.version.clear();
                answer.token.clear();
                format!("{answer:?}")
            }
            Err(status) => status.message().to_owned(),
        });
    }
    let message = BatchForecastRequest { requests, tokens: Vec::new() };
    let mut batch = client.batch_forecast(request(message)).await?.into_inner();
    let mut index = first;
    while let Some(element) = batch.message().await? {
        let answer = match element.outcome {
            Some(batch_forecast_response::Outcome::Forecast(mut answer)) => {
                answer.version.clear();
                answer.token.clear();
                format!("{answer:?}")
            }
            Some(batch_forecast_response::Outcome::Error(error)) => error.message,
            None => anyhow::bail!("an element without outcome"),
        };
        anyhow::ensure!(answers[index] == answer, "the batch says {answer}");
        index += 1;
    }
    anyhow::ensure!(index == answers.len(), "the batch has {} answers", index - first);
    Ok(())
}

async fn prices(
    channel: &Channel,
    items: &[String],
    answers: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut client = PricingServiceClient::new(channel.clone());
    for item_id in items.iter().cloned() {
        let message = ElasticityRequest { item_id, ..ElasticityRequest::default() };
        let mut answer = client.elasticity(request(message)).await?.into_inner();
        answer.version.clear();
        answer.token.clear();
        answers.push(format!("{answer:?}"));
    }
    let price = |item: &String| PriceRequest { item_id: item.clone(), ..PriceRequest::default() };
    let requests: Vec<PriceRequest> = items.iter().map(price).collect();
    let first = answers.len();
    for message in &requests {
        let mut answer = client.price(request(message.clone())).await?.into_inner();
        answer.version.clear();
        answer.token.clear();
        clear_forecast(&mut answer.forecast);
        answers.push(format!("{answer:?}"));
    }
    let message = BatchPriceRequest { requests, tokens: Vec::new() };
    let mut batch = client.batch_price(request(message)).await?.into_inner();
    let mut index = first;
    while let Some(element) = batch.message().await? {
        let Some(batch_price_response::Outcome::Price(mut answer)) = element.outcome else {
            anyhow::bail!("an element without price: {element:?}");
        };
        answer.version.clear();
        answer.token.clear();
        clear_forecast(&mut answer.forecast);
        anyhow::ensure!(answers[index] == format!("{answer:?}"), "the batch says {answer:?}");
        index += 1;
    }
    anyhow::ensure!(index == answers.len(), "the batch has {} answers", index - first);
    Ok(())
}

fn clear_forecast(forecast: &mut Option<mercer_proto::v1::ForecastResponse>) {
    if let Some(forecast) = forecast {
        forecast.version.clear();
        forecast.token.clear();
    }
}

async fn policies(
    channel: &Channel,
    items: &[String],
    answers: &mut Vec<String>,
) -> anyhow::Result<()> {
    let mut client = InventoryServiceClient::new(channel.clone());
    let policy =
        |item: &String| PolicyRequest { item_id: item.clone(), ..PolicyRequest::default() };
    let requests: Vec<PolicyRequest> = items.iter().map(policy).collect();
    let first = answers.len();
    for message in &requests {
        let mut answer = client.policy(request(message.clone())).await?.into_inner();
        answer.version.clear();
        answer.token.clear();
        answers.push(format!("{answer:?}"));
    }
    let message = BatchPolicyRequest { requests, tokens: Vec::new() };
    let mut batch = client.batch_policy(request(message)).await?.into_inner();
    let mut index = first;
    while let Some(element) = batch.message().await? {
        let Some(batch_policy_response::Outcome::Policy(mut answer)) = element.outcome else {
            anyhow::bail!("an element without policy: {element:?}");
        };
        answer.version.clear();
        answer.token.clear();
        anyhow::ensure!(answers[index] == format!("{answer:?}"), "the batch says {answer:?}");
        index += 1;
    }
    anyhow::ensure!(index == answers.len(), "the batch has {} answers", index - first);
    Ok(())
}
