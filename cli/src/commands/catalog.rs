//! `mercer item` and `mercer user`: what the cluster knows of one id.

use anyhow::Result;
use mercer_proto::v1::{
    GetItemRequest, GetUserRequest, catalog_service_client::CatalogServiceClient,
};

use crate::{
    client::ClientArgs,
    show::{
        catalog::{ItemAnswer, UserAnswer},
        output::{self, Format},
    },
};

/// Show what is known of an item.
#[derive(Debug, clap::Args)]
pub(crate) struct ItemArgs {
    /// The item.
    #[arg(value_name = "ID")]
    item: String,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Show what is known of a user.
#[derive(Debug, clap::Args)]
pub(crate) struct UserArgs {
    /// The user.
    #[arg(value_name = "ID")]
    user: String,
    /// Latest visits to show of what they paid, at most 512.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=512))]
    rows: u32,
    /// Wait for the effects of this token.
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Runs `mercer item`.
pub(crate) async fn item(args: ItemArgs, format: Format) -> Result<()> {
    let request = GetItemRequest { item_id: args.item, tokens: args.token };
    let mut service = CatalogServiceClient::new(args.client.connect().await?);
    let response = service.get_item(args.client.request(request)).await?.into_inner();
    output::print(format, &ItemAnswer::new(response), ItemAnswer::table)
}

/// Runs `mercer user`.
pub(crate) async fn user(args: UserArgs, format: Format) -> Result<()> {
    let request = GetUserRequest { user_id: args.user, tokens: args.token, rows: args.rows };
    let mut service = CatalogServiceClient::new(args.client.connect().await?);
    let response = service.get_user(args.client.request(request)).await?.into_inner();
    output::print(format, &UserAnswer::new(response), UserAnswer::table)
}
