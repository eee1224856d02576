//! Answers do not depend on the shape of the cluster, and they are right.

use mercer_tests::{
    answers::{self, Result},
    processes::{Processes, describe},
    reference::{Algorithm, Reference},
    workload::Workload,
};

use super::BINARY;

const USERS: u64 = 60;
const ITEMS: u64 = 80;
const EVENTS: usize = 4_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_shape_gives_the_same_bits_and_the_reference_agrees() -> anyhow::Result<()> {
    let workload = Workload { users: USERS, items: ITEMS, seed: 7 };
    let truth = {
        let one_process = Processes::up(BINARY, 2, 16)?;
        answer(one_process, &workload).await?
    };
    check_against_reference(&truth, &workload);
    let odd_shards = answer(Processes::up(BINARY, 1, 7)?, &workload).await?;
    assert_eq!(truth, odd_shards, "one worker with 7 shards answers otherwise");
    let processes = answer(Processes::cluster(BINARY, 3)?, &workload).await?;
    assert_eq!(truth, processes, "three worker processes answer otherwise");
    Ok(())
}

async fn answer(mut cluster: Processes, workload: &Workload) -> anyhow::Result<Vec<Vec<Result>>> {
    cluster.wait_until_serving().await?;
    let channel = answers::connect(cluster.endpoint()).await?;
    answers::catalogue(&channel, (0..ITEMS).map(|item| format!("item-{item}"))).await?;
    let tokens = answers::record(&channel, workload.events(EVENTS)).await?;
    describe(cluster.endpoint(), tokens).await?;
    answers::train(&channel, &["similarity"]).await?;
    let users = (0..USERS).map(|user| format!("user-{user}"));
    answers::recommendations(&channel, users, &["p3", "item-cosine", "popular"]).await
}

/// `answers` holds p3, item-cosine and popular for each user in turn.
fn check_against_reference(answers: &[Vec<Result>], workload: &Workload) {
    let reference = Reference::new(&workload.events(EVENTS));
    let mut compared = 0;
    for (offset, algorithm) in [(0, Algorithm::P3), (1, Algorithm::ItemCosine)] {
        let neighbours = reference.neighbours(algorithm);
        for user in 0..USERS {
            let index = usize::try_from(user).expect("small") * 3 + offset;
            let expected = reference.recommend(&neighbours, &format!("user-{user}"));
            let scored = answers[index].iter().filter(|(_, _, source, _)| *source == 1);
            let scored: Vec<_> = scored.collect();
            assert_eq!(scored.len(), expected.len().min(20), "{algorithm:?} for user {user}");
            for ((item, score, _, reasons), (_, expected_score)) in scored.iter().zip(&expected) {
                let score = f64::from_bits(*score);
                assert!(close(score, *expected_score), "{algorithm:?}: {score} {expected_score}");
                // Items with equal scores up to rounding may have changed places.
                let own = expected.iter().find(|(candidate, _)| candidate == item);
                assert!(own.is_some_and(|(_, own)| close(*own, score)), "{item} for user {user}");
                let parts: f64 = reasons.iter().map(|(_, _, part)| f64::from_bits(*part)).sum();
                assert!(close(parts, score), "reasons add up to {parts}, not {score}");
                compared += 1;
            }
        }
    }
    assert!(compared > 500, "compared only {compared}");
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-5 * left.abs().max(right.abs()).max(1e-3)
}
