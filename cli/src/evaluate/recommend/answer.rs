//! What is printed.

use std::collections::BTreeMap;

use mercer_algorithms::{
    recommend::{
        evaluate::{Evaluation, Group, Measures},
        hybrid::{Learned, MixSource},
        profile::Recency,
    },
    stats::bootstrap::Difference,
};
use serde::Serialize;

use crate::show::output;

/// The shape of `--output json`.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub(super) users: usize,
    pub(super) items: usize,
    pub(super) interactions: usize,
    pub(super) results: Vec<ResultRow>,
    /// Users with test items.
    pub(super) test_users: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hybrid: Option<Hybrid>,
}

#[derive(Debug, Serialize)]
pub(super) struct ResultRow {
    pub(super) algorithm: &'static str,
    pub(super) recall: ByLength,
    pub(super) ndcg: ByLength,
    pub(super) precision: ByLength,
    pub(super) hit_rate: ByLength,
    pub(super) coverage: ByLength,
    pub(super) train_seconds: f64,
    pub(super) score_seconds: f64,
    pub(super) gini: ByLength,
    pub(super) novelty: ByLength,
    pub(super) recency: RecencyRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ndcg_difference: Option<DifferenceRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) candidate_recall: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) by_activity: Vec<GroupRow>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) by_item_age: Vec<GroupRow>,
}

/// Measures by length of the list.
#[derive(Debug, Serialize)]
pub(super) struct ByLength(pub(super) BTreeMap<usize, f64>);

