//! A coordinator of a few lines: a log in memory, and registration of any worker.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::tz::TimeZone;
use mercer_common::{
    config::{ClusterConfig, Config},
    event::{RecordContext, SplitEvents, encode_section},
    log::{Epoch, Epochs, LogError, Mark},
    rpc::{generation::check_generation, status::Describe as _},
    secret::ClusterSecret,
    slot::{ShardId, ShardLayout, Subject},
};
use mercer_proto::{
    internal::{
        self, CheckRequest, CheckResponse, ClusterIdentity, CutPart, FetchRequest, FetchResponse,
        FetchedSection, FetchedShard, HeartbeatRequest, HeartbeatResponse, Marker, Mutation,
        RegisterRequest, RegisterResponse, Section, SetStock,
        log_service_server::{LogService, LogServiceServer},
        membership_service_server::{MembershipService, MembershipServiceServer},
        mutation,
    },
    v1::{Event, EventType, Location, ProcessDescription},
};
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::Notify};
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

use crate::shard::{
    ShardState,
    apply::{Prepared, apply},
};

pub(super) const SHARDS: ShardId = 4;
/// Events of [`Coordinator::append_batches`].
pub(super) const BATCH: u64 = 30;

pub(super) fn layout() -> ShardLayout {
    ShardLayout::new(SHARDS)
}

#[derive(Debug)]
struct State {
    /// Position n is at index n - 1.
    log: Vec<(ShardId, Bytes)>,
    epoch: Epoch,
    epochs: Epochs,
    /// Fetches and heartbeats that the log has refused.
    refusals: [usize; 2],
    /// Where shards stand by the last heartbeat.
    marks: BTreeMap<u32, Mark>,
    /// What the worker said last of its process.
    process: Option<ProcessDescription>,
    /// Only heartbeats are refused, or only fetches.
    refuses: Option<Refuses>,
    /// The next fetch finds the log as it was at this position, and with so many batches since.
    restores: Option<(u64, u64)>,
    generation: u64,
    assigned: Vec<u32>,
    cutting_job: String,
    trimmed_through: u64,
    registrations: usize,
}

impl State {
    fn accepts(&self, mark: Mark) -> bool {
        self.epochs.accept(mark, self.log.len() as u64)
    }

    fn append(&mut self, shard: ShardId, section: Bytes) -> u64 {
        self.log.push((shard, section));
        let (epoch, position) = (self.epoch, self.log.len() as u64);
        self.epochs.note(epoch, position);
        position
    }

    fn restore(&mut self, through: u64) {
        self.log.truncate(usize::try_from(through).expect("small"));
        self.epochs.cut(through);
        self.epoch.0 += 1;
    }

    fn refuses(&self, what: Refuses) -> bool {
        self.refuses.is_none_or(|only| only == what)
    }

    /// Refuses who is ahead; answers them nothing when only heartbeats shall find out.
    fn check(&mut self, request: &FetchRequest) -> Result<(), Status> {
        for cursor in &request.cursors {
            let epoch = Epoch::from_bytes(&cursor.epoch).expect("an epoch");
            let after = Mark { epoch, position: cursor.after };
            for mark in [Some(after), cursor.highest.clone().map(decode)].into_iter().flatten() {
                let Mark { epoch, position: after } = mark;
                if self.accepts(mark) {
                    continue;
                }
                if !self.refuses(Refuses::Fetches) {
                    return Err(Status::unavailable("busy"));
                }
                self.refusals[0] += 1;
                let shard = cursor.shard.try_into().expect("a shard");
                return Err(LogError::Ahead { shard, after, epoch }.to_status());
            }
        }
        Ok(())
    }
}

/// The sections of `count` purchases by many users of a few items.
fn sections(seed: u64, count: u64) -> Vec<(ShardId, Bytes)> {
    let context = RecordContext {
        layout: layout(),
        currency: "USD".into(),
        time_zone: jiff::tz::TimeZone::UTC,
        visit_key: 1,
        user_visit_key: 2,
    };
    let events = (0..count).map(|number| event(seed * 1_000_003 + number)).collect();
    let split = SplitEvents::new(events, &context, 1).expect("events without ids");
    split.into_sections().map(|(shard, section)| (shard, encode_section(&section))).collect()
}

