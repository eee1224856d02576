//! `mercer inventory`: what to order of one item, of many, or of the whole catalogue.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use mercer_common::limits;
use mercer_proto::{
    google::r#type::Money,
    v1::{
        BatchPolicyRequest, ListPoliciesRequest, PolicyRequest, ServiceTarget, SinglePeriod,
        SupplyTerms, batch_policy_response::Outcome,
        inventory_service_client::InventoryServiceClient, service_target::Target,
    },
};
use tonic::transport::Channel;

use super::{
    batch::{CALL, read_ids},
    forecast::asked,
    plan::{PlanArgs, amount, share},
};
use crate::{
    client::{self, ClientArgs},
    show::{
        decision::{Answer as _, CsvFile, PolicyAnswer},
        lines::Lines,
        output::{self, Format},
    },
};

/// Policies of one page.
const PAGE: u32 = 1_000;

/// Say what to order of an item, or of everything, and when.
#[derive(Debug, clap::Args)]
#[group(skip)]
#[command(allow_negative_numbers = true)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["item", "items", "all"])))]
#[command(after_help = "\
Examples:
  mercer inventory --item 1082185
  mercer inventory --item 1082185 --location 367 --fill-rate 0.98 --lead-time-days 10
  mercer inventory --item 1082185 --season-days 60 --salvage 0.10
  mercer inventory --all --orders-only --csv orders.csv

Terms given here take the place of the stored ones, field by field, for this answer only. Cycle
service is the share of order cycles without a stock-out, fill rate the share of units delivered
from stock: the two are never mixed. --all prints what the last training of `inventory` decided.")]
pub(crate) struct InventoryArgs {
    /// The item.
    #[arg(long, value_name = "ID")]
    item: Option<String>,
    /// A file with one item a line, or `-`; prints a line for each, errors included.
    #[arg(long, value_name = "FILE")]
    items: Option<PathBuf>,
    /// The whole catalogue, as the last training of `inventory` left it.
    #[arg(long, conflicts_with_all = ["location", "token"])]
    all: bool,
    /// Only what is to be ordered now, with --all.
    #[arg(long, requires = "all", conflicts_with_all = ["item", "items"])]
    orders_only: bool,
    /// Write --all to this CSV file instead.
    #[arg(long, value_name = "FILE", requires = "all", conflicts_with_all = ["item", "items"])]
    csv: Option<PathBuf>,
    /// Where; all locations together when left out.
    #[arg(long, value_name = "ID")]
    location: Option<String>,
    #[command(flatten)]
    terms: TermsArgs,
    #[command(flatten)]
    season: SeasonArgs,
    #[command(flatten)]
    plan: PlanArgs,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Terms of this answer only.
#[derive(Debug, clap::Args)]
struct TermsArgs {
    /// Mean days from order to delivery.
    #[arg(long, value_name = "DAYS", help_heading = "What if", conflicts_with = "all")]
    lead_time_days: Option<f64>,
    /// Standard deviation of the lead time in days.
    #[arg(long, value_name = "DAYS", help_heading = "What if", conflicts_with = "all")]
    lead_time_deviation_days: Option<f64>,
    /// Days between two chances to order; 0: at any time.
    #[arg(long, value_name = "DAYS", help_heading = "What if", conflicts_with = "all")]
    review_period_days: Option<f64>,
    /// Cost of placing one order.
    #[arg(long, value_name = "COST", value_parser = amount, help_heading = "What if", conflicts_with = "all")]
    order_cost: Option<Money>,
    /// Cost of holding a unit for a year, as a share of its cost.
    #[arg(long, value_name = "SHARE", help_heading = "What if", conflicts_with = "all")]
    holding_rate: Option<f64>,
    /// Smallest order.
    #[arg(long, value_name = "UNITS", help_heading = "What if", conflicts_with = "all")]
    minimum_order: Option<f64>,
    /// Orders are whole multiples of this.
    #[arg(long, value_name = "UNITS", help_heading = "What if", conflicts_with = "all")]
    pack_size: Option<f64>,
    /// An order covers no more days than this.
    #[arg(long, value_name = "DAYS", help_heading = "What if", conflicts_with = "all")]
    maximum_cover_days: Option<f64>,
    /// Share of order cycles without a stock-out.
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "What if", conflicts_with = "all")]
    cycle_service: Option<f64>,
    /// Share of units delivered from stock.
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "What if", conflicts_with_all = ["all", "cycle_service"])]
    fill_rate: Option<f64>,
}

