//! Golden runs over tiny files.

use std::fs;

use clap::Parser as _;
use mercer_proto::v1::EventType;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::demo::synthetic;

/// Two tastes: a, b, c and x, y, z.
const TRAIN: &str = "user_id,item_id,timestamp\n\
    1,a,2026-01-01\n1,b,2026-01-02\n1,c,2026-01-03\n\
    2,a,2026-01-01\n2,b,2026-01-02\n\
    3,x,2026-01-01\n3,y,2026-01-02\n3,z,2026-01-03\n\
    4,x,2026-01-01\n4,y,2026-01-01\n4,y,2026-01-02\n";
const TEST: &str = "user_id,item_id\n2,c\n4,z\n5,a\n";

fn args(folder: &TempDir, train: &str, test: &str) -> RecommendArgs {
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    };
    let predictions = folder.path().join("predictions.csv");
    let train = file("train.csv", train);
    let test = file("test.csv", test);
    let line = [
        "evaluate",
        "--train",
        train.to_str().expect("UTF-8"),
        "--test",
        test.to_str().expect("UTF-8"),
        "--algorithms",
        "p3,popular",
        "--at",
        "1,2",
        "--threads",
        "1",
        "--predictions",
        predictions.to_str().expect("UTF-8"),
    ];
    Parsed::parse_from(line).args
}

#[derive(clap::Parser)]
struct Parsed {
    #[command(flatten)]
    args: RecommendArgs,
}

fn evaluated(train: &str, test: &str, folder: &TempDir) -> Result<Answer> {
    evaluated_by(&args(folder, train, test))
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
    let folder = TempDir::new().expect("a folder");
    let answer = evaluated(TRAIN, TEST, &folder).expect("evaluated");
    let json = serde_json::to_value(&answer).expect("serializes");
    let numbers = ["users", "items", "interactions"].map(|name| json[name].is_u64());
    assert_eq!(numbers, [true; 3], "{json}");
    let results = json["results"].as_array().expect("results");
    assert_eq!(results[0]["algorithm"], json!("p3"));
    for result in results {
        for name in ["recall", "ndcg", "precision", "hit_rate", "coverage", "gini", "novelty"] {
            let by: Vec<&String> = result[name].as_object().expect("by length").keys().collect();
            assert_eq!(by, ["1", "2"], "{name} of {result}");
        }
        assert!(result["train_seconds"].is_f64() && result["score_seconds"].is_f64(), "{result}");
    }
    // The table is made of the same.
    let table = answer.table();
    assert!(table.contains("5 users (3 with test items), 6 items, 10 training pairs"), "{table}");
}

#[test]
fn holds_out_of_one_file_what_was_asked_for() {
    let folder = TempDir::new().expect("a folder");
    let evaluate = |split: &str, seen: Seen| {
        let mut args = args(&folder, TRAIN, TEST);
        args.test = None;
        args.split = Some(split.parse().expect("a split"));
        args.seen = seen;
        serde_json::to_value(evaluated_by(&args).expect("evaluated")).expect("serializes")
    };
    let last = evaluate("last-item", Seen::Exclude);
    // The last item of user 4 was known before.
    assert_eq!((&last["test_users"], &last["interactions"]), (&json!(3), &json!(7)), "{last}");
    let repeats = evaluate("last-item", Seen::Include);
    assert_eq!(repeats["test_users"], json!(4), "{repeats}");
    let time = evaluate("time:1", Seen::Exclude);
    assert_eq!((&time["test_users"], &time["interactions"]), (&json!(2), &json!(8)), "{time}");
    assert!("time:-1".parse::<HoldoutArg>().is_err());
    assert!("week".parse::<HoldoutArg>().is_err());
}

#[test]
fn types_say_what_counts() {
    let folder = TempDir::new().expect("a folder");
    let train = "user_id,item_id,type,value\n\
        1,a,purchase,2\n1,b,view,\n2,a,purchase,1\n2,c,purchase,1\n2,c,return,1\n3,b,purchase,1\n3,a,view,\n";
    let mut args = args(&folder, train, "user_id,item_id\n1,b\n");
    args.at = vec![2];
    let json: Value = serde_json::to_value(evaluated_by(&args).expect("evaluated")).expect("json");
    // What was only viewed may be recommended.
    assert_eq!(json["results"][0]["recall"]["2"], json!(1.0), "{json}");
    args.set = vec!["dimensions=0".into()];
    let error = format!("{:#}", evaluated_by(&args).expect_err("refused"));
    assert!(error.contains("must be between 1 and 512"), "{error}");
    args.set = vec!["speed=9".into()];
    let error = format!("{:#}", evaluated_by(&args).expect_err("refused"));
    assert!(error.contains("no setting `speed`"), "{error}");
}

#[test]
fn descriptions_and_prices_count() {
    let folder = TempDir::new().expect("a folder");
    let items = folder.path().join("items.csv");
    fs::write(
        &items,
        "item_id,title,category_1,price,in_stock,colour\n\
         a,green tea,tea,2.5,yes,green\nnew,green tea leaves,tea,3,yes,green\nx,steel pan,pans,40,no,grey\n\
         y,steel pot,pans,35,no,grey\n",
    )
    .expect("written");
    let mut args = args(&folder, "user_id,item_id\n1,a\n2,x\n", "user_id,item_id\n1,new\n2,y\n");
    args.items = Some(items);
    args.algorithms = vec!["content".into()];
    args.set = vec!["content-max-share=1".into()];
    let json: Value = serde_json::to_value(evaluated_by(&args).expect("evaluated")).expect("json");
    assert_eq!(json["results"][0]["recall"]["1"], json!(1.0), "{json}");
}

#[test]
fn candidates_hold_nearly_all_that_is_best_of_a_whole_shop() {
    let folder = TempDir::new().expect("a folder");
    let mut train = String::from("user_id,item_id,timestamp\n");
    for event in synthetic::shop(1).events {
        if event.r#type() == EventType::Purchase {
            let time = event.event_time.map_or(0, |time| time.seconds);
            train += &format!("{},{},{time}\n", event.user_id(), event.item_id);
        }
    }
    for seen in [Seen::Exclude, Seen::Include] {
        let mut args = args(&folder, &train, TEST);
        (args.test, args.seen, args.at) = (None, seen, vec![20]);
        args.split = Some("time:28".parse().expect("a split"));
        args.algorithms = vec!["ials".into(), "hybrid".into()];
        args.sources = ["p3", "ials", "repurchase"].map(String::from).to_vec();
        // A tenth of the items each, or candidates would be all there is.
        args.set = ["neighbours=24", "dimensions=32", "learn-users=300"].map(String::from).to_vec();
        args.predictions = None;
        let json = serde_json::to_value(evaluated_by(&args).expect("evaluated")).expect("json");
        for result in json["results"].as_array().expect("results") {
            let share = result["candidate_recall"].as_f64().expect("compared");
            assert!(share >= 0.98, "{result}");
        }
    }
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
    assert!(error("user_id,item_id\n").contains("at least one line to learn from"));
    assert!(error("user_id,item_id,type\n1,a,bought\n").contains("line 2: type must be one of"));
}
