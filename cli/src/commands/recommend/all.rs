//! `mercer recommend-all`: lists for many users, to Parquet, CSV or as lines.

use std::{collections::VecDeque, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use indicatif::ProgressBar;
use mercer_common::escape;
use mercer_proto::v1::{
    BatchRecommendResponse, ListUsersRequest, RecommendRequest,
    batch_recommend_response::Result as Element, catalog_service_client::CatalogServiceClient,
    recommend_service_client::RecommendServiceClient,
};
use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::transport::Channel;

use super::{QueryArgs, Seen};
use crate::{
    commands::{batch::read_ids, filter},
    show::{
        output::{self, Format},
        progress,
        recommend::{ListFile, source_name},
    },
};

/// Users that are asked about before their lists are written.
const WAITING: usize = 256;
const PAGE: u32 = 1_000;

/// Recommend items to many users.
#[derive(Debug, clap::Args)]
#[command(after_help = filter::HELP)]
pub(crate) struct RecommendAllArgs {
    /// A file with one user a line, or `-`; all users when left out.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Write the lists to this file, Parquet or CSV by its name: user_id, rank, item_id, score,
    /// source.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of items a user, 1 to 1,000.
    #[arg(short, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    n: u32,
    /// An algorithm that was trained, or `popular`; the cluster's default when left out.
    #[arg(long, value_name = "NAME")]
    algorithm: Option<String>,
    /// What to do with items that the user has purchased.
    #[arg(long, value_enum, default_value_t = Seen::Exclude)]
    seen: Seen,
    /// Rules that count beside those for every call.
    #[arg(long, value_name = "NAME", default_value = "")]
    rule_set: String,
    #[command(flatten)]
    query: QueryArgs,
}

#[derive(Debug, Default, Serialize)]
struct Done {
    users: u64,
    /// Users without a list, because their question failed.
    failed: u64,
    items: u64,
    versions: Vec<String>,
    out: String,
    seconds: f64,
}

impl Done {
    fn table(&self) -> String {
        format!(
            "{} users, {} items, version {}, in {:.1} s: {}",
            output::count(self.users),
            output::count(self.items),
            escape::text(&self.versions.join(", ")),
            self.seconds,
            escape::text(&self.out)
        )
    }
}

/// Runs the command.
pub(crate) async fn recommend_all(args: RecommendAllArgs, format: Format) -> Result<()> {
    let started = std::time::Instant::now();
    let channel = args.query.client.connect().await?;
    let mut file = ListFile::create(&args.out)?;
    let (names, users) = mpsc::channel(WAITING);
    let bar = progress::spinner("recommending");
    let source = Source { users: args.users.as_deref().map(read_ids).transpose()? };
    let naming = source.name(channel.clone(), names);

    let template = RecommendRequest {
        n: args.n,
        algorithm: args.algorithm.clone().unwrap_or_default(),
        seen: args.seen.message().into(),
        filter: filter::all_of(args.query.filter.clone()),
        filter_expression: args.query.expression.clone(),
        tokens: args.query.token.clone(),
        rule_set: args.rule_set.clone(),
        ..RecommendRequest::default()
    };
    let mut done = Done { out: args.out.display().to_string(), ..Done::default() };
    ask(channel, users, template, &mut file, &mut done, &bar).await?;
    naming.await.context("listing the users")??;
    file.finish()?;
    bar.finish_and_clear();
    done.seconds = started.elapsed().as_secs_f64();
    output::print(format, &done, Done::table)?;
    if done.failed > 0 {
        bail!("{} users have no list", output::count(done.failed));
    }
    Ok(())
}

/// Users to recommend to.
struct Source {
    /// Users by name; all of the cluster when absent.
    users: Option<Vec<String>>,
}

impl Source {
    /// Sends the names, as fast as they are taken.
    fn name(self, channel: Channel, names: mpsc::Sender<String>) -> JoinHandle<Result<()>> {
        tokio::spawn(async move {
            if let Some(users) = self.users {
                for user in users {
                    if names.send(user).await.is_err() {
                        break;
                    }
                }
                return Ok(());
            }
            let mut catalog = CatalogServiceClient::new(channel);
            let mut page_token = String::new();
            loop {
                let request = ListUsersRequest { page_size: PAGE, page_token, tokens: Vec::new() };
                let page = catalog.list_users(request).await?.into_inner();
                for user in page.users {
                    if names.send(user.user_id).await.is_err() {
                        return Ok(());
                    }
                }
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return Ok(());
                }
            }
        })
    }
}

/// Streams questions up and writes the answers that come down, in order.
async fn ask(
    channel: Channel,
    mut users: mpsc::Receiver<String>,
    template: RecommendRequest,
    file: &mut ListFile,
    done: &mut Done,
    bar: &ProgressBar,
) -> Result<()> {
    let (asked, mut waiting) = mpsc::channel::<String>(WAITING);
    let (requests, stream) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(user_id) = users.recv().await {
            let request = RecommendRequest { user_id: user_id.clone(), ..template.clone() };
            if asked.send(user_id).await.is_err() || requests.send(request).await.is_err() {
                break;
            }
        }
    });
    let mut service = RecommendServiceClient::new(channel);
    let answers = service.batch_recommend(ReceiverStream::new(stream)).await?;
    let mut answers = answers.into_inner();
    let mut errors: VecDeque<String> = VecDeque::new();
    while let Some(answer) = answers.next().await {
        let BatchRecommendResponse { result, .. } = answer?;
        let user_id = waiting.recv().await.context("an answer to no question")?;
        match result {
            Some(Element::Response(response)) => {
                done.users += 1;
                done.items += response.items.len() as u64;
                if !done.versions.contains(&response.version) {
                    done.versions.push(response.version);
                }
                for (rank, item) in (1..).zip(response.items) {
                    let source = source_name(item.source());
                    file.write(&user_id, rank, &item.item_id, item.score, source)?;
                }
            }
            Some(Element::Error(status)) => {
                done.failed += 1;
                if errors.len() < 3 {
                    errors.push_back(format!("{user_id}: {}", status.message));
                }
            }
            None => bail!("an answer without a result"),
        }
        bar.inc(1);
        progress::say(bar, &format!("recommending, {} users", output::count(done.users)));
    }
    if let Ok(user_id) = waiting.try_recv() {
        bail!("the cluster ended the batch before user `{user_id}`");
    }
    errors.iter().for_each(|error| output::note(&escape::text(error)));
    Ok(())
}
