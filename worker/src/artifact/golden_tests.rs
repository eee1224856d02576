//! Files that versions are served from load for ever, and hold what they held.

use mercer_algorithms::{
    linalg::sparse::CsrBuf,
    recommend::{postings::PostingsBuf, repurchase::RepurchaseBuf, sequences::SequencesBuf},
};
use mercer_proto::internal::LocationShare;

use super::{norms::Norms, postings::ShardPostings, *};
use crate::tests::golden::Goldens;

#[test]
fn the_item_table() {
    let goldens = Goldens::new();
    let mut writer = ItemTableWriter::default();
    let none = writer.path([].into_iter());
    let fruit = writer.path(["PRODUCE", "FRUIT"].into_iter());
    writer.push("0", 7, none);
    writer.push("42", 9, fruit);
    writer.end_shard();
    writer.end_shard();
    writer.push("é", 8, fruit);
    writer.end_shard();
    let written = writer.finish(&goldens.store, "job", 1_068_848_000).expect("written");
    let golden = goldens.same("item-table-2", &written);
    let table = ItemTable::open(&goldens.store, &golden).expect("loads");
    assert_eq!((table.rows(), table.shards(), table.as_of()), (3, 3, 1_068_848_000));
    assert_eq!([0, 1, 2].map(|row| table.id(row)), ["0", "42", "é"]);
    assert_eq!(["0", "42", "é", "1"].map(|id| table.row(id)), [Some(0), Some(1), Some(2), None]);
    assert_eq!([0, 1, 2].map(|shard| table.shard_rows(shard)), [0..2, 2..2, 2..3]);
    assert_eq!((table.ranks(), table.rows_by_rank()), (&[2, 0, 1][..], &[1, 2, 0][..]));
    assert_eq!(table.popularity(), [7, 9, 8]);
    let paths = [0, 1, 2].map(|row| table.category_path(table.category(row)));
    let paths = paths.map(Iterator::collect::<Vec<&str>>);
    assert_eq!(paths, [vec![], vec!["PRODUCE", "FRUIT"], vec!["PRODUCE", "FRUIT"]]);
}

#[test]
fn postings_and_norms() {
    let goldens = Goldens::new();
    let postings = PostingsBuf {
        offsets: vec![0, 2, 2, 3],
        candidates: vec![0, 1, 1],
        weights: vec![0.5, 0.25, 1.5],
        items: 2,
    };
    let written = write_postings(&goldens.store, "job", "p3-05", 5, &postings).expect("written");
    let golden = goldens.same("postings-1", &written);
    let opened = ShardPostings::open(&goldens.store, &golden, 5, 2, 3).expect("loads");
    let view = opened.view();
    assert_eq!(view.of(0), (&[0, 1][..], &[0.5, 0.25][..]));
    assert_eq!(view.of(1), (&[][..], &[][..]));
    assert_eq!(view.of(2), (&[1][..], &[1.5][..]));

    let written = write_norms(&goldens.store, "job", "p3", &[0.0, 1.5]).expect("written");
    let golden = goldens.same("norms-1", &written);
    assert_eq!(Norms::open(&goldens.store, &golden, 2).expect("loads").view(), [0.0, 1.5]);
}

#[test]
fn factors() {
    let goldens = Goldens::new();
    let numbers = [1.0, -2.0, 3.0, 4.5, 5.0, 6.0];
    let written = write_factor_part(&goldens.store, "job", "a", &numbers, 2).expect("written");
    let golden = goldens.same("factors-1", &written);
    assert_eq!(FactorPart::open(&goldens.store, &golden, 2).expect("loads").view(), numbers);

    let side = FactorSideParts {
        factors: &[&numbers[..2], &numbers[2..]],
        dimensions: 2,
        gramian: &[1.0, 0.5, 0.25, 2.0],
        covariance: &[0.5, 0.0, 0.125, 0.25],
    };
    let written = write_factor_side(&goldens.store, "job", "b", &side).expect("written");
    let golden = goldens.same("factor-side-1", &written);
    let opened = FactorSide::open(&goldens.store, &golden, 3).expect("loads");
    assert_eq!((opened.dimensions(), opened.factors()), (2, &numbers[..]));
    assert_eq!(opened.gramian(), [1.0, 0.5, 0.25, 2.0]);
    assert_eq!(opened.covariance(), [0.5, 0.0, 0.125, 0.25]);
}

