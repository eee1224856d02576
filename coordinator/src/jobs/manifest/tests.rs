use mercer_common::{config::Config, limits, metadata::Metadata as _};
use mercer_proto::internal::{FactorSpec, Phase, TaskCounts, TaskInput, TrainingSpec};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{data_folder, jobs::algorithms};

/// A job of two shards that is done with `algorithms` and `kinds`.
fn job(number: u32, algorithms: &[&str], kinds: &[&str]) -> JobRecord {
    done(number, algorithms, kinds, 2)
}

fn done(number: u32, algorithms: &[&str], kinds: &[&str], shard_count: u32) -> JobRecord {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut record = JobRecord {
        job_id: format!("job-{number:06}"),
        version: format!("v{number}"),
        spec: Some(TrainingSpec {
            algorithms: names(algorithms),
            kinds: names(kinds),
            shard_count,
            factors: Some(FactorSpec { iterations: 1, ..FactorSpec::default() }),
            ..TrainingSpec::default()
        }),
        counts: Some(TaskCounts {
            users: u64::from(number),
            items: u64::from(number) * 10,
            interactions: 7,
            as_of: number * 100,
            sale_days: 3,
        }),
        ..JobRecord::default()
    };
    let spec = record.spec.clone().expect("set");
    let graph = phase::graph(&spec).expect("declared");
    while record.phase() != Phase::Publish {
        record.set_phase(phase::next(record.phase(), &graph));
        // Whatever comes first.
        for task in phase::open(&record, &graph).tasks.into_iter().rev() {
            let name = format!("{}-{:02}-0123456789abcdef", task.name, task.shard);
            let path = format!("jobs/{}/{}/{name}", record.job_id, task.phase);
            record.outputs.push(TaskInput {
                phase: phase::number(task.phase).into(),
                shard: task.shard,
                algorithm: task.name.to_owned(),
                step: task.step,
                artifact: Some(ArtifactRef { path, bytes: u64::MAX }),
            });
        }
    }
    record
}

/// Kinds with the job they are from.
fn sources(manifest: &VersionManifest) -> Vec<(&str, &str)> {
    manifest.kinds.iter().map(|kind| (kind.kind.as_str(), kind.job_id.as_str())).collect()
}

#[test]
fn what_a_job_did_not_train_is_carried_over() {
    let first = compose(&job(1, &[], &["demand", "inventory"]), None, 5).expect("complete");
    assert_eq!((first.version.as_str(), first.create_time_ms), ("v1", 5));
    assert_eq!(first.model_sets, []);
    assert_eq!(sources(&first), [("demand", "job-000001"), ("inventory", "job-000001")]);
    let results = part::files(&first.kinds[1].parts, part::RESULTS);
    let paths: Vec<&str> = results.iter().map(|one| one.path.as_str()).collect();
    let policies = |shard| format!("jobs/job-000001/policies/inventory-{shard}-0123456789abcdef");
    assert_eq!(paths, [policies("00"), policies("01")]);
    let has_pool = |kind: usize| part::file(&first.kinds[kind].parts, part::POOL).is_some();
    assert_eq!([has_pool(0), has_pool(1)], [true, false]);

    let second = compose(&job(2, &["p3"], &[]), Some(&first), 6).expect("complete");
    let [set] = &second.model_sets[..] else { panic!("{second:?}") };
    assert_eq!((set.users, set.items, set.as_of), (2, 20, 200));
    let folder = "jobs/job-000002";
    assert!(set.item_table.as_ref().is_some_and(|table| table.path.starts_with(folder)));
    let path = format!("{folder}/postings/p3-01-0123456789abcdef");
    assert_eq!(part::files(&set.models[0].parts, part::POSTINGS)[1].path, path);
    assert_eq!(second.kinds, first.kinds);

    let third = compose(&job(3, &[], &["elasticity", "demand"]), Some(&second), 7);
    let third = third.expect("complete");
    assert_eq!((third.version.as_str(), third.job_id.as_str()), ("v3", "job-000003"));
    assert_eq!(third.model_sets, second.model_sets);
    let expected =
        [("demand", "job-000003"), ("elasticity", "job-000003"), ("inventory", "job-000001")];
    assert_eq!(sources(&third), expected);
    assert_eq!((third.kinds[0].as_of, third.kinds[2].as_of), (300, 100));
}

