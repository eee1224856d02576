//! Who holds shards, through starts, deaths and changes of the set of workers.

use mercer_common::{log::memory::MemoryLog, secret::ClusterSecret};

use super::*;
use crate::tests::{TestClock, TestMetadata};

struct Setup {
    metadata: Arc<TestMetadata>,
    log: Arc<MemoryLog>,
    clock: Arc<TestClock>,
    membership: Membership,
}

const TIMEOUT_MS: u64 = 3_000;

impl Setup {
    async fn new(expected: u16) -> Self {
        let metadata = Arc::<TestMetadata>::default();
        let (log, clock) = (Arc::new(MemoryLog::new(7)), Arc::new(TestClock::new()));
        let membership = load(&metadata, &log, &clock, expected).await;
        Self { metadata, log, clock, membership }
    }

    /// A coordinator that starts over the same metadata.
    async fn restart(&mut self, expected: u16) {
        self.membership = load(&self.metadata, &self.log, &self.clock, expected).await;
    }

    async fn register(&self, worker_id: &str, instance: &str) -> Registration {
        self.membership.register(&request(worker_id, instance)).await.expect("accepted")
    }

    async fn heartbeat(&self, worker_id: &str, generation: u64) -> Result<(), MembershipError> {
        self.membership.heartbeat(worker_id, generation, 1, &[]).await
    }

    /// A heartbeat of a worker whose shard 0 stands there.
    async fn stands(
        &self,
        worker_id: &str,
        generation: u64,
        mark: Mark,
    ) -> Result<(), MembershipError> {
        self.membership.heartbeat(worker_id, generation, 1, &[(0, mark)]).await
    }

    /// Registers until it holds shards, and says that it stands where the log does.
    async fn join(&self, worker_id: &str, instance: &str) -> u64 {
        let (generation, _) = ready(&self.register(worker_id, instance).await);
        self.heartbeat(worker_id, generation).await.expect("of its generation");
        generation
    }

    fn live(&self) -> Vec<String> {
        self.membership.routes().map(|r| r.live.into_keys().collect()).unwrap_or_default()
    }
}

async fn load(
    metadata: &Arc<TestMetadata>,
    log: &Arc<MemoryLog>,
    clock: &Arc<TestClock>,
    expected: u16,
) -> Membership {
    let metadata: Arc<dyn Metadata> = Arc::<TestMetadata>::clone(metadata);
    let log: Arc<dyn EventLog> = Arc::<MemoryLog>::clone(log);
    let clock: SharedClock = Arc::<TestClock>::clone(clock);
    let workers = Arc::new(Workers::new(ClusterSecret::drawn()));
    Membership::load(metadata, log, clock, workers, ShardLayout::new(8), expected, 3.0)
        .await
        .expect("loads")
}

fn request(worker_id: &str, instance: &str) -> RegisterRequest {
    RegisterRequest {
        worker_id: worker_id.into(),
        address: format!("http://127.0.0.1:{}", 1_000 + instance.len()),
        instance: instance.into(),
        apply_version: 1,
    }
}

fn ready(registration: &Registration) -> (u64, Vec<ShardId>) {
    match registration {
        Registration::Ready { generation, shards } => (*generation, shards.clone()),
        Registration::Waiting { .. } => panic!("{registration:?}"),
    }
}

#[tokio::test]
async fn shards_are_dealt_when_all_workers_have_joined() {
    let setup = Setup::new(2).await;
    let waiting = setup.register("b", "b1").await;
    assert!(
        matches!(&waiting, Registration::Waiting { reason, .. } if reason == "1 of 2 workers have joined"),
        "{waiting:?}"
    );
    assert!(setup.membership.routes().is_none());
    let (_, shards) = ready(&setup.register("a", "a1").await);
    assert_eq!(shards, [0, 1, 2, 3]);
    // Whoever waited asks again and finds its shards.
    let (generation, shards) = ready(&setup.register("b", "b1").await);
    assert_eq!(shards, [4, 5, 6, 7]);
    assert_eq!(ready(&setup.register("b", "b1").await).0, generation, "repeating changes nothing");
    assert_eq!(setup.live(), [""; 0], "where they stand is not known yet");
    setup.heartbeat("b", generation).await.expect("of its generation");
    setup.join("a", "a1").await;
    assert_eq!(setup.live(), ["a", "b"]);
}

