//! Every step beyond the plain similarities, against one plain call of its algorithm over all users
//! in memory, for 1, 7 and 16 shards.

use std::fs;

use mercer_algorithms::{
    control::Unattended,
    linalg::sparse::Csr,
    recommend::{
        content::{self, ContentSpec, ItemText, TermsBuf},
        factors::{self, FactorMatrix},
        hybrid,
        linear::{SlimSpec, ease, slim},
        repurchase::{self, RepurchaseSpec},
        similarity::Neighbours,
        transitions::{BasketSpec, Baskets, TransitionSpec, Transitions},
        trends::{Trend, scores},
    },
};
use mercer_common::artifact::{ArtifactRef, ArtifactStore};
use mercer_proto::internal::{self, Phase};

use super::{
    Bench, artifacts,
    everything::{ITERATIONS, ORDERS, Trained, fresh_runner, rows, shop, step, train, whole_spec},
    shop::Job,
};
use crate::{
    artifact::{ItemUsers, UserSequences},
    domain::recommend::stages::{
        factors::{Factorization, spec as factor_spec},
        scores::trend_spec,
    },
    shard::ShardState,
    task::TrainingError,
    version::profile_spec,
};

/// All that is the same for any number of shards, in one value to compare.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<(String, Neighbours)>,
    factors: Vec<f32>,
    trends: Vec<Vec<f32>>,
    repurchase: Vec<Vec<f32>>,
    learned: internal::Learned,
}

fn outcome(job: &Job<'_>, store: &ArtifactStore, trained: &Trained) -> Outcome {
    let names = ["ials", "content", "ease", "slim"].into_iter().chain(ORDERS);
    let model = trained.repurchase.view();
    let columns = [model.rates, model.again, model.interval_means, model.interval_deviations];
    Outcome {
        rows: names.map(|name| (name.to_owned(), rows(job, store, name))).collect(),
        factors: trained.side.factors().to_vec(),
        trends: trained.trends.iter().map(|one| one.view().to_vec()).collect(),
        repurchase: columns.map(<[f32]>::to_vec).into(),
        learned: trained.learned.clone(),
    }
}

/// The same from plain calls over one shard's users.
fn plain(trained: &Trained, states: &[ShardState], spec: &internal::TrainingSpec) -> Outcome {
    let control = &Unattended;
    let Trained { table, matrix, sequences, .. } = trained;
    let (items, labels) = (table.rows(), table.rows_by_rank());
    let users: Vec<Csr<'_>> = matrix.iter().map(|part| part.view()).collect();
    let parts: Vec<_> = sequences.iter().map(UserSequences::view).collect();
    let profile = profile_spec(spec);
    let k = spec.top_k as usize;
    let linear = spec.linear.expect("given");

    let factor_spec = factor_spec(spec, Factorization::Implicit).expect("valid");
    let factors = factors::train(&factor_spec, &users, labels, control).expect("trains").items;
    let by_row = FactorMatrix::new(6, [factors.as_slice()]).expect("rows");
    let mut near = factors::nearest(&by_row, 0..items, 7, control).expect("found");
    near.targets.iter_mut().for_each(|target| *target = table.ranks()[*target as usize]);

    let mut terms = TermsBuf::default();
    let mut embeddings = Vec::new();
    for item in states.iter().flat_map(ShardState::items) {
        let path: Vec<&str> = item.category_path().iter().map(|level| &**level).collect();
        let attributes: Vec<(&str, &str)> =
            item.attributes().iter().map(|(name, value)| (&**name, &**value)).collect();
        terms.push(&ItemText {
            title: item.title(),
            description: item.description(),
            category_path: &path,
            brand: item.brand(),
            attributes: &attributes,
        });
        let embedding = Some(item.embedding()).filter(|numbers| numbers.len() == 3);
        embeddings.extend(embedding.unwrap_or(&[0.0; 3]));
    }
    let content_spec =
        ContentSpec { min_items: 1, max_share: 1.0, attribute_weight: 2.0, embedding_weight: 0.4 };
    let terms = [terms.view().expect("sound")];
    let matrix = content::matrix(&content_spec, &terms, labels, control).expect("found");
    let matrix = [matrix.view(items as usize).expect("sound")];
    let embeddings = FactorMatrix::new(3, [embeddings.as_slice()]).expect("rows");
    let alike = content::neighbours(
        &content_spec,
        &matrix,
        Some(&embeddings),
        labels,
        0..items,
        k,
        control,
    );

    let slim_spec = SlimSpec { l1: linear.slim_l1, l2: linear.slim_l2, neighbourhood: 8 };
    let steps = TransitionSpec { decay: 0.6, max_gap: 5 };
    let baskets = BasketSpec { min_support: 1 };
    let rows = [
        ("ials", Ok(near)),
        ("content", alike),
        ("ease", ease(linear.ease_regularization, &users, labels, k, control)),
        ("slim", slim(&slim_spec, &users, labels, 0..items, k, control)),
        (
            "item-transitions",
            Transitions::new(&steps, &parts, &profile, labels, control)
                .and_then(|visits| visits.neighbours(0..items, k, control)),
        ),
        (
            "bought-together",
            Baskets::new(&baskets, &parts, &profile, labels, control)
                .and_then(|baskets| baskets.neighbours(0..items, k, control)),
        ),
    ];
    let (count, as_of) = (items as usize, table.as_of());
    let trends = Trend::ALL.map(|trend| {
        scores(trend, &parts, count, as_of, &profile, &trend_spec(spec), control).expect("found")
    });
    let repurchases = RepurchaseSpec { half_life_days: 20.0, horizon_days: 5.0, due_exponent: 1.5 };
    let model = repurchase::fit(&parts, count, as_of, &profile, &repurchases, control);
    let model = model.expect("fits");
    Outcome {
        rows: rows
            .into_iter()
            .map(|(name, found)| (name.to_owned(), found.expect("found")))
            .collect(),
        factors,
        trends: trends.into(),
        repurchase: vec![model.rates, model.again, model.interval_means, model.interval_deviations],
        learned: trained.learned.clone(),
    }
}

