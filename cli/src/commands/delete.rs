//! `mercer delete`: items, users, and what is known of supply and stock. It says what that means and
//! asks first.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use mercer_common::{
    escape,
    ids::{DEFAULT_LOCATION, EVERYWHERE},
    token,
};
use mercer_proto::v1::{
    DeleteItemRequest, DeleteStockRequest, DeleteSupplyRequest, DeleteUserRequest, GetItemRequest,
    GetItemResponse, GetUserRequest, ItemStatus, catalog_service_client::CatalogServiceClient,
};
use tokio::task::JoinSet;
use tonic::{Code, Status, transport::Channel};

use super::{
    asking::{self, is_agreed},
    batch::read_ids,
};
use crate::{
    client::ClientArgs,
    show::{
        deletion::{Deleted, named},
        output::{self, Format},
        progress,
    },
};

/// Calls under way at once.
const CALLS: usize = 32;
/// Items of one call that deletes stock or supply.
const ITEMS: usize = 1_000;

/// Delete items, users, and what is known of supply and stock.
#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArgs {
    #[command(subcommand)]
    what: DeleteCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DeleteCommand {
    /// Hide items from every answer. Their sales stay, for what was learned from them.
    Item(IdsArgs),
    /// Erase users: their history, denied items and attributes. What they bought stays counted.
    User(IdsArgs),
    /// Forget suppliers and terms of items, at all locations or at one.
    Supply(PlaceArgs),
    /// Forget the stock of items and when there was none, at all locations or at one.
    Stock(PlaceArgs),
}

#[derive(Debug, clap::Args)]
#[group(id = "ids", required = true, multiple = true, args = ["id", "file"])]
struct IdsArgs {
    /// Which of them.
    #[arg(value_name = "ID")]
    id: Vec<String>,
    /// A file with one id a line, or `-` for standard input.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// Only there: a location's id, `default` for that of stock without one, or `*` for the terms of
    /// all locations that have none of their own.
    #[arg(long, value_name = "ID")]
    location: Option<String>,
    #[command(flatten)]
    ids: IdsArgs,
}

/// Subject of a deletion.
#[derive(Clone, Debug)]
enum What {
    Items,
    Users,
    Supply(Option<String>),
    Stock(Option<String>),
}

/// Runs the command.
pub(crate) async fn delete(args: DeleteArgs, format: Format) -> Result<()> {
    let (what, args) = match args.what {
        DeleteCommand::Item(ids) => (What::Items, ids),
        DeleteCommand::User(ids) => (What::Users, ids),
        DeleteCommand::Supply(args) => (What::Supply(args.location), args.ids),
        DeleteCommand::Stock(args) => (What::Stock(args.location), args.ids),
    };
    let asks_at = if args.yes { None } else { Some(terminal(args.file.as_deref())?) };
    let ids = chosen(args.id, args.file.as_deref())?;
    let deletion =
        Deletion { what, client: args.client.clone(), channel: args.client.connect().await? };
    let (there, absent) = deletion.look(ids).await?;
    let noun = deletion.what.noun();
    if there.is_empty() {
        bail!("there is nothing to delete of {noun} {}; nothing was deleted", named(&absent));
    }
    if let Some(mut lines) = asks_at
        && !is_agreed(&question(&deletion.what, &there), &mut lines)?
    {
        bail!("nothing was deleted");
    }
    let token = deletion.delete(&there).await?;
    let deleted = Deleted { deleted: there, absent, token, noun: noun.to_owned() };
    output::print(format, &deleted, Deleted::text)
}

/// Where the answer to the question comes from.
///
/// # Errors
/// When there is nobody to ask.
fn terminal(file: Option<&Path>) -> Result<io::StdinLock<'static>> {
    if file == Some(Path::new("-")) {
        bail!("the ids come from standard input, so that nobody can be asked; add --yes");
    }
    asking::terminal("deletes")
}

/// The ids that were given, each once, in their order.
fn chosen(ids: Vec<String>, file: Option<&Path>) -> Result<Vec<String>> {
    let mut all = ids;
    if let Some(file) = file {
        all.extend(read_ids(file)?);
    }
    let mut met = HashSet::new();
    all.retain(|id| met.insert(id.clone()));
    Ok(all)
}

/// Question that is put before anything is deleted.
fn question(what: &What, ids: &[String]) -> String {
    let meaning = what.meaning();
    format!("{meaning}\nDelete {} {}?", what.noun(), named(ids))
}