/// Algorithm and length that differences are taken from.
#[derive(Debug, Serialize)]
struct Compared {
    length: usize,
    algorithm: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct RecencyRow {
    pub(super) rank_half_life: f64,
    pub(super) age_half_life_days: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct DifferenceRow {
    mean: f64,
    standard_error: f64,
    low: f64,
    high: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct GroupRow {
    from: u64,
    to: u64,
    count: usize,
    recall: ByLength,
    #[serde(skip_serializing_if = "Option::is_none")]
    ndcg: Option<ByLength>,
}

#[derive(Debug, Serialize)]
struct Hybrid {
    method: &'static str,
    validation_users: usize,
    validation_ndcg: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_source_ndcg: Option<f64>,
    sources: Vec<SourceRow>,
    features: Vec<FeatureRow>,
}

#[derive(Debug, Serialize)]
struct SourceRow {
    algorithm: String,
    weight: f64,
    transform: &'static str,
    recency: RecencyRow,
}

#[derive(Debug, Serialize)]
struct FeatureRow {
    feature: &'static str,
    weight: f64,
}

impl From<Recency> for RecencyRow {
    fn from(recency: Recency) -> Self {
        let Recency { rank_half_life, age_half_life_days } = recency;
        Self { rank_half_life, age_half_life_days }
    }
}

impl RecencyRow {
    fn shown(&self) -> String {
        let part = |half_life: f64, unit: &str| match half_life {
            0.0 => String::new(),
            _ => format!("{half_life}{unit}"),
        };
        let parts = [part(self.rank_half_life, " visits"), part(self.age_half_life_days, " days")];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
    }
}

impl From<Difference> for DifferenceRow {
    fn from(difference: Difference) -> Self {
        let Difference { mean, standard_error, interval: (low, high) } = difference;
        Self { mean, standard_error, low, high }
    }
}

fn by(values: &[f64], at: &[usize]) -> ByLength {
    ByLength(at.iter().copied().zip(values.iter().copied()).collect())
}

impl ResultRow {
    fn new(measures: &Measures, at: &[usize]) -> Self {
        let by = |values: &[f64]| by(values, at);
        let group = |group: &Group| GroupRow {
            from: group.range.0,
            to: group.range.1,
            count: group.count,
            recall: by(&group.recall),
            ndcg: (!group.ndcg.is_empty()).then(|| by(&group.ndcg)),
        };
        Self {
            algorithm: measures.algorithm.name(),
            recall: by(&measures.recall),
            ndcg: by(&measures.ndcg),
            precision: by(&measures.precision),
            hit_rate: by(&measures.hit_rate),
            coverage: by(&measures.coverage),
            train_seconds: measures.train_seconds,
            score_seconds: measures.score_seconds,
            gini: by(&measures.gini),
            novelty: by(&measures.novelty),
            recency: measures.recency.into(),
            ndcg_difference: measures.difference.map(Into::into),
            candidate_recall: measures.candidate_recall,
            by_activity: measures.by_activity.iter().map(group).collect(),
            by_item_age: measures.by_item_age.iter().map(group).collect(),
        }
    }
}

impl SourceRow {
    fn new(source: &MixSource) -> Self {
        Self {
            algorithm: source.algorithm.clone(),
            weight: source.weight,
            transform: source.transform.name(),
            recency: source.recency.into(),
        }
    }
}

impl Hybrid {
    fn new(learned: &Learned) -> Self {
        Self {
            method: learned.method.name(),
            validation_users: learned.validation_users,
            validation_ndcg: learned.validation_ndcg,
            best_source: learned.best_source.map(|(algorithm, _)| algorithm.name()),
            best_source_ndcg: learned.best_source.map(|(_, ndcg)| ndcg),
            sources: learned.mix.sources.iter().map(SourceRow::new).collect(),
            features: (learned.mix.features.iter())
                .map(|known| FeatureRow { feature: known.feature.name(), weight: known.weight })
                .collect(),
        }
    }

    fn shown(&self) -> String {
        let sources = self.sources.iter().map(|source| {
            let weight = format!("{:.3}", source.weight);
            let transform = source.transform.to_owned();
            vec![source.algorithm.clone(), weight, transform, source.recency.shown()]
        });
        let features = self.features.iter().map(|known| {
            vec![known.feature.to_owned(), format!("{:.3}", known.weight), "".into(), "".into()]
        });
        let best = match (self.best_source, self.best_source_ndcg) {
            (Some(source), Some(ndcg)) => format!(", {source} alone {ndcg:.5}"),
            _ => String::new(),
        };
        format!(
            "hybrid: {}, ndcg {:.5} on held-out users{best}; {} users\n{}",
            self.method,
            self.validation_ndcg,
            output::count(self.validation_users as u64),
            output::table(
                &["source", ">weight", "transform", "half-life"],
                sources.chain(features)
            )
        )
    }
}

impl Answer {
    pub(super) fn new(evaluation: &Evaluation, at: &[usize]) -> Self {
        let learned = evaluation.learned.as_ref();
        let learned = learned.filter(|learned| !learned.mix.sources.is_empty());
        Self {
            users: evaluation.users,
            items: evaluation.items,
            interactions: evaluation.interactions,
            results: evaluation.results.iter().map(|row| ResultRow::new(row, at)).collect(),
            test_users: evaluation.test_users,
            compared: evaluation
                .compared
                .map(|(length, algorithm)| Compared { length, algorithm: algorithm.name() }),
            hybrid: learned.map(Hybrid::new),
        }
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{} users ({} with test items), {} items, {} training pairs\n{}",
            output::count(self.users as u64),
            output::count(self.test_users as u64),
            output::count(self.items as u64),
            output::count(self.interactions as u64),
            self.measures()
        );
        if let Some(compared) = &self.compared {
            text += "\n\n";
            text += &self.groups(compared);
        }
        if let Some(hybrid) = &self.hybrid {
            text += "\n\n";
            text += &hybrid.shown();
        }
        text
    }

    fn measures(&self) -> String {
        let compared = self.compared.as_ref();
        let difference = compared.map_or_else(String::new, |compared| {
            format!(">ndcg@{} - {} (95 %)", compared.length, compared.algorithm)
        });
        let headers = [
            "algorithm",
            ">k",
            ">recall",
            ">ndcg",
            ">precision",
            ">hit rate",
            ">coverage",
            ">gini",
            ">novelty",
            &difference,
            ">candidates",
            "half-life",
            ">train s",
            ">score s",
        ];
        let mut rows = Vec::new();
        for result in &self.results {
            for k in result.recall.0.keys() {
                let mut row = vec![result.algorithm.to_owned(), k.to_string()];
                let main = [&result.recall, &result.ndcg, &result.precision, &result.hit_rate];
                row.extend(main.map(|by| format!("{:.5}", by.0[k])));
                row.extend([&result.coverage, &result.gini].map(|by| format!("{:.3}", by.0[k])));
                row.push(format!("{:.2}", result.novelty.0[k]));
                let is_compared = compared.is_some_and(|compared| compared.length == *k);
                let difference = result.ndcg_difference.as_ref().filter(|_| is_compared);
                row.push(difference.map_or_else(String::new, |difference| {
                    let DifferenceRow { mean, low, high, .. } = difference;
                    format!("{mean:+.4} ({low:+.4} {high:+.4})")
                }));
                let candidates = result.candidate_recall.filter(|_| is_compared);
                row.push(candidates.map_or_else(String::new, |share| format!("{share:.3}")));
                row.push(result.recency.shown());
                row.push(format!("{:.2}", result.train_seconds));
                row.push(format!("{:.2}", result.score_seconds));
                rows.push(row);
            }
        }
        output::table(&headers, rows)
    }

    /// Recall of thirds of the users and of the items to be found.
    fn groups(&self, compared: &Compared) -> String {
        let Some(first) = self.results.first() else { return String::new() };
        let range = |group: &GroupRow, unit: &str| {
            format!(">{}-{} {unit} ({})", group.from, group.to, output::count(group.count as u64))
        };
        let mut headers = vec!["algorithm".to_owned()];
        headers.extend(first.by_activity.iter().map(|group| range(group, "events")));
        headers.extend(first.by_item_age.iter().map(|group| range(group, "days old")));
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let rows = self.results.iter().map(|result| {
            let groups = result.by_activity.iter().chain(&result.by_item_age);
            let recall = groups.map(|group| format!("{:.5}", group.recall.0[&compared.length]));
            [result.algorithm.to_owned()].into_iter().chain(recall).collect()
        });
        let title = format!(
            "recall@{} by length of the user's history and by age of the wanted item",
            compared.length
        );
        format!("{title}\n{}", output::table(&headers, rows))
    }
}