#[tokio::test]
async fn a_new_process_ends_the_generation_of_the_old_one() {
    let setup = Setup::new(1).await;
    let (old, _) = ready(&setup.register("a", "first").await);
    let (new, shards) = ready(&setup.register("a", "second").await);
    assert!(new > old && shards.len() == 8);
    let stale = setup.heartbeat("a", old).await;
    assert!(matches!(stale, Err(MembershipError::StaleGeneration { .. })), "{stale:?}");
    setup.heartbeat("a", new).await.expect("the new one");
    let unknown = setup.heartbeat("z", 0).await;
    assert!(matches!(unknown, Err(MembershipError::StaleGeneration { .. })), "{unknown:?}");
}

#[tokio::test]
async fn a_dead_worker_keeps_its_shards_and_an_unknown_one_gets_none() {
    let setup = Setup::new(2).await;
    setup.register("a", "a1").await;
    setup.register("b", "b1").await;
    setup.join("a", "a1").await;
    let b = setup.join("b", "b1").await;
    setup.clock.advance(TIMEOUT_MS - 1);
    setup.heartbeat("b", b).await.expect("alive");
    assert_eq!(setup.live(), ["a", "b"]);
    setup.clock.advance(1);
    assert_eq!(setup.live(), ["b"]);
    let routes = setup.membership.routes().expect("dealt");
    assert_eq!(routes.owner(0), Err("a"));
    let refused = setup.membership.register(&request("c", "c1")).await;
    assert!(matches!(refused, Err(MembershipError::Surplus { .. })), "{refused:?}");
    setup.join("a", "a2").await;
    assert_eq!(setup.live(), ["a", "b"]);
}

#[tokio::test]
async fn setting_the_wall_clock_neither_kills_nor_revives_anybody() {
    const HOUR_MS: i64 = 3_600_000;
    let setup = Setup::new(2).await;
    setup.register("a", "a1").await;
    setup.register("b", "b1").await;
    setup.join("a", "a1").await;
    let b = setup.join("b", "b1").await;
    for step in [-HOUR_MS, 48 * HOUR_MS, -1_000, 1_000] {
        setup.clock.step(step);
        assert_eq!(setup.live(), ["a", "b"], "after a step of {step} ms");
    }
    setup.clock.advance(TIMEOUT_MS);
    setup.heartbeat("b", b).await.expect("alive");
    setup.clock.step(-HOUR_MS);
    assert_eq!(setup.live(), ["b"], "who is dead stays dead");
    let shown = |id: &str| {
        let members = setup.membership.members().into_iter();
        members
            .filter(|(member, _)| member.target.worker_id == id)
            .find_map(|(m, _)| m.last_heartbeat_ms)
    };
    // What is shown is what the wall clock said.
    assert_eq!(shown("b").zip(shown("a")).map(|(b, a)| b - a), Some(47 * HOUR_MS + 3_000));
}

#[tokio::test]
async fn a_worker_ahead_of_the_log_is_asked_nothing_until_it_has_read_it_anew() {
    let mut setup = Setup::new(1).await;
    let append = async |log: &MemoryLog| log.append(vec![(0, "x".into())]).await.expect("stored");
    for _ in 0..9 {
        append(&setup.log).await;
    }
    let at = |log: &MemoryLog, position| Mark { epoch: log.epoch_at(position), position };
    let (old, newest) = (at(&setup.log, 5), at(&setup.log, 9));
    let (a, _) = ready(&setup.register("a", "a1").await);
    setup.stands("a", a, newest).await.expect("the log has it");
    assert_eq!(setup.live(), ["a"]);

    setup.log.restore(5);
    setup.restart(1).await;
    assert_eq!(setup.live(), [""; 0], "nobody was accepted in this run");
    let (same, _) = ready(&setup.register("a", "a1").await);
    assert_eq!((same, setup.live()), (a, vec![]), "a registration proves no position");
    for _ in 0..9 {
        let refused = setup.stands("a", a, newest).await;
        assert!(matches!(refused, Err(MembershipError::Ahead { shard: 0, .. })), "{refused:?}");
        assert_eq!(setup.live(), [""; 0]);
        // Also when the log has grown past its position.
        append(&setup.log).await;
    }
    // A refused heartbeat does not keep a worker alive.
    setup.clock.advance(TIMEOUT_MS);
    assert!(setup.stands("a", a, newest).await.is_err());
    assert!(!setup.membership.members()[0].1);
    setup.stands("a", a, old).await.expect("it has read the log anew");
    assert_eq!(setup.live(), ["a"]);

    // The log refuses a cursor of it.
    setup.membership.refuse("a", a - 1);
    assert_eq!(setup.live(), ["a"], "of another registration");
    setup.membership.refuse("a", a);
    assert_eq!(setup.live(), [""; 0]);
}

