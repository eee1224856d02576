//! A small shop in a folder: how it is made, and what must be found in it afterwards.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use mercer_common::rpc::status::reason;
use mercer_proto::v1::{
    ForecastRequest, GetItemRequest, GetItemResponse, GetUserRequest, GetUserResponse,
    RecommendRequest, UpsertUsersRequest, User, catalog_service_client::CatalogServiceClient,
    forecast_service_client::ForecastServiceClient, note,
    recommend_service_client::RecommendServiceClient,
};
use mercer_tests::{
    answers::{self, request},
    applied::{Applied, expected, reported},
    catalogue,
    processes::describe,
    single::{Running, Single},
    workload::Workload,
};
use tempfile::TempDir;
use tonic::{Code, Status, transport::Channel};

use super::BINARY;

pub(crate) const WORKLOAD: Workload = Workload { users: 40, items: 60, seed: 21 };
pub(crate) const SHARDS: u16 = 4;
/// Small snapshots, often: folders shall have some of every age. Little is held back for a full disk,
/// for folders are copied many times.
const CONFIG: &str = "\
[cluster]
workers = 2
shards = 4
[coordinator]
reserve_bytes = 1048576
[worker]
snapshot_seconds = 0.2
snapshot_records = 100
";
/// How long what is derived may take to be built again.
const REBUILT: Duration = Duration::from_secs(60);

/// Folders of shops, and the settings that they share.
#[derive(Debug)]
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("mercer.toml"), CONFIG)?;
        Ok(Self { folder })
    }

    /// Where the data folder of this name is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `mercer up` over the data folder of this name.
    pub(crate) fn single(&self, name: &str) -> Single {
        self.single_at(&self.path(name))
    }

    /// `mercer up` over a data folder anywhere.
    pub(crate) fn single_at(&self, data: &Path) -> Single {
        Single::new(BINARY, data).with_config(&self.path("mercer.toml"))
    }
}

/// What was acknowledged in a folder, and what was answered from it.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    pub(crate) tokens: Vec<String>,
    /// What was acknowledged one by one, each with its token.
    pub(crate) users: Vec<(String, String)>,
    pub(crate) facts: Facts,
    pub(crate) served: Served,
}

/// What the log alone decides.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    applied: BTreeMap<u32, Applied>,
    users: Vec<GetUserResponse>,
    items: Vec<GetItemResponse>,
}

/// What a version answers, number by number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Served {
    version: String,
    recommended: Vec<Answer>,
    forecast: Vec<Answer>,
}

/// An answer, and why it is of another version than it should be.
#[derive(Clone, Debug, PartialEq)]
struct Answer {
    content: String,
    fallback: String,
}

impl Shop {
    /// Makes a shop in a new folder: a catalogue with stock, events, a version of all kinds of files.
    pub(crate) async fn make(single: &Single) -> anyhow::Result<Self> {
        let running = single.serve().await?;
        let channel = running.connect().await?;
        let mut tokens = catalogue::set_up(&channel, WORKLOAD.items).await?;
        let mut events = WORKLOAD.events(3_000);
        let (later, all) = (events.split_off(2_000), WORKLOAD.events(3_000));
        tokens.extend(answers::record(&channel, events).await?);
        answers::train(&channel, &["p3"]).await?;
        tokens.extend(answers::record(&channel, later).await?);
        answers::train(&channel, &["p3", "demand"]).await?;
        let users = add_users(&channel, "kept", 10).await?;
        tokens.extend(users.iter().map(|(_, token)| token.clone()));
        let shop = Self::found(&running, &tokens, users).await?;
        let (applied, version) = (&shop.facts.applied, &shop.served.version);
        ensure!(*applied == expected(&all, SHARDS), "the events are not applied once each");
        ensure!(version == "v2", "{version} is served");
        running.stop().await?;
        Ok(shop)
    }

    /// What is in a folder now, all of which must be whole.
    pub(crate) async fn found(
        running: &Running,
        tokens: &[String],
        users: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let facts = Facts::of(running, tokens).await?;
        let served = Served::of(running).await?;
        ensure!(served.fallbacks().count() == 0, "a fallback answers: {served:?}");
        Ok(Self { tokens: tokens.to_vec(), users, facts, served })
    }

