//! Which workers there are, who of them is live, and when shards are assigned to them.
//!
//! Shards are assigned once per set of workers: as soon as `cluster.workers` of them are live for
//! the first time in this run of the coordinator, the stored placement is confirmed if it names
//! exactly them, and replaced otherwise. After that, an unknown worker is refused. A worker that
//! dies keeps its shards, which are unavailable until it is back.
//!
//! A worker may stand where the log does not, when the log was restored from an earlier state or
//! replaced by a copy. So it is asked nothing before the log has accepted, in this run, where all its
//! shards stand: its heartbeats say. Who is heard of is told by the time since the machine started,
//! which nobody sets; the wall clock is only shown.

mod member;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mercer_common::{
    clock::SharedClock,
    ids::Checker,
    log::{EventLog, Mark},
    metadata::{Metadata, MetadataError, Revision},
    rpc::connect,
    slot::{ShardId, ShardLayout},
};
use mercer_proto::{internal::RegisterRequest, v1::ProcessDescription};
use parking_lot::RwLock;

use super::{
    error::MembershipError,
    placement::Placement,
    record::{GenerationRecord, PlacementRecord, WorkerRecord, decode, put},
    worker_versions::WorkerVersions,
    workers::{Target, Workers},
};

pub(crate) use member::{Member, Registration, Routes};

pub(crate) const GENERATION: &str = "cluster/generation";
const PLACEMENT: &str = "placement";
pub(crate) const WORKERS: &str = "workers/";
/// Workers that may have registered before shards are assigned.
const MEMBERS: usize = 1_024;

#[derive(Debug, Default)]
struct State {
    members: BTreeMap<String, Member>,
    /// Set once shards are assigned to exactly `cluster.workers` workers.
    placement: Option<Arc<Placement>>,
    /// All workers were live at once in this run: from now on unknown ones are refused.
    settled: bool,
}

/// Revisions of what is stored; whoever changes metadata holds their lock.
#[derive(Debug, Default)]
struct Revisions {
    generation: Option<Revision>,
    placement: Option<Revision>,
    workers: BTreeMap<String, Revision>,
    latest_generation: u64,
}

/// The members of the cluster.
pub(crate) struct Membership {
    metadata: Arc<dyn Metadata>,
    log: Arc<dyn EventLog>,
    clock: SharedClock,
    workers: Arc<Workers>,
    layout: ShardLayout,
    expected: usize,
    timeout: Duration,
    revisions: tokio::sync::Mutex<Revisions>,
    state: RwLock<State>,
    versions: WorkerVersions,
}

impl Membership {
    /// Loads what an earlier run stored. Workers keep their generations, so that they go on.
    pub(crate) async fn load(
        metadata: Arc<dyn Metadata>,
        log: Arc<dyn EventLog>,
        clock: SharedClock,
        workers: Arc<Workers>,
        layout: ShardLayout,
        expected: u16,
        timeout_seconds: f64,
    ) -> Result<Self, MetadataError> {
        let expected = usize::from(expected);
        let mut revisions = Revisions::default();
        let mut state = State::default();
        if let Some(entry) = metadata.get(GENERATION).await? {
            revisions.latest_generation = decode::<GenerationRecord>(&entry)?.generation;
            revisions.generation = Some(entry.revision);
        }
        if let Some(entry) = metadata.get(PLACEMENT).await? {
            revisions.placement = Some(entry.revision);
            let owners = decode::<PlacementRecord>(&entry)?.owners;
            state.placement = Placement::from_owners(layout, owners)
                .filter(|placement| placement.workers().len() == expected)
                .map(Arc::new);
        }
        for entry in metadata.list(WORKERS).await? {
            let worker_id = entry.key[WORKERS.len()..].to_owned();
            let record: WorkerRecord = decode(&entry)?;
            revisions.workers.insert(worker_id.clone(), entry.revision);
            let target = Target {
                worker_id: worker_id.clone(),
                address: record.address,
                generation: record.generation,
            };
            state.members.insert(worker_id, Member::new(target, record.instance));
        }
        Ok(Self {
            metadata,
            log,
            clock,
            workers,
            layout,
            expected,
            timeout: Duration::try_from_secs_f64(timeout_seconds).unwrap_or_default(),
            revisions: tokio::sync::Mutex::new(revisions),
            state: RwLock::new(state),
            versions: WorkerVersions::default(),
        })
    }