impl What {
    fn noun(&self) -> &'static str {
        match self {
            Self::Items => "the items",
            Self::Users => "the users",
            Self::Supply(_) => "the supply of the items",
            Self::Stock(_) => "the stock of the items",
        }
    }

    fn meaning(&self) -> String {
        match self {
            Self::Items => {
                "A deleted item is hidden from every answer until it is imported with a \
                            status. Its sales and statistics stay."
                    .to_owned()
            }
            Self::Users => "A deleted user is erased: history, denied items and attributes. What \
                            was bought stays counted. It cannot be undone."
                .to_owned(),
            Self::Supply(None) => {
                "Suppliers and terms are forgotten at all locations: orders follow \
                                   the configured defaults. It cannot be undone."
                    .to_owned()
            }
            Self::Supply(Some(location)) => format!(
                "Suppliers and terms of the location {} are forgotten: those for all locations \
                 hold, or the configured defaults. It cannot be undone.",
                escape::text(location)
            ),
            Self::Stock(None) => "Stock at all locations is forgotten, and when there was none: \
                                  as if it had never been told. It cannot be undone."
                .to_owned(),
            Self::Stock(Some(location)) => format!(
                "Stock at the location {} is forgotten, and when there was none: as if it had \
                 never been told. It cannot be undone.",
                escape::text(location)
            ),
        }
    }

    /// Whether there is something to delete of an item.
    fn is_in(&self, item: &GetItemResponse) -> bool {
        let is_at = |wanted: &Option<String>, location: &str, unnamed: &str| {
            let filled = |id: &str| if id.is_empty() { unnamed.to_owned() } else { id.to_owned() };
            wanted.as_deref().is_none_or(|wanted| filled(wanted) == filled(location))
        };
        match self {
            Self::Items => item.item.as_ref().is_none_or(|it| it.status() != ItemStatus::Deleted),
            Self::Users => true,
            Self::Supply(place) => {
                item.supply.iter().any(|one| is_at(place, &one.location_id, EVERYWHERE))
            }
            Self::Stock(place) => {
                let mut stock = item.stock.iter();
                // Of what is left out nothing is known here.
                item.stock_left_out > 0
                    || stock.any(|one| is_at(place, &one.location_id, DEFAULT_LOCATION))
            }
        }
    }
}

/// A deletion at a cluster.
struct Deletion {
    what: What,
    client: ClientArgs,
    channel: Channel,
}

impl Deletion {
    /// The ids of which there is something to delete, and the others.
    async fn look(&self, ids: Vec<String>) -> Result<(Vec<String>, Vec<String>)> {
        let bar = progress::bar("looking", ids.len() as u64, progress::Unit::Records);
        let (mut there, mut absent) = (Vec::new(), Vec::new());
        for part in ids.chunks(CALLS) {
            let mut calls = JoinSet::new();
            for (place, id) in part.iter().enumerate() {
                let call = self.is_there(id.clone());
                calls.spawn(async move { (place, call.await) });
            }
            let mut found = vec![false; part.len()];
            while let Some(answer) = calls.join_next().await {
                let (place, is_there) = answer.context("a call ended")?;
                found[place] = is_there?;
            }
            bar.inc(part.len() as u64);
            for (id, is_there) in part.iter().zip(found) {
                if is_there { &mut there } else { &mut absent }.push(id.clone());
            }
        }
        bar.finish_and_clear();
        Ok((there, absent))
    }

    fn is_there(&self, id: String) -> impl Future<Output = Result<bool, Status>> + use<> {
        let (what, client) = (self.what.clone(), self.client.clone());
        let mut service = CatalogServiceClient::new(self.channel.clone());
        async move {
            let found = match what {
                What::Users => {
                    let request = GetUserRequest { user_id: id, ..GetUserRequest::default() };
                    service.get_user(client.request(request)).await.map(|_| true)
                }
                what => {
                    let request = GetItemRequest { item_id: id, ..GetItemRequest::default() };
                    let answer = service.get_item(client.request(request)).await;
                    answer.map(|answer| what.is_in(answer.get_ref()))
                }
            };
            match found {
                Err(status) if status.code() == Code::NotFound => Ok(false),
                found => found,
            }
        }
    }

    /// Deletes, and returns a token of all. A deletion that ends early can be made again.
    async fn delete(&self, ids: &[String]) -> Result<String> {
        let bar = progress::bar("deleting", ids.len() as u64, progress::Unit::Records);
        let together = match self.what {
            What::Items | What::Users => 1,
            What::Supply(_) | What::Stock(_) => ITEMS,
        };
        let mut tokens = Vec::new();
        for part in ids.chunks(together * CALLS) {
            let (done, all) = (output::count(bar.position()), output::count(ids.len() as u64));
            let mut calls = JoinSet::new();
            for ids in part.chunks(together) {
                calls.spawn(self.delete_together(ids.to_vec()));
            }
            while let Some(answer) = calls.join_next().await {
                let answer = answer.context("a call ended")?;
                tokens.push(answer.with_context(|| format!("after {done} of {all} were deleted"))?);
            }
            tokens = vec![token::combine(&tokens)?];
            bar.inc(part.len() as u64);
        }
        bar.finish_and_clear();
        Ok(tokens.pop().unwrap_or_default())
    }