#[tokio::test]
async fn a_restarted_coordinator_goes_on_with_its_workers() {
    let mut setup = Setup::new(2).await;
    setup.register("a", "a1").await;
    let (b, shards) = ready(&setup.register("b", "b1").await);
    let (a, _) = ready(&setup.register("a", "a1").await);
    setup.restart(2).await;
    assert_eq!(setup.live(), [""; 0], "not heard of yet");
    setup.heartbeat("b", b).await.expect("goes on");
    assert_eq!(setup.live(), ["b"]);
    // A worker that was restarted meanwhile finds the shards it had.
    let (again, same) = ready(&setup.register("b", "b2").await);
    assert!(again > b && same == shards);
    setup.heartbeat("a", a).await.expect("goes on");
    let refused = setup.membership.register(&request("c", "c1")).await;
    assert!(matches!(refused, Err(MembershipError::Surplus { .. })), "{refused:?}");
}

#[tokio::test]
async fn another_set_of_workers_after_a_restart_is_dealt_anew() {
    let mut setup = Setup::new(2).await;
    setup.register("a", "a1").await;
    setup.register("b", "b1").await;
    let (a, _) = ready(&setup.register("a", "a1").await);
    setup.restart(2).await;
    setup.heartbeat("a", a).await.expect("goes on");
    let (_, shards) = ready(&setup.register("c", "c1").await);
    assert_eq!(shards, [4, 5, 6, 7]);
    // Those that went on must learn what they hold now.
    let stale = setup.heartbeat("a", a).await;
    assert!(matches!(stale, Err(MembershipError::StaleGeneration { .. })), "{stale:?}");
    assert_eq!(ready(&setup.register("a", "a1").await).1, [0, 1, 2, 3]);
    let members: Vec<String> =
        setup.membership.members().into_iter().map(|(member, _)| member.target.worker_id).collect();
    assert_eq!(members, ["a", "c"]);
    // The new deal is what the next run finds.
    setup.restart(2).await;
    assert_eq!(ready(&setup.register("c", "c2").await).1, [4, 5, 6, 7]);
}

#[tokio::test]
async fn another_number_of_workers_is_dealt_anew() {
    let mut setup = Setup::new(2).await;
    setup.register("a", "a1").await;
    setup.register("b", "b1").await;
    let (a, _) = ready(&setup.register("a", "a1").await);
    setup.restart(3).await;
    let stale = setup.heartbeat("a", a).await;
    assert!(matches!(stale, Err(MembershipError::StaleGeneration { .. })), "{stale:?}");
    for (worker_id, instance) in [("a", "a1"), ("b", "b1")] {
        let waiting = setup.register(worker_id, instance).await;
        assert!(matches!(waiting, Registration::Waiting { .. }), "{waiting:?}");
    }
    assert_eq!(ready(&setup.register("c", "c1").await).1, [6, 7]);
    assert_eq!(ready(&setup.register("a", "a1").await).1, [0, 1, 2]);
}

#[tokio::test]
async fn a_malformed_registration_is_refused_by_field() {
    let setup = Setup::new(1).await;
    let good = request("a", "a1");
    let cases = [
        (RegisterRequest { worker_id: String::new(), ..good.clone() }, "worker_id"),
        (RegisterRequest { worker_id: "x".repeat(64), ..good.clone() }, "worker_id"),
        (RegisterRequest { instance: String::new(), ..good.clone() }, "instance"),
        (RegisterRequest { address: "127.0.0.1:80".into(), ..good }, "address"),
    ];
    for (request, field) in cases {
        match setup.membership.register(&request).await {
            Err(MembershipError::Invalid(invalid)) => {
                assert_eq!(invalid.violations[0].field, field)
            }
            other => panic!("{other:?}"),
        }
    }
}