    /// Joins a worker to the cluster. Repeating a registration changes nothing; another process
    /// takes the id over only when the one that has it answers no more.
    pub(crate) async fn register(
        &self,
        request: &RegisterRequest,
    ) -> Result<Registration, MembershipError> {
        check(request)?;
        let mut revisions = self.free_id(request).await?;
        let worker_id = &request.worker_id;
        let known = {
            let state = self.state.read();
            let placed = state.placement.as_ref().map(|placement| placement.workers());
            let member_of_placement = placed.as_ref().is_some_and(|ids| ids.contains(worker_id));
            let full = state.members.len() >= MEMBERS && !state.members.contains_key(worker_id);
            if full || (state.settled && !member_of_placement) {
                return Err(MembershipError::Surplus {
                    worker_id: worker_id.clone(),
                    expected: self.expected,
                    members: placed.into_iter().flatten().collect::<Vec<_>>().join(", "),
                });
            }
            state.members.get(worker_id).is_some_and(|member| {
                member.instance == request.instance && member.target.address == request.address
            })
        };
        self.versions.note(worker_id, request.apply_version)?;
        if !known {
            let record = WorkerRecord {
                address: request.address.clone(),
                instance: request.instance.clone(),
                generation: 0,
            };
            self.store_member(&mut revisions, worker_id, record).await?;
        }
        self.touch(worker_id, |_| ());
        self.settle(&mut revisions).await?;
        Ok(self.registration(worker_id))
    }