/// A purchase, or now and then a return.
fn event(number: u64) -> Event {
    Event {
        r#type: match number % 17 {
            0 => EventType::Return.into(),
            _ => EventType::Purchase.into(),
        },
        item_id: format!("item {}", number * 7_919 % 97),
        user_id: Some(format!("user {}", number * 104_729 % 1_009)),
        event_time: Some(prost_types::Timestamp {
            seconds: 1_600_000_000 + i64::try_from(number % 1_000 * 600).expect("small"),
            nanos: 0,
        }),
        quantity: Some(1.5),
        location_id: (!number.is_multiple_of(3)).then(|| format!("store {}", number % 3)),
        ..Event::default()
    }
}

fn batches_of_sections(batches: u64) -> impl Iterator<Item = (ShardId, Bytes)> {
    (0..batches).flat_map(|number| sections(1_000 + number, BATCH))
}

/// The file of a cluster's secret in `folder`, made when it is missing.
pub(super) fn secret_file(folder: &std::path::Path) -> std::path::PathBuf {
    let secret = ClusterSecret::established(&ClusterConfig::default(), folder).expect("found");
    secret.keep().expect("written");
    secret.file().expect("a file").to_owned()
}

/// Who finds out that a shard is ahead of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refuses {
    Fetches,
    Heartbeats,
}

/// Clones are the same coordinator.
#[derive(Clone, Debug)]
pub(super) struct Coordinator {
    state: Arc<Mutex<State>>,
    appended: Arc<Notify>,
    address: SocketAddr,
}

