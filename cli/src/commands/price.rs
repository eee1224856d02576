//! `mercer price` and `mercer elasticity`.

use anyhow::Result;
use mercer_proto::{
    google::r#type::Money,
    v1::{
        BatchPriceRequest, CompetitorReference, DemandForm, ElasticityRequest, PriceObjective,
        PriceRequest, PriceRule, batch_price_response::Outcome,
        pricing_service_client::PricingServiceClient,
    },
};

use super::{
    batch::{CALL, Chosen, ItemsArgs},
    forecast::asked,
    plan::amount,
};
use crate::{
    client::ClientArgs,
    show::{
        decision::{Answer as _, ElasticityAnswer, PriceAnswer},
        lines::Lines,
        output::{self, Format},
    },
};

/// Propose what to charge for an item, with the curve that it was chosen from.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
#[command(after_help = "\
Examples:
  mercer price --item 1082185
  mercer price --item 1082185 --cost 0.55 --largest-change 0.1 --endings 9,49,99
  mercer price --item 1082185 --objective revenue --floor 0.99 --ceiling 1.49
  mercer price --items ids.txt --output json

Rules given here take the place of the stored ones, field by field, for this answer only.")]
pub(crate) struct PriceArgs {
    #[command(flatten)]
    items: ItemsArgs,
    /// What is to be as large as possible.
    #[arg(long, value_enum, default_value_t = Objective::Profit)]
    objective: Objective,
    /// How units depend on the price; the cluster's default when left out.
    #[arg(long, value_enum)]
    demand_form: Option<Form>,
    /// Days over which units and money are counted, 1 to 365.
    #[arg(long, value_name = "DAYS", default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=365))]
    horizon: u32,
    /// Points of the curve, 2 to 101.
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = clap::value_parser!(u32).range(2..=101))]
    curve_points: u32,
    /// Cost of a unit, in place of the catalogue's.
    #[arg(long, value_name = "COST", value_parser = amount, help_heading = "What if")]
    cost: Option<Money>,
    #[command(flatten)]
    rule: RuleArgs,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is to be as large as possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Objective {
    /// Units x (price - unit cost).
    Profit,
    /// Units x price; needs no cost.
    Revenue,
}

/// How units depend on the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// One percent of price changes units by a constant percentage.
    ConstantElasticity,
    /// One unit of money changes units by a constant number.
    Linear,
    /// One unit of money changes units by a constant percentage.
    SemiLog,
}

/// Which competitors' price is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Competitors {
    Mean,
    Lowest,
    Highest,
}

/// Rules of this answer only.
#[derive(Debug, clap::Args)]
struct RuleArgs {
    /// Lowest price.
    #[arg(long, value_name = "PRICE", value_parser = amount, help_heading = "What if")]
    floor: Option<Money>,
    /// Highest price.
    #[arg(long, value_name = "PRICE", value_parser = amount, help_heading = "What if")]
    ceiling: Option<Money>,
    /// Lowest (price - unit cost) / price, such as 0.2.
    #[arg(long, value_name = "SHARE", help_heading = "What if")]
    margin_floor: Option<f64>,
    /// Largest change from the current price, as a share of it, such as 0.1.
    #[arg(long, value_name = "SHARE", help_heading = "What if")]
    largest_change: Option<f64>,
    /// What prices end in, in hundredths, such as 99,49.
    #[arg(long, value_name = "CENTS,...", value_delimiter = ',', num_args = 1.., value_parser = clap::value_parser!(u32).range(0..=99), help_heading = "What if")]
    endings: Vec<u32>,
    /// Lowest price / competitors' price.
    #[arg(long, value_name = "RATIO", help_heading = "What if")]
    competitor_floor: Option<f64>,
    /// Highest price / competitors' price.
    #[arg(long, value_name = "RATIO", help_heading = "What if")]
    competitor_ceiling: Option<f64>,
    /// Which competitors' price is meant.
    #[arg(long, value_enum, help_heading = "What if")]
    competitors: Option<Competitors>,
}

impl RuleArgs {
    /// The rule, if any field of it is given.
    fn rule(self) -> Option<PriceRule> {
        let reference = match self.competitors {
            Some(Competitors::Mean) => CompetitorReference::Mean,
            Some(Competitors::Lowest) => CompetitorReference::Lowest,
            Some(Competitors::Highest) => CompetitorReference::Highest,
            None => CompetitorReference::Unspecified,
        };
        let rule = PriceRule {
            floor: self.floor,
            ceiling: self.ceiling,
            margin_floor: self.margin_floor,
            largest_change: self.largest_change,
            price_endings: self.endings,
            competitor_index_floor: self.competitor_floor,
            competitor_index_ceiling: self.competitor_ceiling,
            competitor_reference: reference.into(),
        };
        (rule != PriceRule::default()).then_some(rule)
    }
}

/// Show how an item's demand answers to its price.
#[derive(Debug, clap::Args)]
pub(crate) struct ElasticityArgs {
    /// The item.
    #[arg(long, value_name = "ID")]
    item: String,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs `mercer price`.
pub(crate) async fn price(args: PriceArgs, format: Format) -> Result<()> {
    let request = PriceRequest {
        item_id: String::new(),
        objective: match args.objective {
            Objective::Profit => PriceObjective::Profit,
            Objective::Revenue => PriceObjective::Revenue,
        }
        .into(),
        demand_form: match args.demand_form {
            None => DemandForm::Unspecified,
            Some(Form::ConstantElasticity) => DemandForm::ConstantElasticity,
            Some(Form::Linear) => DemandForm::Linear,
            Some(Form::SemiLog) => DemandForm::SemiLog,
        }
        .into(),
        horizon: args.horizon,
        curve_points: args.curve_points,
        rule: args.rule.rule(),
        unit_cost: args.cost,
        tokens: Vec::new(),
    };
    let chosen = args.items.chosen()?;
    let mut service = PricingServiceClient::new(args.client.connect().await?);
    let items = match chosen {
        Chosen::One(item_id) => {
            let request = PriceRequest { item_id, tokens: args.token, ..request };
            let response = service.price(args.client.request(request)).await?.into_inner();
            return output::print(format, &PriceAnswer::new(response), PriceAnswer::text);
        }
        Chosen::Many(items) => items,
    };
    let mut lines = Lines::new(format, "pricing", items.len() as u64);
    for items in items.chunks(CALL) {
        let mut batch = BatchPriceRequest { requests: Vec::new(), tokens: args.token.clone() };
        for item in items {
            batch.requests.push(PriceRequest { item_id: item.clone(), ..request.clone() });
        }
        let mut answers = service.batch_price(args.client.request(batch)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.outcome {
                Some(Outcome::Price(price)) => lines.answer(&PriceAnswer::new(price))?,
                Some(Outcome::Error(status)) => {
                    lines.error(asked(items, answer.index)?, &status)?
                }
                None => {}
            }
        }
    }
    lines.finish()
}

/// Runs `mercer elasticity`.
pub(crate) async fn elasticity(args: ElasticityArgs, format: Format) -> Result<()> {
    let request = ElasticityRequest { item_id: args.item, tokens: args.token };
    let mut service = PricingServiceClient::new(args.client.connect().await?);
    let response = service.elasticity(args.client.request(request)).await?.into_inner();
    output::print(format, &ElasticityAnswer::new(response), ElasticityAnswer::text)
}