#[tokio::test]
async fn every_step_equals_plain_calls_for_any_number_of_shards() {
    let shop = shop();
    let mut of_one_shard = None;
    for shards in [1, 7, 16] {
        let bench = Bench::new(2);
        let spec = whole_spec(shards);
        let states = shop.states(shards);
        let mut job = Job::new("job", spec.clone(), &bench.runner);
        train(&mut job, &states, &bench.store).await;
        let trained = Trained::open(&job, &bench.store);
        let found = outcome(&job, &bench.store, &trained);
        check_sequences(&trained, &states);
        check_columns(&trained, &states);
        check_learned(&found.learned);
        for (name, rows) in &found.rows {
            assert!(rows.targets.len() > 100, "{name} has neighbours");
        }
        match &of_one_shard {
            None => {
                assert_eq!(found, plain(&trained, &states, &spec));
                of_one_shard = Some(found);
            }
            Some(one) => assert_eq!(&found, one, "{shards} shards"),
        }
    }
}

/// Sequences are the windows of all users, over rows.
fn check_sequences(trained: &Trained, states: &[ShardState]) {
    assert_eq!(trained.sequences.len(), states.len());
    for (sequences, state) in trained.sequences.iter().zip(states) {
        let sequences = sequences.view();
        let users: Vec<_> = state.users().filter(|(_, user)| !user.window().is_empty()).collect();
        assert_eq!(sequences.users(), users.len());
        for (index, (_, user)) in users.into_iter().enumerate() {
            let history = sequences.of(index);
            let items = user
                .window()
                .iter()
                .map(|entry| trained.table.row(state.interner().id(entry.item)).expect("known"));
            assert_eq!(history.items, items.collect::<Vec<_>>());
            let times: Vec<u32> = user.window().iter().map(|entry| entry.time).collect();
            assert_eq!(history.times, times);
            let types: Vec<u8> =
                user.window().iter().map(|entry| entry.event_type() as u8).collect();
            assert_eq!(history.types, types);
            let values: Vec<f32> = user.window().iter().map(|entry| entry.value()).collect();
            assert_eq!(history.values, values);
        }
    }
}

/// Columns are the transpose of the encoded rows, and rows of users know whose they are.
fn check_columns(trained: &Trained, states: &[ShardState]) {
    let rows: Vec<Csr<'_>> = trained.matrix.iter().map(|part| part.view()).collect();
    let mut expected = vec![Vec::new(); trained.table.rows() as usize];
    let users = rows.iter().flat_map(|part| (0..part.rows()).map(|row| part.columns(row)));
    for (user, labels) in (0_u32..).zip(users) {
        for &label in labels {
            expected[trained.table.rows_by_rank()[label as usize] as usize].push(user);
        }
    }
    let columns = trained.columns.iter().map(ItemUsers::view);
    let found =
        columns.flat_map(|part| (0..part.rows()).map(move |item| part.columns(item).to_vec()));
    assert_eq!(found.collect::<Vec<_>>(), expected);

    for ((users, rows), state) in trained.users.iter().zip(rows).zip(states) {
        let view = users.view();
        assert_eq!(view.rows(), rows.rows());
        for user in 0..view.rows() {
            assert_eq!(view.columns(user), rows.columns(user));
            let window = state.user(users.id(user)).expect("known").window();
            for &label in view.columns(user) {
                let id = trained.table.id(trained.table.rows_by_rank()[label as usize]);
                assert!(window.iter().any(|entry| state.interner().id(entry.item) == id));
            }
        }
    }
}