#[test]
fn models_stay_while_they_serve_and_hybrids_keep_theirs() {
    let mut current = None;
    let mut sets = |number, algorithms: &[&str]| {
        let manifest = compose(&job(number, algorithms, &[]), current.as_ref(), 5);
        let manifest = current.insert(manifest.expect("complete"));
        let names = manifest.model_sets.iter().map(|set| {
            let models: Vec<&str> = set.models.iter().map(|one| one.algorithm.as_str()).collect();
            format!("{}: {}", set.job_id.trim_start_matches("job-0000"), models.join(" "))
        });
        names.collect::<Vec<_>>().join("; ")
    };
    assert_eq!(sets(1, &["item-cosine", "p3"]), "01: item-cosine p3");
    // Training one algorithm leaves the others as they are.
    assert_eq!(sets(2, &["p3"]), "02: p3; 01: item-cosine p3");
    // A set that serves nothing any more is let go of.
    assert_eq!(sets(3, &["p3"]), "03: p3; 01: item-cosine p3");
    assert_eq!(sets(4, &["item-cosine"]), "04: item-cosine; 03: p3");
    // A hybrid reads the other models of its set.
    assert_eq!(sets(5, &["hybrid", "p3"]), "05: hybrid p3; 04: item-cosine");
    assert_eq!(sets(6, &["p3"]), "06: p3; 05: hybrid p3; 04: item-cosine");
    assert_eq!(sets(7, &["hybrid", "p3"]), "07: hybrid p3; 04: item-cosine");
}

#[test]
fn an_output_that_is_missing_is_named() {
    let mut record = job(1, &["p3"], &["demand"]);
    record.outputs.retain(|one| one.phase() != Phase::Pool);
    let missing = compose(&record, None, 5).expect_err("incomplete").to_string();
    assert_eq!(missing, "pool of `demand`, shard 0, is missing in the job");
}

#[test]
fn models_have_the_files_of_their_families() {
    let names: Vec<&str> = algorithms().collect();
    let manifest = compose(&job(1, &names, &[]), None, 5).expect("complete");
    let [set] = &manifest.model_sets[..] else { panic!("{manifest:?}") };
    let files = |algorithm: &str| {
        let model = mercer_common::manifest::model(set, algorithm).expect("trained");
        let Some((learned, parts)) = model.parts.split_last() else { panic!("{model:?}") };
        assert_eq!(learned.name, part::LEARNED, "the hybrid was trained");
        let parts = parts.iter().map(|part| format!("{} {}", part.name, part.files.len()));
        parts.collect::<Vec<_>>().join(", ")
    };
    for algorithm in ["p3", "ease", "content", "bought-together"] {
        assert_eq!(files(algorithm), "postings 2, norms 1");
    }
    assert_eq!(files("ials"), "postings 2, side 1");
    assert_eq!(files("user-cosine"), "columns 2, rows 2");
    assert_eq!(files("repurchase"), "scores 1");
    assert_eq!(files("hybrid"), "");
}

#[tokio::test]
async fn the_record_of_the_largest_job_fits_metadata() {
    let names: Vec<&str> = algorithms().collect();
    let kinds = ["demand", "elasticity", "inventory"];
    let record = done(999_999, &names, &kinds, u32::from(limits::SHARDS));
    let manifest = compose(&record, None, 0).expect("complete");
    // Twice, for the hybrid of the older job keeps all of its models.
    let newer = done(999_998, &names[..names.len() - 1], &kinds, u32::from(limits::SHARDS));
    let manifest = compose(&newer, Some(&manifest), 0).expect("complete");
    assert_eq!(manifest.model_sets.len(), 2);
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::default();
    config.coordinator.data_dir = folder.path().to_owned();
    let stop = CancellationToken::new();
    let (_log, metadata) = data_folder::open(&config, stop).expect("opens");
    for (key, value) in [("job", record.encode_to_vec()), ("version", manifest.encode_to_vec())] {
        let bytes = value.len();
        let stored = metadata.compare_and_set(key, None, Some(value.into())).await;
        assert!(stored.is_ok(), "{key}: {bytes} bytes: {stored:?}");
    }
}
