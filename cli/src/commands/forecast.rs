//! `mercer forecast`.

use anyhow::{Result, anyhow};
use mercer_proto::v1::{
    BatchForecastRequest, ForecastRequest, batch_forecast_response::Outcome,
    forecast_service_client::ForecastServiceClient,
};

use super::{
    batch::{CALL, Chosen, ItemsArgs},
    plan::{PlanArgs, share},
};
use crate::{
    client::ClientArgs,
    show::{
        decision::{Answer as _, ForecastAnswer},
        lines::Lines,
        output::{self, Format},
    },
};

/// Forecast how much of an item will be asked for, day by day.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mercer forecast --item 1082185
  mercer forecast --item 1082185 --location 367 --horizon 14 --quantiles 0.05,0.5,0.95
  mercer forecast --item 1082185 --price 0.99 --promotion --from 2018-01-08 --to 2018-01-14
  mercer popular --output json | jq -r '.items[].item_id' | mercer forecast --items -

With --items and --output json every line is a document. The line beside a day runs from the
lowest to the highest quantile, with the mean as a dot. Quantiles of the total are of the total:
they are not sums of the days' quantiles.")]
pub(crate) struct ForecastArgs {
    #[command(flatten)]
    items: ItemsArgs,
    /// Where; all locations together when left out.
    #[arg(long, value_name = "ID")]
    location: Option<String>,
    /// Days, 1 to 365.
    #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=365))]
    horizon: u32,
    /// Quantiles, each above 0 and below 1.
    #[arg(long, value_name = "Q,...", value_delimiter = ',', num_args = 1.., default_value = "0.1,0.5,0.9", value_parser = share)]
    quantiles: Vec<f64>,
    #[command(flatten)]
    plan: PlanArgs,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs the command.
pub(crate) async fn forecast(args: ForecastArgs, format: Format) -> Result<()> {
    let chosen = args.items.chosen()?;
    let channel = args.client.connect().await?;
    let request = ForecastRequest {
        item_id: String::new(),
        location_id: args.location.unwrap_or_default(),
        horizon: args.horizon,
        quantiles: args.quantiles,
        plan: args.plan.entries(&channel, args.horizon).await?,
        tokens: Vec::new(),
    };
    let mut service = ForecastServiceClient::new(channel);
    let items = match chosen {
        Chosen::One(item_id) => {
            let request = ForecastRequest { item_id, tokens: args.token, ..request };
            let response = service.forecast(args.client.request(request)).await?.into_inner();
            return output::print(format, &ForecastAnswer::new(response), ForecastAnswer::text);
        }
        Chosen::Many(items) => items,
    };
    let mut lines = Lines::new(format, "forecasting", items.len() as u64);
    for items in items.chunks(CALL) {
        let mut batch = BatchForecastRequest { requests: Vec::new(), tokens: args.token.clone() };
        for item in items {
            batch.requests.push(ForecastRequest { item_id: item.clone(), ..request.clone() });
        }
        let mut answers = service.batch_forecast(args.client.request(batch)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.outcome {
                Some(Outcome::Forecast(forecast)) => {
                    lines.answer(&ForecastAnswer::new(forecast))?
                }
                Some(Outcome::Error(status)) => {
                    lines.error(asked(items, answer.index)?, &status)?
                }
                None => {}
            }
        }
    }
    lines.finish()
}

/// The item at a place of the request.
pub(super) fn asked(items: &[String], index: u32) -> Result<&str> {
    let item = items.get(index as usize).map(String::as_str);
    item.ok_or_else(|| anyhow!("the server answered question {index}, which was not asked"))
}
