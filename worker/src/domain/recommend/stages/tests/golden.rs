//! Files that tasks hand to tasks load for ever: a job may begin before an upgrade and end after it.

use mercer_algorithms::linalg::sparse::CsrBuf;
use mercer_proto::internal::{ContentSpec, Phase};

use super::{
    Bench,
    shop::{Job, Shop, spec, write_cuts},
};
use crate::{
    artifact::{
        EncodedRun, EncodedUsers, Extent, ItemNeighbours, read_extent, read_statistics,
        write_encoded,
    },
    shard::cut,
    tests::golden::Goldens,
};

#[test]
fn encoded_rows_of_users() {
    let goldens = Goldens::new();
    let mut runs =
        [[0, 2], [5, 9]].map(|users| EncodedRun { rows: CsrBuf::new(true), users: users.into() });
    runs[0].rows.push_row(&mut [(0, 1.0), (2, 2.5)]);
    runs[0].rows.push_row(&mut [(1, 0.25)]);
    runs[1].rows.push_row(&mut [(2, 0.5)]);
    runs[1].rows.push_row(&mut []);
    let written = write_encoded(&goldens.store, "job", "05", 3, &runs).expect("written");
    let golden = goldens.same("users-2", &written);
    let opened = EncodedUsers::open(&goldens.store, &golden).expect("loads");
    assert_eq!(opened.users(), [0, 2, 5, 9]);
    let view = opened.view();
    assert_eq!((view.rows(), view.entries()), (4, 4));
    assert_eq!(
        (view.width(), view.columns(0), view.values(0)),
        (3, &[0, 2][..], Some(&[1.0, 2.5][..]))
    );
    assert_eq!((view.columns(1), view.values(1)), (&[1][..], Some(&[0.25][..])));
    assert!(view.columns(3).is_empty());
}

/// Runs what the golden files of a small shop come from, which another version of the kernels may
/// compute to other last bits.
pub(crate) async fn trained(bench: &Bench) -> Job<'_> {
    let mut shop = Shop::random(21, 5, 3, 30);
    for (number, item) in (1_u8..).zip(&mut shop.items) {
        item.fields.description = "ripe and red".into();
        item.fields.embedding = vec![f32::from(number), -0.5];
    }
    let states = shop.states(1);
    write_cuts(&states, "job", &bench.store);
    cut::content::write(&states[0], "job", &bench.store).expect("written");
    let mut spec = spec(1);
    let (min_items, max_share) = (1, 1.0);
    let (attribute_weight, embedding_weight) = (2.0, 0.5);
    spec.content = Some(ContentSpec { min_items, max_share, attribute_weight, embedding_weight });
    let mut job = Job::new("job", spec, &bench.runner);
    let tasks = [
        (Phase::Cut, ""),
        (Phase::Cut, "content"),
        (Phase::Dictionary, ""),
        (Phase::Encode, ""),
        (Phase::Statistics, ""),
        (Phase::Statistics, "content"),
        (Phase::Rows, "item-cosine"),
    ];
    for (phase, algorithm) in tasks {
        job.task(phase, 0, algorithm).await.expect("done");
    }
    job
}

#[tokio::test]
async fn statistics_of_items() {
    let (bench, goldens) = (Bench::new(1), Goldens::new());
    let job = trained(&bench).await;
    let written = goldens.copy(&bench.store, &job.output(Phase::Statistics, 0, ""));
    let golden = goldens.like("statistics-1", &written);
    let extent = read_extent(&goldens.store, &golden).expect("counted");
    let found = read_statistics(&goldens.store, &golden, 3).expect("loads");
    let (users, items, interactions, as_of) = (5, 3, 10, 1_077_926_400);
    assert_eq!(extent, Extent { users, items, interactions, as_of });
    assert_eq!((found.degree, found.sum), (vec![4, 3, 3], vec![4.0, 3.0, 3.0]));
    assert_eq!(found.norm, [2.0, 1.732_050_807_568_877_2, 1.732_050_807_568_877_2]);
    let walk = [1.833_333_333_333_333_3, 1.333_333_333_333_333_3, 1.833_333_333_333_333_3];
    assert_eq!(found.walk, walk);
}

#[tokio::test]
async fn neighbours_of_items() {
    let (bench, goldens) = (Bench::new(1), Goldens::new());
    let job = trained(&bench).await;
    let written = goldens.copy(&bench.store, &job.output(Phase::Rows, 0, "item-cosine"));
    let golden = goldens.like("rows-1", &written);
    let opened = ItemNeighbours::open(&goldens.store, &golden, 3, 3).expect("loads");
    let view = opened.view();
    assert_eq!((view.offsets, view.targets), (&[0, 2, 4, 6][..], &[1, 2, 0, 2, 0, 1][..]));
    let (near, far) = (0.866_025_4, 0.333_333_34);
    assert_eq!(view.weights, [near, 0.577_350_26, near, far, 0.577_350_26, far]);
}