#[test]
fn scores_and_repurchases() {
    let goldens = Goldens::new();
    let written = write_scores(&goldens.store, "job", "fresh", &[0.0, 2.5, -1.0]).expect("written");
    let golden = goldens.same("scores-1", &written);
    let scores = ItemScores::open(&goldens.store, &golden, 3).expect("loads");
    assert_eq!((scores.view(), scores.best()), (&[0.0, 2.5, -1.0][..], &[1][..]));

    let model = RepurchaseBuf {
        rates: vec![0.0, 0.1],
        again: vec![0.5, 0.9],
        interval_means: vec![-1.0, 3.0],
        interval_deviations: vec![0.25, 0.75],
        is_any_event: true,
    };
    let written = write_repurchase(&goldens.store, "job", "repurchase", &model).expect("written");
    let golden = goldens.same("repurchase-1", &written);
    let opened = RepurchaseModel::open(&goldens.store, &golden, 2).expect("loads");
    let view = opened.view();
    assert_eq!((view.rates, view.again), (&[0.0, 0.1][..], &[0.5, 0.9][..]));
    assert_eq!(view.interval_means, [-1.0, 3.0]);
    assert_eq!((view.interval_deviations, view.is_any_event), (&[0.25, 0.75][..], true));
}

#[test]
fn users_by_item_and_items_by_user() {
    let goldens = Goldens::new();
    let mut runs = [CsrBuf::new(true), CsrBuf::new(true)];
    runs[0].push_row(&mut [(0, 1.0), (4, 2.0)]);
    runs[1].push_row(&mut []);
    runs[1].push_row(&mut [(3, 0.5)]);
    let written = write_item_users(&goldens.store, "job", "05", 5, &runs).expect("written");
    let golden = goldens.same("columns-1", &written);
    let opened = ItemUsers::open(&goldens.store, &golden, 3).expect("loads");
    let view = opened.view();
    assert_eq!((view.rows(), view.width()), (3, 5));
    assert_eq!((view.columns(0), view.values(0)), (&[0, 4][..], Some(&[1.0, 2.0][..])));
    assert_eq!(
        (view.columns(1), view.columns(2), view.values(2)),
        (&[][..], &[3][..], Some(&[0.5][..]))
    );

    let mut all = CsrBuf::new(false);
    all.push_row(&mut [(1, 1.0)]);
    all.push_row(&mut [(0, 1.0), (2, 1.0)]);
    let rows = all.view(3).expect("sound");
    let written = write_user_rows(&goldens.store, "job", "06", rows, ["0", "käse"].into_iter());
    let golden = goldens.same("user-rows-1", &written.expect("written"));
    let opened = UserRows::open(&goldens.store, &golden, 3).expect("loads");
    assert_eq!((opened.id(0), opened.id(1)), ("0", "käse"));
    let view = opened.view();
    assert_eq!(
        (view.columns(0), view.columns(1), view.is_weighted()),
        (&[1][..], &[0, 2][..], false)
    );
}

#[test]
fn sequences() {
    let goldens = Goldens::new();
    let mut runs = [SequencesBuf::default(), SequencesBuf::default()];
    for (run, times) in runs.iter_mut().zip([[3, 9], [1, 1]]) {
        run.push(0, times[0], 5, 2.0);
        run.close_user();
        run.push(2, times[1], 7, -0.5);
        run.close_user();
    }
    let written = write_sequences(&goldens.store, "job", "05", 3, &runs).expect("written");
    let golden = goldens.same("sequences-1", &written);
    let opened = UserSequences::open(&goldens.store, &golden, 3).expect("loads");
    let view = opened.view();
    assert_eq!((view.users(), view.events()), (4, 4));
    let events = [0, 1, 2, 3].map(|user| {
        let history = view.of(user);
        (history.items[0], history.times[0], history.types[0], history.values[0])
    });
    assert_eq!(events, [(0, 3, 5, 2.0), (2, 9, 7, -0.5), (0, 1, 5, 2.0), (2, 1, 7, -0.5)]);
}

/// What the messages hold is proven by their own golden files.
#[test]
fn messages_and_records() {
    let goldens = Goldens::new();
    let share = |id: &str, share| LocationShare { location_id: id.to_owned(), share };
    let written = write_message(&goldens.store, "job", "pool", "00", &share("north", 0.25));
    let golden = goldens.same("message-1", &written.expect("written"));
    let read: LocationShare = read_message(&goldens.store, &golden).expect("loads");
    assert_eq!(read, share("north", 0.25));

    // By (slot, id).
    let ids = ["42", "käse", "é"];
    let mut writer = RecordsWriter::new(&goldens.store, "job", "results", "05").expect("begins");
    for (id, number) in ids.into_iter().zip([0.5_f32, 0.25, 0.125]) {
        writer.push(id, &share(id, number)).expect("written");
    }
    let golden = goldens.same("records-1", &writer.finish().expect("written"));
    let records = Records::open(&goldens.store, &golden).expect("loads");
    assert_eq!([0, 1, 2].map(|index| records.id(index)), ids);
    let decoded = records.decode::<LocationShare>(1).expect("decodes");
    assert_eq!((records.find("käse"), decoded), (Some(1), share("käse", 0.25)));
    assert_eq!((records.len(), records.find("1")), (3, None));
}