    /// Fails unless everything that was acknowledged is there, once, and nothing else.
    pub(crate) async fn check_facts(&self, running: &Running) -> anyhow::Result<()> {
        let facts = Facts::of(running, &self.tokens).await?;
        for (found, wanted) in facts.users.iter().zip(&self.facts.users) {
            ensure!(found == wanted, "instead of {wanted:?} there is {found:?}");
        }
        for (found, wanted) in facts.items.iter().zip(&self.facts.items) {
            ensure!(found == wanted, "instead of {wanted:?} there is {found:?}");
        }
        let (found, wanted) = (&facts.applied, &self.facts.applied);
        ensure!(found == wanted, "applied is {found:?} instead of {wanted:?}");
        check_seen(&running.connect().await?, &self.users).await
    }

    /// Waits until everything is answered as it was before.
    pub(crate) async fn until_served(&self, running: &mut Running) -> anyhow::Result<()> {
        let by = self.until_answered(running).await?;
        ensure!(by == By::Version, "a fallback answers although nothing is damaged");
        Ok(())
    }

    /// Waits until everything is answered as it was before, or by what stands in for a damaged
    /// version, which answers and status say.
    pub(crate) async fn until_answered(&self, running: &mut Running) -> anyhow::Result<By> {
        let begin = Instant::now();
        loop {
            running.check()?;
            let served = Served::of(running).await?;
            if served == self.served {
                return Ok(By::Version);
            }
            let described = describe(running.endpoint(), Vec::new()).await?;
            let problems: Vec<_> =
                described.versions.iter().flat_map(|one| &one.problems).collect();
            let unexplained = served.others(&self.served).find(|one| one.fallback.is_empty());
            if unexplained.is_none() && served.version == self.served.version {
                let is_said = problems.iter().any(|problem| problem.gone);
                ensure!(is_said, "status does not say why: {served:?}");
                return Ok(By::Fallback);
            }
            let waited = begin.elapsed();
            ensure!(
                waited < REBUILT,
                "other answers for {waited:.0?}: {unexplained:?}, version {:?}; status says {problems:?}\n{}",
                served.version,
                running.said()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The version that should.
    Version,
    /// What stands in for it.
    Fallback,
}

impl Facts {
    async fn of(running: &Running, tokens: &[String]) -> anyhow::Result<Self> {
        let described = describe(running.endpoint(), tokens.to_vec()).await?;
        let mut catalog = CatalogServiceClient::new(running.connect().await?);
        let (mut users, mut items) = (Vec::new(), Vec::new());
        for user in 0..WORKLOAD.users {
            let message =
                GetUserRequest { user_id: format!("user-{user}"), tokens: Vec::new(), rows: 0 };
            let found = catalog.get_user(request(message)).await?.into_inner();
            users.push(GetUserResponse { token: String::new(), ..found });
        }
        for item in 0..WORKLOAD.items {
            let message = GetItemRequest { item_id: format!("item-{item}"), tokens: Vec::new() };
            let found = catalog.get_item(request(message)).await?.into_inner();
            items.push(GetItemResponse { token: String::new(), ..found });
        }
        Ok(Self { applied: reported(&described), users, items })
    }
}

impl Served {
    pub(crate) async fn of(running: &Running) -> anyhow::Result<Self> {
        let channel = running.connect().await?;
        let version = describe(running.endpoint(), Vec::new()).await?.current_version;
        let mut recommend = RecommendServiceClient::new(channel.clone());
        let mut recommended = Vec::new();
        for user in 0..WORKLOAD.users {
            let user_id = format!("user-{user}");
            let message = RecommendRequest { user_id, n: 20, ..RecommendRequest::default() };
            let found = recommend.recommend(request(message)).await?.into_inner();
            ensure!(found.coverage == 1.0 && !found.items.is_empty(), "{found:?}");
            let items: Vec<_> =
                found.items.iter().map(|one| (&one.item_id, one.score.to_bits())).collect();
            let content = format!("{} {} {items:?}", found.version, found.algorithm);
            recommended.push(Answer { content, fallback: found.fallback_reason });
        }
        let mut forecasts = ForecastServiceClient::new(channel);
        let mut forecast = Vec::new();
        for item in 0..WORKLOAD.items {
            let item_id = format!("item-{item}");
            let message = ForecastRequest { item_id, horizon: 7, ..ForecastRequest::default() };
            forecast.push(match forecasts.forecast(request(message)).await {
                Ok(found) => {
                    let mut found = found.into_inner();
                    found.token.clear();
                    let why = found.notes.iter().find(|one| {
                        one.kind() == note::Kind::DataIgnored && one.field == "version"
                    });
                    let fallback = why.map(|one| one.message.clone()).unwrap_or_default();
                    Answer { content: format!("{found:?}"), fallback }
                }
                Err(status) => Answer::refused(&status)?,
            });
        }
        Ok(Self { version, recommended, forecast })
    }

    fn fallbacks(&self) -> impl Iterator<Item = &str> {
        let all = self.recommended.iter().chain(&self.forecast);
        all.map(|one| one.fallback.as_str()).filter(|reason| !reason.is_empty())
    }

    /// The answers without the name of the version.
    pub(crate) fn contents(&self) -> Vec<String> {
        let all = self.recommended.iter().chain(&self.forecast);
        all.map(|one| one.content.replace(&self.version, "the version")).collect()
    }

    /// The answers that `wanted` does not have.
    fn others<'a>(&'a self, wanted: &'a Self) -> impl Iterator<Item = &'a Answer> {
        let recommended = self.recommended.iter().zip(&wanted.recommended);
        let forecast = self.forecast.iter().zip(&wanted.forecast);
        recommended.chain(forecast).filter(|(one, wanted)| one != wanted).map(|(one, _)| one)
    }
}

impl Answer {
    /// What a decision says that no version can answer. Results that are just being built again are
    /// no answer yet.
    fn refused(status: &Status) -> anyhow::Result<Self> {
        let reason = reason(status).unwrap_or_default();
        ensure!(status.code() == Code::Unavailable, "{status:?}");
        let fallback = if reason == "VERSION_DAMAGED" { status.message() } else { "" };
        Ok(Self { content: reason, fallback: fallback.to_owned() })
    }
}

/// Adds users one by one, each with the token of its acknowledgement.
pub(crate) async fn add_users(
    channel: &Channel,
    name: &str,
    count: usize,
) -> anyhow::Result<Vec<(String, String)>> {
    let mut catalog = CatalogServiceClient::new(channel.clone());
    let mut acknowledged = Vec::new();
    for number in 0..count {
        let user_id = format!("{name} {number}");
        let user = User { user_id: user_id.clone(), ..User::default() };
        let upsert = UpsertUsersRequest { users: vec![user], ..UpsertUsersRequest::default() };
        let token = catalog.upsert_users(request(upsert)).await?.into_inner().token;
        acknowledged.push((user_id, token));
    }
    Ok(acknowledged)
}

async fn get(channel: &Channel, user_id: &str, token: Option<&str>) -> Result<(), Status> {
    let tokens = token.into_iter().map(str::to_owned).collect();
    let message = GetUserRequest { user_id: user_id.to_owned(), tokens, rows: 0 };
    CatalogServiceClient::new(channel.clone()).get_user(request(message)).await.map(|_| ())
}

/// Fails unless each user is seen with the token of its acknowledgement, and without.
pub(crate) async fn check_seen(
    channel: &Channel,
    users: &[(String, String)],
) -> anyhow::Result<()> {
    for (user_id, token) in users {
        get(channel, user_id, Some(token)).await.with_context(|| user_id.clone())?;
        get(channel, user_id, None).await.with_context(|| user_id.clone())?;
    }
    Ok(())
}

/// Fails unless nothing is left of users whose history is lost, and their tokens say so.
pub(crate) async fn check_lost(
    channel: &Channel,
    users: &[(String, String)],
) -> anyhow::Result<()> {
    for (user_id, token) in users {
        let Err(status) = get(channel, user_id, None).await else {
            anyhow::bail!("{user_id} is there");
        };
        ensure!(status.code() == Code::NotFound, "{user_id}: {status:?}");
        let Err(status) = get(channel, user_id, Some(token)).await else {
            anyhow::bail!("{user_id} is there with its token");
        };
        let told = (status.code(), reason(&status));
        let lost = (Code::FailedPrecondition, Some("TOKEN_OF_LOST_HISTORY".to_owned()));
        ensure!(told == lost, "{user_id}: {status:?}");
    }
    Ok(())
}
