//! Golden runs over tiny files.

use std::fs;

use tempfile::TempDir;

use super::*;

fn args(folder: &TempDir, content: &str) -> ForecastArgs {
    let path = folder.path().join("series.csv");
    fs::write(&path, content).expect("written");
    ForecastArgs {
        series: path,
        horizon: 2,
        season: 1,
        periods: Vec::new(),
        methods: vec!["naive".into(), "ses".into()],
        forecasts: Some(folder.path().join("forecasts.csv")),
        fill: None,
        threads: 1,
    }
}

#[test]
fn measures_what_was_held_out() {
    let folder = TempDir::new().expect("a folder");
    // Out of order, dates of any kind; `short` is too short; `b` never changes.
    let answer = evaluated_by(&args(
        &folder,
        "unique_id,ds,y\n\
         a,2026-01-03,30\na,2026-01-01,10\na,2026-01-02,20\na,2026-01-05,30\na,2026-01-04,50\n\
         b,1,5\nb,2,5\nb,3,5\nb,4,5\nshort,1,9\nshort,2,9\n",
    ))
    .expect("evaluated");
    assert_eq!(answer.series, 2);
    let [naive, ses] = &answer.results[..] else { panic!("two methods") };
    // Of `a` 30 is expected for 50 and 30: errors 20 and 0, within the history 10 and 10.
    let expected = [
        ("smape", naive.smape, 200.0 * 20.0 / 80.0 / 2.0 / 2.0),
        ("mase", naive.mase, 1.0),
        ("owa", naive.owa, 1.0),
        ("rmsse", naive.rmsse, 2.0_f64.sqrt()),
        ("wape", naive.wape, 20.0 / 90.0),
    ];
    for (name, found, expected) in expected {
        assert!((found - expected).abs() < 1e-12, "{name}: {found} {expected}");
    }
    assert_eq!((naive.flat, ses.flat), (1, 1));
    let forecasts = fs::read_to_string(folder.path().join("forecasts.csv")).expect("written");
    let lines: Vec<&str> = forecasts.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 2 * 2);
    assert_eq!(lines[..2], ["unique_id,ds,method,y_hat", "a,2026-01-04,naive,30"]);
}

/// Twenty days of ninety are missing: their number is told, and filling them in brings the season back
/// to where it was.
#[test]
fn missing_days_are_counted_and_filled_by_choice() {
    let folder = TempDir::new().expect("a folder");
    let whole = include_str!("../../../../tests/data/cases/series_whole.csv");
    let gap = include_str!("../../../../tests/data/cases/series_gap.csv");
    let measured = |content: &str, fill: Option<Fill>| {
        let methods = vec!["theta".into()];
        let args = ForecastArgs { horizon: 7, season: 7, methods, fill, ..args(&folder, content) };
        let answer = evaluated_by(&args).expect("evaluated");
        (answer.gaps, answer.results[0].smape)
    };
    let (none, best) = measured(whole, None);
    let (missing, consecutive) = measured(gap, None);
    let (filled, linear) = measured(gap, Some(Fill::Linear));
    assert_eq!((none, missing, filled), (0, 20, 20));
    assert!(best < linear && linear < 0.8 * consecutive, "{best} {linear} {consecutive}");
    let forecasts = fs::read_to_string(folder.path().join("forecasts.csv")).expect("written");
    assert_eq!(forecasts.lines().count(), 1 + 7);
    // Weeks, and months as a shop's reports have them.
    for (content, expected) in [
        ("unique_id,ds,y\na,2026-01-05,1\na,2026-01-12,2\na,2026-01-26,3\na,2026-02-02,4\n", 1),
        ("unique_id,ds,y\na,2026-01-01,1\na,2026-02-01,2\na,2026-05-01,3\na,2026-06-01,4\n", 2),
    ] {
        let args = ForecastArgs { horizon: 1, ..args(&folder, content) };
        assert_eq!(evaluated_by(&args).expect("evaluated").gaps, expected);
    }
}

#[test]
fn the_json_shape_is_stable() {
    let accuracy = Accuracy {
        contender: Contender::Auto,
        smape: 1.0,
        mase: 0.5,
        owa: 0.25,
        rmsse: 0.75,
        wape: 0.1,
        pinball: 0.2,
        coverage: 0.8,
        flat: 3,
        seconds: 1.5,
    };
    let answer = Answer { series: 1, results: vec![ResultRow::new(&accuracy)], gaps: 0 };
    assert_eq!(
        serde_json::to_string(&answer).expect("serializes"),
        r#"{"series":1,"results":[{"method":"auto","smape":1.0,"mase":0.5,"owa":0.25,"rmsse":0.75,"wape":0.1,"seconds":1.5,"pinball":0.2,"coverage":0.8,"flat":3}],"gaps":0}"#
    );
}

#[test]
fn names_what_cannot_be_used() {
    let folder = TempDir::new().expect("a folder");
    let error = |content: &str| {
        format!("{:#}", evaluated_by(&args(&folder, content)).expect_err("refused"))
    };
    assert!(error("unique_id,ds,y\na,1,x\n").contains("line 2: y `x`"));
    assert!(error("unique_id,ds,y\na,soon,1\n").contains("line 2: ds `soon`"));
    assert!(error("unique_id,ds,y\na,1,\n").contains("line 2: y is missing"));
    assert!(error("unique_id,ds,y\na,1,1\na,1,2\n").contains("`a` has two values at 1"));
    assert!(error("id,ds,y\n").contains("it has: id, ds, y"));
    assert!(error("unique_id,ds,y\na,1,1\n").contains("no series is longer"));
    let unknown = contenders(&["arima".into()]).expect_err("unknown").to_string();
    assert!(unknown.contains("`arima` is not a method") && unknown.contains("theta"), "{unknown}");
}
