//! Files of models give back what was written, and refuse what serving could not rely on.

use bytemuck::cast_slice;
use mercer_algorithms::{
    linalg::sparse::CsrBuf,
    recommend::{repurchase::RepurchaseBuf, sequences::SequencesBuf},
};
use mercer_common::artifact::{ArtifactRef, ArtifactStore};
use tempfile::TempDir;

use super::*;

struct Files {
    _folder: TempDir,
    store: ArtifactStore,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = ArtifactStore::open(folder.path()).expect("opens");
        Self { _folder: folder, store }
    }

    fn put(&self, name: &str, kind: &str, sections: &[&[u8]]) -> ArtifactRef {
        self.store.put("job", "phase", name, kind, sections).expect("written")
    }
}

#[test]
fn sequences_come_back_and_are_checked() {
    let Files { store, .. } = &Files::new();
    let mut runs = [SequencesBuf::default(), SequencesBuf::default()];
    for (run, times) in runs.iter_mut().zip([[3, 9], [1, 1]]) {
        run.push(0, times[0], 5, 2.0);
        run.close_user();
        run.push(2, times[1], 1, 0.0);
        run.close_user();
    }
    let written = write_sequences(store, "job", "a", 3, &runs).expect("written");
    let opened = UserSequences::open(store, &written, 3).expect("sound");
    let view = opened.view();
    assert_eq!((view.users(), view.events()), (4, 4));
    let last = view.of(3);
    assert_eq!(
        (last.items, last.times, last.types, last.values),
        (&[2][..], &[1][..], &[1][..], &[0.0][..])
    );
    assert!(UserSequences::open(store, &written, 2).is_err(), "of other items");
    runs[0].items[0] = 3;
    let written = write_sequences(store, "job", "b", 3, &runs).expect("written");
    assert!(UserSequences::open(store, &written, 3).is_err(), "an item beyond the table");
}

#[test]
fn columns_and_rows_of_users_come_back_and_are_checked() {
    let Files { store, .. } = &Files::new();
    let mut runs = [CsrBuf::new(true), CsrBuf::new(true)];
    runs[0].push_row(&mut [(0, 1.0), (4, 2.0)]);
    runs[1].push_row(&mut []);
    runs[1].push_row(&mut [(3, 0.5)]);
    let written = write_item_users(store, "job", "a", 5, &runs).expect("written");
    let opened = ItemUsers::open(store, &written, 3).expect("sound");
    let view = opened.view();
    assert_eq!((view.rows(), view.width(), view.entries()), (3, 5, 3));
    assert_eq!((view.columns(0), view.values(2)), (&[0, 4][..], Some(&[0.5][..])));
    assert!(ItemUsers::open(store, &written, 2).is_err(), "of other items");
    let narrow = write_item_users(store, "job", "b", 4, &runs).expect("written");
    assert!(ItemUsers::open(store, &narrow, 3).is_err(), "a user that does not exist");

    let rows = runs[0].view(5).expect("sound");
    let written = write_user_rows(store, "job", "c", rows, ["ünal"].into_iter()).expect("written");
    let opened = UserRows::open(store, &written, 5).expect("sound");
    assert_eq!((opened.id(0), opened.view().columns(0)), ("ünal", &[0, 4][..]));
    assert!(UserRows::open(store, &written, 6).is_err(), "of other items");
    assert!(ItemUsers::open(store, &written, 1).is_err(), "of another kind");
    let rows = runs[1].view(5).expect("sound");
    let fewer = write_user_rows(store, "job", "d", rows, ["a"].into_iter()).expect("written");
    assert!(UserRows::open(store, &fewer, 5).is_err(), "a user without an id");
}

#[test]
fn factors_come_back_and_are_checked() {
    let files = Files::new();
    let store = &files.store;
    let factors = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let written = write_factor_part(store, "job", "a", &factors, 2).expect("written");
    assert_eq!(FactorPart::open(store, &written, 2).expect("sound").view(), factors);
    assert!(FactorPart::open(store, &written, 3).is_err(), "of other dimensions");
    let written = write_factor_part(store, "job", "b", &[1.0, f32::NAN], 2).expect("written");
    assert!(FactorPart::open(store, &written, 2).is_err(), "not a number");
    let empty = write_factor_part(store, "job", "c", &[], 2).expect("written");
    assert!(FactorPart::open(store, &empty, 2).expect("sound").view().is_empty());

    let parts = [&factors[..2], &[], &factors[2..]];
    let (gramian, covariance) = ([1.0, 0.5, 0.5, 2.0], [0.5, 0.0, 0.0, 0.25]);
    let mut side = FactorSideParts {
        factors: &parts,
        dimensions: 2,
        gramian: &gramian,
        covariance: &covariance,
    };
    let written = write_factor_side(store, "job", "d", &side).expect("written");
    let opened = FactorSide::open(store, &written, 3).expect("sound");
    assert_eq!((opened.dimensions(), opened.factors()), (2, &factors[..]));
    assert_eq!((opened.gramian(), opened.covariance()), (&gramian[..], &covariance[..]));
    assert!(FactorSide::open(store, &written, 4).is_err(), "of other items");
    side.covariance = &covariance[1..];
    let written = write_factor_side(store, "job", "e", &side).expect("written");
    assert!(FactorSide::open(store, &written, 3).is_err(), "a part of the covariance");
    let huge = [3, u64::MAX];
    let huge =
        files.put("f", "factor-side-1", &[cast_slice(&huge), cast_slice(&factors), &[], &[]]);
    assert!(FactorSide::open(store, &huge, 3).is_err(), "dimensions that overflow");
}

#[test]
fn scores_by_item_come_back_and_are_checked() {
    let Files { store, .. } = &Files::new();
    let written = write_scores(store, "job", "a", &[0.0, 2.5]).expect("written");
    assert_eq!(ItemScores::open(store, &written, 2).expect("sound").view(), [0.0, 2.5]);
    assert!(ItemScores::open(store, &written, 3).is_err(), "of other items");
    let written = write_scores(store, "job", "b", &[f32::INFINITY]).expect("written");
    assert!(ItemScores::open(store, &written, 1).is_err(), "not finite");

    let sound = RepurchaseBuf {
        rates: vec![0.0, 0.1],
        again: vec![0.5, 0.9],
        interval_means: vec![-1.0, 3.0],
        interval_deviations: vec![0.5, 0.7],
        is_any_event: true,
    };
    let open = |name: &str, model: &RepurchaseBuf| {
        let written = write_repurchase(store, "job", name, model).expect("written");
        RepurchaseModel::open(store, &written, 2)
    };
    let opened = open("c", &sound).expect("sound");
    let view = opened.view();
    assert!(view.is_any_event);
    assert_eq!((view.rates, view.again), (&sound.rates[..], &sound.again[..]));
    assert_eq!(view.interval_means, sound.interval_means);
    assert_eq!(view.interval_deviations, sound.interval_deviations);
    let spoilt: [fn(&mut RepurchaseBuf); 5] = [
        |model| model.rates[0] = -0.1,
        |model| model.again[1] = 1.0,
        |model| model.interval_means[0] = f32::NAN,
        |model| model.interval_deviations[1] = 0.0,
        |model| model.again.truncate(1),
    ];
    for (number, spoil) in spoilt.into_iter().enumerate() {
        let mut model = sound.clone();
        spoil(&mut model);
        assert!(open(&format!("d{number}"), &model).is_err(), "case {number}");
    }
}