/// Sources that were not trained have no part in the mix.
fn check_learned(learned: &internal::Learned) {
    let mix = learned.mix.as_ref().expect("a hybrid was trained");
    let names: Vec<&str> = mix.sources.iter().map(|source| source.algorithm.as_str()).collect();
    assert_eq!(names, ["ials", "item-transitions"]);
    assert!(hybrid::Method::parse(&mix.method).is_some());
    assert!(mix.validation_users > 0);
    let others: Vec<&str> =
        learned.recencies.iter().map(|recency| recency.algorithm.as_str()).collect();
    assert_eq!(others, ["ials", "item-transitions", "bought-together", "p3"]);
}

#[tokio::test]
async fn the_bytes_of_steps_do_not_depend_on_threads_or_on_what_was_lost() {
    let shop = shop();
    let states = shop.states(3);
    let bench = Bench::new(1);
    let mut job = Job::new("job", whole_spec(3), &bench.runner);
    train(&mut job, &states, &bench.store).await;
    let expected = artifacts(&bench.store, "job");

    let other = Bench::new(3);
    train(&mut Job::new("job", whole_spec(3), &other.runner), &states, &other.store).await;
    assert_eq!(artifacts(&other.store, "job"), expected);

    // In the midst of factorizing everything of one shard is lost with its worker.
    for artifact in bench.store.list().expect("lists") {
        if artifact.path.contains("-01-") && !artifact.path.contains("/cut/") {
            bench.store.remove(&artifact).expect("removed");
        }
    }
    let fresh = fresh_runner(&bench.store);
    train(&mut Job::new("job", whole_spec(3), &fresh), &states, &bench.store).await;
    assert_eq!(artifacts(&bench.store, "job"), expected);
}

#[tokio::test]
async fn a_damaged_input_of_a_step_is_named() {
    let shop = shop();
    let states = shop.states(2);
    let bench = Bench::new(1);
    let mut job = Job::new("job", whole_spec(2), &bench.runner);
    train(&mut job, &states, &bench.store).await;
    /// Phase, algorithm, and step or shard.
    type Place = (Phase, &'static str, u32);
    let cases: [(Place, Place); 8] = [
        ((Phase::Encode, "sequences", 0), (Phase::Rows, "item-transitions", 0)),
        ((Phase::Encode, "", 0), (Phase::Columns, "", 0)),
        ((Phase::Columns, "", 0), (Phase::Factors, "ials", 1)),
        ((Phase::Factors, "ials", 0), (Phase::Factors, "ials", 2)),
        ((Phase::Factors, "ials", 2 * ITERATIONS - 1), (Phase::Side, "ials", 0)),
        ((Phase::Side, "ials", 0), (Phase::Rows, "ials", 0)),
        ((Phase::Cut, "content", 0), (Phase::Statistics, "content", 0)),
        ((Phase::Statistics, "content", 0), (Phase::Rows, "content", 0)),
    ];
    for ((phase, algorithm, number), (of, reader, at)) in cases {
        let output = |phase: Phase, algorithm: &str, number: u32| -> ArtifactRef {
            let found = job.outputs.iter().find(|output| {
                (output.phase(), output.shard, output.step) == (phase, 0, number)
                    && output.algorithm == algorithm
            });
            found.and_then(|output| output.artifact.clone()).expect("the task has run")
        };
        let damaged = output(phase, algorithm, number);
        let file = bench.store.folder().join(&damaged.path);
        let sound = fs::read(&file).expect("readable");
        let mut bytes = sound.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // New files, as maps of the old ones may be in use.
        fs::remove_file(&file).expect("removes");
        fs::write(&file, bytes).expect("writes");
        let result = output(of, reader, at);
        bench.store.remove(&result).expect("removed");

        let store = ArtifactStore::open(bench.store.folder()).expect("opens");
        let fresh = fresh_runner(&store);
        let mut again = Job::new("job", whole_spec(2), &fresh);
        again.outputs.clone_from(&job.outputs);
        let error = step(&mut again, of, 0, reader, at).await.expect_err("damaged");
        assert!(matches!(&*error, TrainingError::Artifact(_)), "{error}");
        assert!(error.to_string().contains(&damaged.path), "{error}");

        fs::remove_file(&file).expect("removes");
        fs::write(&file, sound).expect("writes");
        step(&mut again, of, 0, reader, at).await.expect("sound again");
    }
}
