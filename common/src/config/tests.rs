use figment::Jail;
use serde_json::json;

use super::*;

/// The outcome of loading `toml` below variables and flags.
#[expect(clippy::result_large_err, reason = "the error is figment's")]
fn load(
    toml: &str,
    variables: &[(&str, &str)],
    flags: serde_json::Value,
) -> Result<Config, ConfigError> {
    let mut loaded = None;
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file("mercer.toml", toml)?;
        for (name, value) in variables {
            jail.set_env(name, value);
        }
        loaded = Some(Config::load(Some(Path::new("mercer.toml")), flags));
        Ok(())
    });
    loaded.expect("loaded")
}

#[test]
fn later_layers_win() {
    let toml =
        "[cluster]\nshards = 8\nworkers = 2\ncurrency = 'EUR'\n[recommend.weights]\nreturn = -1";
    let config = load(toml, &[], json!({})).expect("valid");
    assert_eq!((config.cluster.shards, config.cluster.currency.as_str()), (8, "EUR"));
    let weights = config.recommend.weights.by_type();
    assert_eq!(weights, [0.0, 1.0, 1.0, 3.0, 3.0, 5.0, -1.0, 1.0]);
    assert_eq!(config.training, TrainingConfig::default());

    let variables = [
        ("MERCER_CLUSTER__SHARDS", "12"),
        ("MERCER_CLUSTER__WORKERS", "3"),
        ("MERCER_WORKER__DATA_DIR", "/data/w"),
        ("MERCER_WORKER__FREE_BYTES_FLOOR", "0"),
        ("MERCER_LOG", "debug"),
        ("OTHER_CLUSTER__SHARDS", "13"),
    ];
    let config = load(toml, &variables, json!({ "cluster": { "workers": 4 } })).expect("valid");
    assert_eq!((config.cluster.shards, config.cluster.workers), (12, 4));
    assert_eq!(config.worker.data_dir, Path::new("/data/w"));
    let floors = [config.coordinator.free_bytes_floor, config.worker.free_bytes_floor];
    assert_eq!(floors, [FreeBytesFloor::Auto, FreeBytesFloor::Bytes(0)]);
}

#[test]
fn unknown_keys_and_wrong_types_are_named() {
    for (toml, expected) in [
        ("[cluster]\nshard = 8", "cluster.shard "),
        ("[clusters]\nshards = 8", "clusters "),
        ("[recommend.weights]\nclicks = 8", "recommend.weights.clicks "),
        ("[cluster]\nshards = 'many'", "cluster.shards"),
        ("[cluster]\nshards = -1", "cluster.shards"),
        ("[recommend]\nmatrix = 'dense'", "recommend.matrix"),
        ("[worker]\nfree_bytes_floor = 'some'", "worker.free_bytes_floor"),
        ("[worker]\nfree_bytes_floor = -1", "worker.free_bytes_floor"),
        ("[cluster", "mercer.toml"),
    ] {
        let error = load(toml, &[], json!({})).expect_err("refused").to_string();
        assert!(error.contains(expected) && error.contains("mercer.toml"), "{error}");
    }
    let error = load("[training]\nkeep = 1", &[], json!({})).expect_err("refused").to_string();
    let says = "mercer.toml: training.keep is not a key; there are keep_versions, task_attempts";
    assert!(error.ends_with(says), "{error}");
    let error = load("", &[("MERCER_CLUSTER__SHARD", "8")], json!({})).expect_err("refused");
    assert!(error.to_string().contains("cluster.shard "), "{error}");
    let error = Config::load(Some(Path::new("missing.toml")), json!({})).expect_err("refused");
    assert!(error.to_string().contains("missing.toml"), "{error}");
}

#[test]
fn values_out_of_range_are_named() {
    for (key, values) in [
        ("cluster.shards", vec!["0", "65"]),
        ("cluster.workers", vec!["0", "17"]),
        ("cluster.currency", vec!["''", "'usd'", "'DOLLAR'"]),
        ("cluster.time_zone", vec!["'Mars/Olympus'"]),
        ("worker.id", vec!["''", "'a b'", "'../x'", "'ä'"]),
        ("artifacts.url", vec!["'s3://bucket'", "'file://'"]),
        ("recommend.history_cap", vec!["0", "2_001"]),
        ("recommend.top_k", vec!["0", "1_001"]),
        ("recommend.half_life_days", vec!["-1.0", "nan", "inf"]),
        ("recommend.similarity.alpha", vec!["0.0", "nan"]),
        ("recommend.factors.dimensions", vec!["0", "513"]),
        ("recommend.linear.ease_regularization", vec!["0.0"]),
        ("recommend.transitions.decay", vec!["1.1"]),
        ("recommend.content.max_share", vec!["0.0", "1.01"]),
        ("recommend.trends.window_days", vec!["0.0"]),
        ("recommend.learn.length", vec!["0", "1_001"]),
        ("recommend.learn.sources", vec!["[]"]),
        ("coordinator.worker_timeout_seconds", vec!["0.0", "nan", "1e6"]),
        ("worker.snapshot_seconds", vec!["-1.0"]),
        ("worker.snapshot_records", vec!["0"]),
        ("training.keep_versions", vec!["0"]),
        ("admission.default_deadline_seconds", vec!["0.0", "inf"]),
        ("admission.concurrency", vec!["0"]),
        ("admission.ingest_bytes", vec!["1000"]),
    ] {
        let (table, name) = key.rsplit_once('.').expect("a table and a name");
        for value in values {
            let error = load(&format!("[{table}]\n{name} = {value}"), &[], json!({}));
            let error = error.expect_err(value);
            assert!(matches!(error, ConfigError::Invalid { key: found, .. } if found == key));
            assert!(error.to_string().starts_with(key), "{error}");
        }
    }
    Config::default().check().expect("the defaults are valid");
}