    /// Waits until changes can be made, and refuses a process whose id another one has that still
    /// answers. Others are not kept waiting meanwhile.
    async fn free_id(
        &self,
        request: &RegisterRequest,
    ) -> Result<tokio::sync::MutexGuard<'_, Revisions>, MembershipError> {
        let mut gone = None;
        loop {
            let revisions = self.revisions.lock().await;
            let found = self.other_holder(request);
            if found == gone || found.is_none() {
                return Ok(revisions);
            }
            drop(revisions);
            if let Some((instance, address)) = &found
                && self.workers.instance_at(address).await.as_ref() == Some(instance)
            {
                let (worker_id, address) = (request.worker_id.clone(), address.clone());
                return Err(MembershipError::IdInUse { worker_id, address });
            }
            gone = found;
        }
    }

    /// Instance and address of another process that has the id of the one that registers.
    fn other_holder(&self, request: &RegisterRequest) -> Option<(String, String)> {
        let state = self.state.read();
        let member = state.members.get(&request.worker_id)?;
        let is_other = member.instance != request.instance;
        is_other.then(|| (member.instance.clone(), member.target.address.clone()))
    }

    /// Notes that a worker is alive and where its shards stand; it is asked nothing while one of
    /// them is ahead of the log.
    pub(crate) async fn heartbeat(
        &self,
        worker_id: &str,
        generation: u64,
        resident_bytes: u64,
        shards: &[(ShardId, Mark)],
    ) -> Result<(), MembershipError> {
        self.check_generation(worker_id, generation)?;
        if let Some(&(shard, mark)) = shards.iter().find(|(_, mark)| !self.log.accepts(*mark)) {
            self.refuse(worker_id, generation);
            return Err(MembershipError::Ahead { worker_id: worker_id.to_owned(), shard, mark });
        }
        self.touch(worker_id, |member| {
            member.accepted = true;
            member.resident_bytes = resident_bytes;
        });
        if !self.state.read().settled {
            self.settle(&mut *self.revisions.lock().await).await?;
            // Assigning shards anew ends every generation.
            self.check_generation(worker_id, generation)?;
        }
        Ok(())
    }

    /// Notes what a worker says of its process.
    pub(crate) fn note_process(&self, worker_id: &str, process: Option<ProcessDescription>) {
        if let Some(member) = self.state.write().members.get_mut(worker_id) {
            member.process = process;
        }
    }

    /// Asks a worker nothing more until a heartbeat of it is accepted: the log has refused where
    /// one of its shards stands.
    pub(crate) fn refuse(&self, worker_id: &str, generation: u64) {
        let mut state = self.state.write();
        let member = state.members.get_mut(worker_id);
        if let Some(member) = member.filter(|member| member.target.generation == generation) {
            member.accepted = false;
            tracing::warn!(worker_id, "the worker is ahead of the log; it must read it anew");
        }
    }

    /// Refuses a worker that holds shards by another registration than its last.
    pub(crate) fn check_generation(
        &self,
        worker_id: &str,
        generation: u64,
    ) -> Result<(), MembershipError> {
        let state = self.state.read();
        let current = state.members.get(worker_id).map_or(0, |member| member.target.generation);
        let holds_shards =
            state.placement.as_ref().is_some_and(|p| p.owners().iter().any(|id| id == worker_id));
        if current == generation && holds_shards {
            Ok(())
        } else {
            let worker_id = worker_id.to_owned();
            Err(MembershipError::StaleGeneration { worker_id, generation, current })
        }
    }

    /// Where calls go now, or `None` before shards were assigned.
    pub(crate) fn routes(&self) -> Option<Routes> {
        let state = self.state.read();
        let placement = Arc::clone(state.placement.as_ref()?);
        let live = placement
            .by_worker()
            .into_keys()
            .filter_map(|id| state.members.get(id))
            .filter(|member| member.accepted && self.is_heard(member))
            .map(|member| (member.target.worker_id.clone(), member.target.clone()))
            .collect();
        Some(Routes { placement, live })
    }

    /// All members with whether they are live, by id. One that holds no shards yet has none whose
    /// position could be ahead.
    pub(crate) fn members(&self) -> Vec<(Member, bool)> {
        let state = self.state.read();
        let placed = state.placement.as_ref().map(|p| p.workers()).unwrap_or_default();
        let mut members = Vec::with_capacity(state.members.len());
        for member in state.members.values() {
            let accepted = member.accepted || !placed.contains(&member.target.worker_id);
            let is_live = accepted && self.is_heard(member);
            members.push((member.clone(), is_live));
        }
        members
    }

    /// When the worker was last heard of in this run, by the clock's uptime.
    pub(crate) fn last_heard(&self, worker_id: &str) -> Option<Duration> {
        self.state.read().members.get(worker_id).and_then(|member| member.last_heard)
    }

    /// Why metadata cannot be changed at present.
    pub(crate) fn metadata_stopped(&self) -> Option<String> {
        self.metadata.stopped()
    }

    /// Which meanings of records the workers know.
    pub(crate) fn versions(&self) -> &WorkerVersions {
        &self.versions
    }

    /// All workers that ever registered.
    pub(crate) fn known(&self) -> BTreeSet<String> {
        self.state.read().members.keys().cloned().collect()
    }

    /// The workers of the cluster, once all of them have joined in this run.
    pub(crate) fn joined(&self) -> Option<BTreeSet<String>> {
        let state = self.state.read();
        let placement = state.placement.as_ref().filter(|_| state.settled)?;
        Some(placement.workers())
    }

    /// Workers that must be live before shards are assigned.
    pub(crate) fn expected(&self) -> usize {
        self.expected
    }

    fn is_heard(&self, member: &Member) -> bool {
        let now = self.clock.uptime();
        member.last_heard.is_some_and(|last| now.saturating_sub(last) < self.timeout)
    }

    fn touch(&self, worker_id: &str, change: impl FnOnce(&mut Member)) {
        let (uptime, now_ms) = (self.clock.uptime(), self.clock.now_ms());
        if let Some(member) = self.state.write().members.get_mut(worker_id) {
            member.last_heard = Some(uptime);
            member.last_heartbeat_ms = Some(now_ms);
            change(member);
        }
    }

    fn registration(&self, worker_id: &str) -> Registration {
        let state = self.state.read();
        let generation = state.members.get(worker_id).map_or(0, |m| m.target.generation);
        let shards = state.placement.as_ref().map(|p| p.shards_of(worker_id)).unwrap_or_default();
        if !shards.is_empty() {
            return Registration::Ready { generation, shards };
        }
        let heard = state.members.values().filter(|member| self.is_heard(member)).count();
        let reason = format!("{heard} of {} workers have joined", self.expected);
        Registration::Waiting { generation, reason }
    }

    /// Confirms or replaces the placement once enough workers are live at the same time.
    async fn settle(&self, revisions: &mut Revisions) -> Result<(), MetadataError> {
        let live: BTreeSet<String> = {
            let mut state = self.state.write();
            let live: BTreeSet<String> = state
                .members
                .values()
                .filter(|member| self.is_heard(member))
                .map(|member| member.target.worker_id.clone())
                .take(self.expected)
                .collect();
            if state.settled || live.len() < self.expected {
                return Ok(());
            }
            if state.placement.as_ref().is_some_and(|placement| placement.workers() == live) {
                state.settled = true;
                tracing::info!(workers = ?live, "all workers have joined");
                return Ok(());
            }
            live
        };
        // Generations first: after a crash in between, workers register again and find either
        // placement whole.
        for worker_id in &live {
            let member = self.state.read().members.get(worker_id).cloned();
            if let Some(member) = member {
                let record = WorkerRecord {
                    address: member.target.address,
                    instance: member.instance,
                    generation: 0,
                };
                self.store_member(revisions, worker_id, record).await?;
            }
        }
        let placement = Placement::assign(self.layout, &live);
        let record = PlacementRecord { owners: placement.owners().to_vec() };
        let revision = put(&*self.metadata, PLACEMENT, revisions.placement, &record).await?;
        revisions.placement = Some(revision);
        let gone: Vec<String> = {
            let mut state = self.state.write();
            state.placement = Some(Arc::new(placement));
            state.settled = true;
            let gone = state.members.keys().filter(|id| !live.contains(*id)).cloned().collect();
            state.members.retain(|id, _| live.contains(id));
            gone
        };
        for worker_id in gone {
            if let Some(revision) = revisions.workers.remove(&worker_id) {
                let key = format!("{WORKERS}{worker_id}");
                self.metadata.compare_and_set(&key, Some(revision), None).await?;
            }
        }
        tracing::info!(workers = ?live, shards = self.layout.shards(), "shards are dealt");
        Ok(())
    }

    /// Stores a registration under a new generation and makes it visible.
    async fn store_member(
        &self,
        revisions: &mut Revisions,
        worker_id: &str,
        mut record: WorkerRecord,
    ) -> Result<(), MetadataError> {
        let generation = revisions.latest_generation + 1;
        let counter = GenerationRecord { generation };
        let revision = put(&*self.metadata, GENERATION, revisions.generation, &counter).await?;
        revisions.generation = Some(revision);
        revisions.latest_generation = generation;

        record.generation = generation;
        let key = format!("{WORKERS}{worker_id}");
        let expected = revisions.workers.get(worker_id).copied();
        let revision = put(&*self.metadata, &key, expected, &record).await?;
        revisions.workers.insert(worker_id.to_owned(), revision);

        let target =
            Target { worker_id: worker_id.to_owned(), address: record.address, generation };
        let mut member = Member::new(target, record.instance);
        let mut state = self.state.write();
        if let Some(before) = state.members.get(worker_id) {
            member.last_heard = before.last_heard;
            member.last_heartbeat_ms = before.last_heartbeat_ms;
            member.resident_bytes = before.resident_bytes;
            member.process = before.process.clone();
        }
        state.members.insert(worker_id.to_owned(), member);
        Ok(())
    }
}

fn check(request: &RegisterRequest) -> Result<(), MembershipError> {
    let mut checker = Checker::default();
    checker.id(|| "worker_id".into(), &request.worker_id);
    checker.length(|| "worker_id".into(), &request.worker_id, 63);
    checker.id(|| "instance".into(), &request.instance);
    checker.id(|| "address".into(), &request.address);
    if let Err(error) = connect(&request.address) {
        checker.violation("address", error.to_string());
    }
    checker.finish()?;
    Ok(())
}