impl Coordinator {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let state = State {
            log: Vec::new(),
            epoch: Epoch(1),
            epochs: Epochs::default(),
            refusals: [0; 2],
            marks: BTreeMap::new(),
            process: None,
            refuses: None,
            restores: None,
            generation: 1,
            assigned: (0..SHARDS.into()).collect(),
            cutting_job: String::new(),
            trimmed_through: 0,
            registrations: 0,
        };
        let coordinator = Self {
            state: Arc::new(Mutex::new(state)),
            appended: Arc::default(),
            address: listener.local_addr().expect("bound"),
        };
        let server = Server::builder()
            .add_service(LogServiceServer::new(coordinator.clone()))
            .add_service(MembershipServiceServer::new(coordinator.clone()))
            .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
        tokio::spawn(server);
        coordinator
    }

    /// What the worker said last of its process.
    pub(super) fn process(&self) -> Option<ProcessDescription> {
        self.state.lock().process.clone()
    }

    /// A configuration of a worker of this cluster.
    pub(super) fn config(&self, folder: &std::path::Path) -> Config {
        let mut config = Config::default();
        config.cluster.secret_file = secret_file(folder);
        config.worker.coordinator = format!("http://{}", self.address);
        config.worker.data_dir = folder.join("worker-1");
        config.worker.snapshot_seconds = 0.05;
        config.worker.snapshot_records = 500;
        config.artifacts.url = format!("file://{}", folder.join("artifacts").display());
        config
    }

    /// Appends one section and returns its position.
    pub(super) fn append(&self, shard: ShardId, section: impl Into<Bytes>) -> u64 {
        let position = self.state.lock().append(shard, section.into());
        self.appended.notify_waiters();
        position
    }

    /// Appends the sections of `count` purchases by many users of a few items.
    pub(super) fn append_events(&self, seed: u64, count: u64) {
        for (shard, section) in sections(seed, count) {
            self.append(shard, section);
        }
    }

    /// Moves a store to another time zone, in every shard, and counts its stock of some items.
    pub(super) fn append_catalogue(&self, seed: u64) {
        let zones = ["Asia/Tokyo", "", "America/New_York", "Pacific/Apia"];
        let location = Location {
            location_id: format!("store {}", 1 + seed % 2),
            time_zone: zones[usize::try_from(seed % 4).expect("small")].into(),
            decrement_on_purchase: Some(!seed.is_multiple_of(3)),
            ..Location::default()
        };
        let upsert = mutation::Kind::UpsertLocation(location.clone());
        let section = |kind| {
            let mutations = vec![Mutation { kind: Some(kind) }];
            encode_section(&Section { mutations, ..Section::default() })
        };
        for shard in 0..SHARDS {
            self.append(shard, section(upsert.clone()));
        }
        for number in 0..9_u32 {
            let item_id = format!("item {}", (u64::from(number) + seed) % 97);
            let shard = layout().shard_of(Subject::Item, &item_id);
            let set = SetStock {
                item_id,
                location_id: location.location_id.clone(),
                on_hand: f64::from(number),
                as_of_ms: 1_600_000_100_000,
                ..SetStock::default()
            };
            self.append(shard, section(mutation::Kind::SetStock(set)));
        }
    }

    /// Appends a marker to all shards, with `cutting` as the job that waits for cuts.
    pub(super) fn append_marker(&self, job: &str, parts: &[CutPart], cutting: &str) {
        cutting.clone_into(&mut self.state.lock().cutting_job);
        let parts = parts.iter().map(|&part| part.into()).collect();
        let marker = Some(Marker { job_id: job.to_owned(), parts });
        let section = encode_section(&Section { marker, ..Section::default() });
        for shard in 0..SHARDS {
            self.append(shard, section.clone());
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.state.lock().log.len() as u64
    }

    /// Begins another generation, with these shards for the worker.
    pub(super) fn reassign(&self, shards: &[u32]) {
        let mut state = self.state.lock();
        state.generation += 1;
        state.assigned = shards.to_vec();
    }

    /// Goes on as a copy of the log does that was taken when it ended at `through`.
    pub(super) fn restore(&self, through: u64) {
        self.state.lock().restore(through);
    }

    /// Restores the log when the next fetch arrives, and appends batches of events.
    pub(super) fn restore_at_fetch(&self, through: u64, batches: u64) {
        self.state.lock().restores = Some((through, batches));
    }

    /// Restores the log if a fetch is to find it so. Nobody sees it on the way.
    fn restore_now(&self) {
        let mut state = self.state.lock();
        let Some((through, batches)) = state.restores.take() else { return };
        state.restore(through);
        for (shard, section) in batches_of_sections(batches) {
            state.append(shard, section);
        }
    }

    /// Appends batches of [`BATCH`] events, each a position or more of every shard.
    pub(super) fn append_batches(&self, batches: u64) {
        for (shard, section) in batches_of_sections(batches) {
            self.append(shard, section);
        }
    }

    /// What `shard` is after the first `through` sections.
    pub(super) fn state_at(&self, shard: ShardId, through: u64) -> ShardState {
        let mut state = ShardState::new(layout(), shard, TimeZone::UTC);
        let coordinator = self.state.lock();
        for (sequence, (owner, section)) in (1..=through).zip(&coordinator.log) {
            if *owner == shard {
                let prepared = Prepared::decode(layout(), shard, section).expect("well formed");
                apply(&mut state, sequence, prepared).expect("applies");
            }
        }
        state.enter(Mark { epoch: coordinator.epochs.at(through), position: through });
        state.advance(through);
        state
    }

    /// Lets only these calls find out who is ahead.
    pub(super) fn refuse_only(&self, what: Refuses) {
        self.state.lock().refuses = Some(what);
    }

    /// Fetches and heartbeats that the log has refused so far.
    pub(super) fn refusals(&self) -> [usize; 2] {
        self.state.lock().refusals
    }

    /// Where the shards stand, when a heartbeat has said that all of them are at the end.
    pub(super) fn marks_at_end(&self) -> Option<BTreeMap<u32, Mark>> {
        let state = self.state.lock();
        let end = state.log.len() as u64;
        let all = state.marks.values().filter(|mark| mark.position == end).count();
        (all == state.assigned.len()).then(|| state.marks.clone())
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.state.lock().epoch
    }

    pub(super) fn trim(&self, through: u64) {
        self.state.lock().trimmed_through = through;
    }

    pub(super) fn registrations(&self) -> usize {
        self.state.lock().registrations
    }

    /// What `shard` must be after the first `through` sections.
    pub(super) fn expected(&self, shard: ShardId, through: u64) -> Vec<u8> {
        self.state_at(shard, through).canonical_encoding()
    }

    fn read(&self, request: &FetchRequest) -> Result<FetchResponse, Status> {
        let mut state = self.state.lock();
        state.check(request)?;
        let end = state.log.len() as u64;
        let fetched = request.cursors.iter().map(|cursor| {
            let sections = (1..).zip(&state.log).filter(|(sequence, (shard, _))| {
                *sequence > cursor.after && u32::from(*shard) == cursor.shard
            });
            let sections: Vec<FetchedSection> = sections
                .map(|(sequence, (_, section))| FetchedSection {
                    sequence,
                    crc: crc32fast::hash(section),
                    section: section.clone(),
                })
                .take(50)
                .collect();
            let next = match sections.last() {
                Some(last) if sections.len() == 50 => last.sequence,
                Some(_) | None => end,
            };
            let epoch = state.epochs.at(next).to_bytes();
            FetchedShard { shard: cursor.shard, sections, next, epoch }
        });
        Ok(FetchResponse {
            shards: fetched.collect(),
            end,
            trimmed_through: 0,
            cutting_job: state.cutting_job.clone(),
        })
    }

    fn check_caller<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let generation = self.state.lock().generation;
        check_generation(request.metadata(), generation).map_err(|stale| stale.to_status())
    }
}