    fn delete_together(
        &self,
        ids: Vec<String>,
    ) -> impl Future<Output = Result<String, Status>> + use<> {
        let (what, client) = (self.what.clone(), self.client.clone());
        let mut service = CatalogServiceClient::new(self.channel.clone());
        async move {
            let mut token = String::new();
            match what {
                What::Items => {
                    for item_id in ids {
                        let request = DeleteItemRequest { item_id, ..DeleteItemRequest::default() };
                        token =
                            service.delete_item(client.request(request)).await?.into_inner().token;
                    }
                }
                What::Users => {
                    for user_id in ids {
                        let request = DeleteUserRequest { user_id, ..DeleteUserRequest::default() };
                        token =
                            service.delete_user(client.request(request)).await?.into_inner().token;
                    }
                }
                What::Supply(location_id) => {
                    let request =
                        DeleteSupplyRequest { item_ids: ids, location_id, request_id: None };
                    token =
                        service.delete_supply(client.request(request)).await?.into_inner().token;
                }
                What::Stock(location_id) => {
                    let request =
                        DeleteStockRequest { item_ids: ids, location_id, request_id: None };
                    token = service.delete_stock(client.request(request)).await?.into_inner().token;
                }
            }
            Ok(token)
        }
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::v1::{Item, Stock, Supply};

    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ids_come_from_the_line_and_a_file_each_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ids");
        std::fs::write(&file, "b\n c,d \n\nb\n").expect("written");
        let chosen = |line: &[&str], file| chosen(ids(line), file).expect("read");
        assert_eq!(chosen(&["a", "b", "a"], None), ["a", "b"]);
        assert_eq!(chosen(&["x"], Some(file.as_path())), ["x", "b", "c,d"]);
    }

    #[test]
    fn it_says_what_is_deleted() {
        let many = ids(&["a", "b\u{1b}", "c", "d", "e", "f", "g"]);
        let asked = question(&What::Items, &many);
        assert!(asked.contains("Its sales and statistics stay"), "{asked}");
        assert!(asked.ends_with("Delete the items a, b\\u{1b}, c, d, e and 2 more?"), "{asked}");
        let asked = question(&What::Stock(Some("north".into())), &ids(&["a"]));
        assert!(asked.contains("at the location north"), "{asked}");
        assert!(asked.ends_with("Delete the stock of the items a?"), "{asked}");
    }

    #[test]
    fn only_what_is_there_is_deleted() {
        let item = |status: ItemStatus| Item { status: status.into(), ..Item::default() };
        let known = GetItemResponse {
            item: Some(item(ItemStatus::Active)),
            stock: vec![Stock { location_id: "default".into(), ..Stock::default() }],
            supply: vec![Supply { location_id: "*".into(), ..Supply::default() }],
            ..GetItemResponse::default()
        };
        let at = |location: &str| Some(location.to_owned());
        let cases = [
            (What::Items, true),
            (What::Stock(None), true),
            (What::Stock(at("default")), true),
            (What::Stock(at("")), true),
            (What::Stock(at("north")), false),
            (What::Supply(None), true),
            (What::Supply(at("*")), true),
            (What::Supply(at("")), true),
            (What::Supply(at("default")), false),
        ];
        for (what, expected) in cases {
            assert_eq!(what.is_in(&known), expected, "{what:?}");
        }
        let bare = GetItemResponse { item: Some(item(ItemStatus::Deleted)), ..Default::default() };
        for what in [What::Items, What::Stock(None), What::Supply(None)] {
            assert!(!what.is_in(&bare), "{what:?}");
        }
        let more = GetItemResponse { stock_left_out: 3, ..bare };
        assert!(What::Stock(at("north")).is_in(&more));
    }

    #[test]
    fn the_answer_says_what_was_not_there() {
        let deleted = Deleted {
            deleted: ids(&["a"]),
            absent: ids(&["b"]),
            token: "t".into(),
            noun: What::Users.noun().to_owned(),
        };
        assert_eq!(deleted.text(), "deleted the users a\nthere was nothing to delete of b");
        let json = serde_json::to_string(&deleted).expect("encodes");
        assert_eq!(json, r#"{"deleted":["a"],"absent":["b"],"token":"t"}"#);
    }
}
