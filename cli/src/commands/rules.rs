//! `mercer rules`: what merchandisers want, whatever was learned.

use anyhow::{Result, bail};
use jiff::Timestamp;
use mercer_common::limits;
use mercer_proto::v1::{
    Filter, ListRulesRequest, RecommendRule, SetRulesRequest,
    catalog_service_client::CatalogServiceClient, recommend_rule::Action,
};
use serde::Serialize;

use super::filter;
use crate::{
    client::ClientArgs,
    show::{
        output::{self, Format},
        rules::{RuleRow, Rules},
    },
};

/// List, set and remove rules for recommendations.
#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, clap::Subcommand)]
enum RulesCommand {
    /// List all rules.
    List(ListArgs),
    /// Set a rule, or replace the one with its id.
    Set(SetArgs),
    /// Remove rules.
    Remove(RemoveArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
#[group(id = "action", required = true, multiple = false, args = ["exclude", "include", "boost"])]
struct SetArgs {
    /// Names the rule.
    #[arg(value_name = "ID")]
    rule_id: String,
    /// Never recommend the items.
    #[arg(long)]
    exclude: bool,
    /// Make the items candidates with at least this score, above 0.
    #[arg(long, value_name = "SCORE")]
    include: Option<f64>,
    /// Raise scores by this share of them, or lower them: -1 to 10.
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    boost: Option<f64>,
    /// Which items; all conditions must hold.
    #[arg(long, value_name = "CONDITION", required = true, value_parser = filter::parse)]
    filter: Vec<Filter>,
    /// When the rule begins, such as 2026-11-27T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// When it ends.
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Counts only where a call names this set.
    #[arg(long, value_name = "NAME", default_value = "")]
    rule_set: String,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// Which rules.
    #[arg(value_name = "ID", required = true)]
    rule_ids: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// The token is for programs.
#[derive(Debug, Serialize)]
struct Changed {
    token: String,
}

/// Runs the command.
pub(crate) async fn rules(args: RulesArgs, format: Format) -> Result<()> {
    match args.command {
        RulesCommand::List(args) => list(args, format).await,
        RulesCommand::Set(args) => {
            let timestamp = |time: Timestamp| prost_types::Timestamp {
                seconds: time.as_second(),
                nanos: time.subsec_nanosecond(),
            };
            let action = match (args.exclude, args.include, args.boost) {
                (true, ..) => Action::Exclude(true),
                (_, Some(score), _) => Action::Include(score),
                (.., Some(share)) => Action::Boost(share),
                _ => bail!("one of --exclude, --include and --boost is needed"),
            };
            let rule = RecommendRule {
                rule_id: args.rule_id,
                action: Some(action),
                filter: filter::all_of(args.filter),
                start_time: args.from.map(timestamp),
                end_time: args.to.map(timestamp),
                rule_set: args.rule_set,
            };
            let request = SetRulesRequest { rules: vec![rule], ..SetRulesRequest::default() };
            change(&args.client, request, format).await
        }
        RulesCommand::Remove(args) => {
            let request =
                SetRulesRequest { removed_rule_ids: args.rule_ids, ..SetRulesRequest::default() };
            change(&args.client, request, format).await
        }
    }
}

async fn list(args: ListArgs, format: Format) -> Result<()> {
    let mut service = CatalogServiceClient::new(args.client.connect().await?);
    let mut rules = Rules { rules: Vec::new() };
    let mut page_token = String::new();
    loop {
        let request =
            ListRulesRequest { tokens: args.token.clone(), page_size: limits::PAGE, page_token };
        let page = service.list_rules(args.client.request(request)).await?.into_inner();
        rules.rules.extend(page.rules.into_iter().map(RuleRow::new));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    output::print(format, &rules, Rules::table)
}

async fn change(client: &ClientArgs, request: SetRulesRequest, format: Format) -> Result<()> {
    let mut service = CatalogServiceClient::new(client.connect().await?);
    let response = service.set_rules(client.request(request)).await?.into_inner();
    let changed = Changed { token: response.token };
    output::print(format, &changed, |_| "done".to_owned())
}
