//! Golden runs over tiny files.

use std::fs;

use tempfile::TempDir;

use super::*;

/// Two tastes: a, b, c and x, y, z.
const TRAIN: &str = "user_id,item_id,timestamp\n\
    1,a,2026-01-01\n1,b,2026-01-02\n1,c,2026-01-03\n\
    2,a,2026-01-01\n2,b,2026-01-02\n\
    3,x,2026-01-01\n3,y,2026-01-02\n3,z,2026-01-03\n\
    4,x,2026-01-01\n4,y,2026-01-01\n4,y,2026-01-02\n";
const TEST: &str = "user_id,item_id\n2,c\n4,z\n5,a\n";

fn evaluated(train: &str, test: &str, folder: &TempDir) -> Result<Answer> {
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    };
    let args = RecommendArgs {
        train: file("train.csv", train),
        test: file("test.csv", test),
        algorithms: vec!["p3".into(), "popular".into()],
        at: vec![1, 2],
        neighbours: 100,
        predictions: Some(folder.path().join("predictions.csv")),
        threads: 1,
    };
    evaluated_by(&args)
}

#[test]
fn finds_what_users_did_next() {
    let folder = TempDir::new().expect("a folder");
    let answer = evaluated(TRAIN, TEST, &folder).expect("evaluated");
    assert_eq!((answer.users, answer.items, answer.interactions), (5, 6, 10));
    let [p3, popular] = &answer.results[..] else { panic!("two algorithms") };
    // Users 2 and 4 get their third item first; user 5 is unknown and counts as a miss.
    let two_of_three = 2.0 / 3.0;
    for (measure, expected) in [
        (&p3.recall, two_of_three),
        (&p3.ndcg, two_of_three),
        (&p3.precision, two_of_three),
        (&p3.hit_rate, two_of_three),
        (&p3.coverage, 2.0 / 6.0),
    ] {
        assert!((measure.0[&1] - expected).abs() < 1e-12, "{p3:?}");
    }
    assert!((p3.precision.0[&2] - 1.0 / 3.0).abs() < 1e-12, "{p3:?}");
    assert_eq!(popular.recall.0[&1], 0.0, "{popular:?}");
    let predictions = fs::read_to_string(folder.path().join("predictions.csv")).expect("written");
    let mut lines = predictions.lines();
    assert_eq!(lines.next(), Some("algorithm,user_id,item_id,rank,score"));
    assert!(lines.next().is_some_and(|line| line.starts_with("p3,2,c,1,")), "{predictions}");
}

#[test]
fn the_json_shape_is_stable() {
    let by = |value: f64| ByLength([(20, value)].into());
    let answer = Answer {
        users: 1,
        items: 2,
        interactions: 3,
        results: vec![ResultRow {
            algorithm: "p3",
            recall: by(0.5),
            ndcg: by(0.25),
            precision: by(0.1),
            hit_rate: by(1.0),
            coverage: by(0.75),
            train_seconds: 1.5,
            score_seconds: 2.5,
        }],
    };
    assert_eq!(
        serde_json::to_string(&answer).expect("serializes"),
        r#"{"users":1,"items":2,"interactions":3,"results":[{"algorithm":"p3","recall":{"20":0.5},"ndcg":{"20":0.25},"precision":{"20":0.1},"hit_rate":{"20":1.0},"coverage":{"20":0.75},"train_seconds":1.5,"score_seconds":2.5}]}"#
    );
}

#[test]
fn names_the_line_that_cannot_be_read() {
    let folder = TempDir::new().expect("a folder");
    let error =
        |train: &str| format!("{:#}", evaluated(train, TEST, &folder).expect_err("refused"));
    assert!(error("user_id,item_id,value\n1,a,1\n1,b,x\n").contains("line 3: value `x`"));
    assert!(error("user_id,item_id,timestamp\n1,a,soon\n").contains("line 2: timestamp `soon`"));
    assert!(error("user_id,item_id\n,a\n").contains("line 2: user_id is missing"));
    assert!(error("user,item\n1,a\n").contains("it has: user, item"));
    assert!(error("user_id,item_id\n").contains("at least one pair"));
}