impl TermsArgs {
    /// The terms, if any of them is given.
    fn terms(self) -> Option<SupplyTerms> {
        let target = self.cycle_service.map(Target::CycleService);
        let target = target.or(self.fill_rate.map(Target::FillRate));
        let terms = SupplyTerms {
            lead_time_days: self.lead_time_days,
            lead_time_deviation_days: self.lead_time_deviation_days,
            review_period_days: self.review_period_days,
            order_cost: self.order_cost,
            holding_rate: self.holding_rate,
            minimum_order_quantity: self.minimum_order,
            pack_size: self.pack_size,
            maximum_cover_days: self.maximum_cover_days,
            service: target.map(|target| ServiceTarget { target: Some(target) }),
        };
        (terms != SupplyTerms::default()).then_some(terms)
    }
}

/// Buying once for a season.
#[derive(Debug, clap::Args)]
struct SeasonArgs {
    /// Also say how much to buy once for a season of so many days.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=365), help_heading = "Season", conflicts_with = "all")]
    season_days: Option<u32>,
    /// What a unit left over brings; negative when it costs money.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, requires = "season_days", help_heading = "Season")]
    salvage: Option<Money>,
    /// What a customer who finds none costs beyond the margin.
    #[arg(long, value_name = "AMOUNT", value_parser = amount, requires = "season_days", help_heading = "Season")]
    goodwill: Option<Money>,
}

impl SeasonArgs {
    fn period(self) -> Option<SinglePeriod> {
        Some(SinglePeriod {
            days: self.season_days?,
            salvage_value: self.salvage,
            goodwill: self.goodwill,
        })
    }
}

/// Runs the command.
pub(crate) async fn inventory(args: InventoryArgs, format: Format) -> Result<()> {
    let channel = args.client.connect().await?;
    if args.all {
        return all(channel, &args.client, args.orders_only, args.csv.as_deref(), format).await;
    }
    let request = PolicyRequest {
        item_id: String::new(),
        location_id: args.location.unwrap_or_default(),
        terms: args.terms.terms(),
        plan: args.plan.entries(&channel, limits::HORIZON_DAYS).await?,
        single_period: args.season.period(),
        tokens: Vec::new(),
    };
    let mut service = InventoryServiceClient::new(channel);
    if let Some(item_id) = args.item {
        let request = PolicyRequest { item_id, tokens: args.token, ..request };
        let response = service.policy(args.client.request(request)).await?.into_inner();
        return output::print(format, &PolicyAnswer::new(response), PolicyAnswer::text);
    }
    let Some(path) = args.items else { bail!("give --item, --items or --all") };
    let items = read_ids(&path)?;
    let mut lines = Lines::new(format, "ordering", items.len() as u64);
    for items in items.chunks(CALL) {
        let mut batch = BatchPolicyRequest { requests: Vec::new(), tokens: args.token.clone() };
        for item in items {
            batch.requests.push(PolicyRequest { item_id: item.clone(), ..request.clone() });
        }
        let mut answers = service.batch_policy(args.client.request(batch)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.outcome {
                Some(Outcome::Policy(policy)) => lines.answer(&PolicyAnswer::new(policy))?,
                Some(Outcome::Error(status)) => {
                    lines.error(asked(items, answer.index)?, &status)?
                }
                None => {}
            }
        }
    }
    lines.finish()
}

/// The whole catalogue, page by page.
async fn all(
    channel: Channel,
    client: &ClientArgs,
    orders_only: bool,
    csv: Option<&Path>,
    format: Format,
) -> Result<()> {
    let items = if orders_only { 0 } else { trained_items(&channel).await? };
    let mut file = csv.map(CsvFile::create).transpose()?;
    let mut lines = Lines::new(format, "policies", items);
    let mut service = InventoryServiceClient::new(channel);
    let mut page_token = String::new();
    loop {
        let request = ListPoliciesRequest { page_size: PAGE, page_token, orders_only };
        let page = service.list_policies(client.request(request)).await?.into_inner();
        for policy in page.policies {
            let answer = PolicyAnswer::new(policy);
            match &mut file {
                Some(file) => {
                    file.write(&answer)?;
                    lines.pass();
                }
                None => lines.answer(&answer)?,
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    match file {
        None => lines.finish(),
        Some(file) => {
            lines.clear();
            output::note(&file.finish()?);
            Ok(())
        }
    }
}

/// Items that the serving version has policies of; 0 when not known.
async fn trained_items(channel: &Channel) -> Result<u64> {
    let cluster = client::describe(channel, "").await?;
    let current =
        cluster.versions.iter().find(|version| version.version == cluster.current_version);
    let kinds = current.map(|version| &version.kinds[..]).unwrap_or_default();
    Ok(kinds.iter().find(|kind| kind.kind == "inventory").map_or(0, |kind| kind.items))
}