#[tonic::async_trait]
impl LogService for Coordinator {
    async fn check(
        &self,
        request: Request<CheckRequest>,
    ) -> Result<Response<CheckResponse>, Status> {
        let state = self.state.lock();
        let marks = request.into_inner().marks;
        let accepted = marks.into_iter().map(|mark| state.accepts(decode(mark))).collect();
        Ok(Response::new(CheckResponse { accepted }))
    }

    async fn fetch(
        &self,
        request: Request<FetchRequest>,
    ) -> Result<Response<FetchResponse>, Status> {
        self.check_caller(&request)?;
        let request = request.into_inner();
        self.restore_now();
        let trimmed_through = self.state.lock().trimmed_through;
        let mut cursors = request.cursors.iter();
        if let Some(cursor) = cursors.find(|cursor| cursor.after < trimmed_through) {
            let shard = cursor.shard.try_into().expect("a shard");
            let trimmed = LogError::Trimmed { shard, after: cursor.after, trimmed_through };
            return Err(trimmed.to_status());
        }
        let appended = self.appended.notified();
        let response = self.read(&request)?;
        if response.shards.iter().any(|shard| !shard.sections.is_empty()) {
            return Ok(Response::new(response));
        }
        let wait = Duration::from_millis(request.wait_ms.into());
        // Whether woken or not, the answer is what there is.
        let _ = tokio::time::timeout(wait, appended).await;
        Ok(Response::new(self.read(&request)?))
    }
}

#[tonic::async_trait]
impl MembershipService for Coordinator {
    async fn register(
        &self,
        _request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let mut state = self.state.lock();
        state.registrations += 1;
        Ok(Response::new(RegisterResponse {
            // The first worker has to ask twice.
            ready: state.registrations > 1,
            waiting_for: "waiting for 1 more worker".into(),
            generation: state.generation,
            shards: state.assigned.clone(),
            cluster: Some(ClusterIdentity {
                incarnation: 7,
                shard_count: SHARDS.into(),
                currency: "USD".into(),
                time_zone: "UTC".into(),
                ancestors: Vec::new(),
            }),
            versions: Vec::new(),
        }))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        self.check_caller(&request)?;
        let request = request.into_inner();
        let marks = request.shards.into_iter();
        let marks = marks.map(|one| (one.shard, decode(one.mark.unwrap_or_default())));
        let mut state = self.state.lock();
        state.process = request.process;
        state.marks = marks.collect();
        let ahead = state.marks.iter().find(|(_, mark)| !state.accepts(**mark));
        if let Some((&shard, &Mark { epoch, position: after })) = ahead
            && state.refuses(Refuses::Heartbeats)
        {
            state.refusals[1] += 1;
            let shard = shard.try_into().expect("a shard");
            return Err(LogError::Ahead { shard, after, epoch }.to_status());
        }
        Ok(Response::new(HeartbeatResponse {}))
    }
}

fn decode(mark: internal::Mark) -> Mark {
    let epoch = Epoch::from_bytes(&mark.epoch).expect("an epoch");
    Mark { epoch, position: mark.position }
}
