use std::sync::Arc;

use mercer_common::{artifact::ArtifactStore, manifest::part};
use mercer_proto::internal::{
    DemandResult, KindResults, LocationShare, ModelSet, TrainingSpec, VersionManifest,
};

use super::{OpenVersions, VersionError};
use crate::{
    artifact::{RecordsWriter, write_message},
    domain::recommend::training::{
        Bench,
        shop::{Job, Shop, spec, write_cuts},
    },
};

fn store() -> (tempfile::TempDir, ArtifactStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = ArtifactStore::open(folder.path()).expect("opens");
    (folder, store)
}

fn without(results: &KindResults, part: &str) -> KindResults {
    let mut results = results.clone();
    results.parts.retain(|one| one.name != part);
    results
}

#[test]
fn a_version_of_results_alone_opens_and_keeps_what_others_share() {
    let (_folder, store) = store();
    let versions = OpenVersions::new(store.clone(), store.folder());
    let demand = |job: &str| {
        let mut writer = RecordsWriter::new(&store, job, "results", "00").expect("begins");
        let result = DemandResult { item_id: "item".into(), ..DemandResult::default() };
        writer.push("item", &result).expect("written");
        let pool = write_message(&store, job, "pool", "00", &LocationShare::default());
        let pool = pool.expect("written");
        KindResults {
            kind: "demand".into(),
            job_id: job.to_owned(),
            parts: vec![
                part::new(part::RESULTS, vec![writer.finish().expect("finished")]),
                part::new(part::POOL, vec![pool]),
            ],
            ..KindResults::default()
        }
    };
    let manifest = |version: &str, kinds: Vec<KindResults>| VersionManifest {
        version: version.to_owned(),
        kinds,
        ..VersionManifest::default()
    };
    let (old, new) = (demand("old"), demand("new"));
    let folder = |job: &str| store.folder().join(format!("results/{job}-demand"));

    versions.prepare(manifest("v1", vec![old.clone()]), &[0]).expect("opens");
    assert!(versions.newest_models("v1").expect("open").is_none(), "as before the first training");
    let open = versions.named("v1").expect("open").expect("named");
    let results = open.results_of(0).expect("loaded");
    assert!(results.demand("item").expect("reads").expect("trained").0.is_some());
    assert!(results.demand("other").expect("reads").expect("trained").0.is_none());
    assert!(results.elasticity("item").expect("reads").is_none());
    assert!(matches!(open.results_of(1), Err(VersionError::Gone { .. })), "not held then");
    versions.prepare(manifest("v2", vec![old.clone()]), &[0]).expect("shares");
    versions.prepare(manifest("v3", vec![new.clone()]), &[0]).expect("opens");
    versions.retire("v1");
    assert!(folder("old").exists(), "v2 needs it");
    versions.retire("v2");
    assert!(folder("old").exists(), "an answer under way reads it");
    drop(open);
    assert!(!folder("old").exists() && folder("new").exists());

    // At a start only what the present versions need is there afterwards.
    drop(versions);
    let versions = OpenVersions::new(store.clone(), store.folder());
    versions.replace(vec![manifest("v1", vec![old])], &[0]).expect("opens");
    assert!(folder("old").exists() && !folder("new").exists());

    for (kinds, told) in [
        (vec![], "no results"),
        (vec![without(&new, part::POOL)], "no pool of demand"),
        (vec![without(&new, part::RESULTS)], "no demand of shard 0"),
        (vec![KindResults { kind: "weather".into(), ..new }], "`weather` is no kind"),
    ] {
        let error = versions.prepare(manifest("v9", kinds), &[0]).expect_err("incomplete");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn versions_open_once_grow_with_the_shards_and_close() {
    let bench = Bench::new(1);
    write_cuts(&Shop::random(21, 10, 20, 100).states(3), "job", &bench.store);
    let mut job = Job::new("job", spec(3), &bench.runner);
    job.run().await.expect("trains");
    let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
    let named = |name: &str| {
        let models = versions.models(name, "p3");
        models.map(|models| models.expect("trained"))
    };

    versions.prepare(job.manifest("v1"), &[0]).expect("opens");
    let first = named("v1").expect("open");
    versions.prepare(job.manifest("v1"), &[0]).expect("is open");
    assert!(Arc::ptr_eq(&first, &named("v1").expect("open")));
    assert!(first.model("p3").expect("trained").postings(2).is_none());
    versions.prepare(job.manifest("v1"), &[0, 2]).expect("opens more");
    assert!(named("v1").expect("open").model("p3").expect("trained").postings(2).is_some());
    let missing = versions.models("v1", "popular").expect_err("not trained");
    assert!(matches!(missing, VersionError::NoAlgorithm { .. }));

    versions.replace(vec![job.manifest("v2")], &[0]).expect("opens");
    assert!(matches!(named("v1"), Err(VersionError::Gone { .. })));
    named("v2").expect("open");
    versions.retire("v2");
    versions.retire("v2");
    assert!(matches!(named("v2"), Err(VersionError::Gone { .. })));
    assert!(versions.named("").expect("before the first training").is_none());

    let mut incomplete = job.manifest("v3");
    incomplete.model_sets[0].models[0].parts[0].files.truncate(1);
    let refused = versions.prepare(incomplete, &[2]);
    assert!(matches!(refused, Err(VersionError::Manifest { .. })), "{refused:?}");
}

#[tokio::test]
async fn versions_share_what_a_job_trained_and_the_newest_serves() {
    let bench = Bench::new(1);
    let states = Shop::random(22, 10, 20, 100).states(2);
    let mut trained = Vec::new();
    for (job, algorithms) in [("old", vec!["item-cosine", "p3"]), ("new", vec!["p3"])] {
        write_cuts(&states, job, &bench.store);
        let algorithms = algorithms.into_iter().map(String::from).collect();
        let spec = TrainingSpec { algorithms, ..spec(2) };
        let mut job = Job::new(job, spec, &bench.runner);
        job.run().await.expect("trains");
        trained.extend(job.manifest("v").model_sets);
    }
    let [old, new] = <[_; 2]>::try_from(trained).expect("two sets");
    let manifest = |version: &str, model_sets: &[&ModelSet]| VersionManifest {
        version: version.to_owned(),
        model_sets: model_sets.iter().map(|&set| set.clone()).collect(),
        ..VersionManifest::default()
    };
    let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
    versions.prepare(manifest("v1", &[&old]), &[0, 1]).expect("opens");
    versions.prepare(manifest("v2", &[&new, &old]), &[0, 1]).expect("opens");
    let models = |version: &str, algorithm: &str| {
        versions.models(version, algorithm).expect("trained").expect("open")
    };
    let shared = models("v1", "item-cosine");
    assert!(Arc::ptr_eq(&shared, &models("v1", "p3")));
    assert!(Arc::ptr_eq(&shared, &models("v2", "item-cosine")), "opened once");
    assert!(!Arc::ptr_eq(&shared, &models("v2", "p3")), "the newest serves");
    let newest = versions.newest_models("v2").expect("open").expect("trained");
    assert!(Arc::ptr_eq(&newest, &models("v2", "p3")));
    // Back to the older version, after a start too.
    versions.retire("v2");
    assert!(Arc::ptr_eq(&shared, &models("v1", "p3")));
    versions.replace(vec![manifest("v2", &[&new, &old])], &[1]).expect("opens");
    assert!(models("v2", "item-cosine").model("p3").is_some(), "a set is whole");

    let mut wrong = new.clone();
    wrong.item_table = None;
    let refused = versions.prepare(manifest("v3", &[&wrong]), &[0]).expect_err("incomplete");
    assert!(refused.to_string().contains("no item table"), "{refused}");
}
