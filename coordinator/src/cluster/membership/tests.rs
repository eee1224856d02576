//! Who holds shards, through starts, deaths and changes of the set of workers.

use std::sync::atomic::AtomicI64;

use super::*;
use crate::tests::{TestClock, TestMetadata};

struct Setup {
    metadata: Arc<TestMetadata>,
    clock: Arc<TestClock>,
    membership: Membership,
}

const TIMEOUT_MS: i64 = 3_000;

impl Setup {
    async fn new(expected: u16) -> Self {
        let metadata = Arc::<TestMetadata>::default();
        let clock = Arc::new(TestClock(AtomicI64::new(1_700_000_000_000)));
        let membership = load(&metadata, &clock, expected).await;
        Self { metadata, clock, membership }
    }

    /// A coordinator that starts over the same metadata.
    async fn restart(&mut self, expected: u16) {
        self.membership = load(&self.metadata, &self.clock, expected).await;
    }

    async fn register(&self, worker_id: &str, instance: &str) -> Registration {
        self.membership.register(&request(worker_id, instance)).await.expect("accepted")
    }

    async fn heartbeat(&self, worker_id: &str, generation: u64) -> Result<(), MembershipError> {
        self.membership.heartbeat(worker_id, generation, 1).await
    }

    fn live(&self) -> Vec<String> {
        self.membership.routes().map(|r| r.live.into_keys().collect()).unwrap_or_default()
    }
}

async fn load(metadata: &Arc<TestMetadata>, clock: &Arc<TestClock>, expected: u16) -> Membership {
    let metadata: Arc<dyn Metadata> = Arc::<TestMetadata>::clone(metadata);
    let clock: SharedClock = Arc::<TestClock>::clone(clock);
    Membership::load(metadata, clock, ShardLayout::new(8), expected, 3.0).await.expect("loads")
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
    setup.heartbeat("b", generation).await.expect("of its generation");
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
    let (b, _) = ready(&setup.register("b", "b1").await);
    setup.clock.advance(TIMEOUT_MS - 1);
    setup.heartbeat("b", b).await.expect("alive");
    assert_eq!(setup.live(), ["a", "b"]);
    setup.clock.advance(1);
    assert_eq!(setup.live(), ["b"]);
    let routes = setup.membership.routes().expect("dealt");
    assert_eq!(routes.owner(0), Err("a"));
    let refused = setup.membership.register(&request("c", "c1")).await;
    assert!(matches!(refused, Err(MembershipError::Surplus { .. })), "{refused:?}");
    setup.register("a", "a2").await;
    assert_eq!(setup.live(), ["a", "b"]);
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
