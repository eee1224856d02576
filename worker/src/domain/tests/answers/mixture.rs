//! A version that mixes a trained neighbourhood with made-up factors and scores, and what its
//! hybrid must answer, by plain loops.

use std::collections::BTreeSet;

use mercer_algorithms::recommend::hybrid::{Feature, ItemFacts, Mix, MixFeature, MixSource};
use mercer_common::manifest::part;
use mercer_proto::{
    internal::{
        self, FactorSpec, GetProfileResponse, Learned, LearnedMix, Model, SimilaritySpec,
        VersionManifest,
    },
    v1::{ItemStatus, RecommendRule, Source, recommend_rule::Action},
};

use super::{
    VERSION,
    reference::{self, Question},
};
use crate::{
    artifact::{
        FactorSideParts, ItemTable, write_factor_side, write_message, write_norms, write_scores,
    },
    domain::recommend::training::{
        Bench, neighbours,
        reference::Neighbours,
        shop::{Job, Random, Shop, spec, write_cuts},
    },
    version::OpenVersions,
};

const DIMENSIONS: usize = 3;

/// What the version holds, by item.
pub(super) struct Mixture {
    pub(super) manifest: VersionManifest,
    /// Ids by row.
    rows: Vec<String>,
    p3: Neighbours,
    factors: Vec<[f32; DIMENSIONS]>,
    fresh: Vec<f32>,
    mix: Mix,
}

fn mix() -> Mix {
    let source = |algorithm: &str, weight: f64, transform| MixSource {
        algorithm: algorithm.into(),
        weight,
        recency: Default::default(),
        transform,
    };
    use mercer_algorithms::recommend::hybrid::Transform::{Linear, Root};
    let feature = |feature, weight| MixFeature { feature, weight, mean: 1.5, deviation: 0.7 };
    Mix {
        sources: vec![
            source("p3", 1.0, Linear),
            source("ials", 0.5, Root),
            source("fresh", 0.125, Linear),
        ],
        features: vec![
            feature(Feature::LogPopularity, 0.1),
            feature(Feature::LogPrice, -0.05),
            feature(Feature::InStock, 0.07),
        ],
    }
}

fn learned(mix: &Mix) -> Learned {
    let sources = mix.sources.iter().map(|source| internal::MixSource {
        algorithm: source.algorithm.clone(),
        weight: source.weight,
        recency: None,
        transform: source.transform.name().into(),
    });
    let features = mix.features.iter().map(|feature| internal::MixFeature {
        feature: feature.feature.name().into(),
        weight: feature.weight,
        mean: feature.mean,
        deviation: feature.deviation,
    });
    let (sources, features) = (sources.collect(), features.collect());
    Learned {
        mix: Some(LearnedMix { sources, features, ..Default::default() }),
        ..Default::default()
    }
}

impl Mixture {
    pub(super) async fn new(shop: &Shop, shards: u16, bench: &Bench) -> Self {
        let job_id = format!("mixture-{shards}");
        write_cuts(&shop.states(shards), &job_id, &bench.store);
        let mut spec = spec(shards);
        spec.factors = Some(FactorSpec {
            dimensions: DIMENSIONS as u32,
            unobserved_weight: 0.1,
            regularization: 0.01,
            frequency_exponent: 1.0,
            ..FactorSpec::default()
        });
        spec.similarity = Some(SimilaritySpec { user_neighbours: 5, ..SimilaritySpec::default() });
        let mut job = Job::new(&job_id, spec, &bench.runner);
        job.run().await.expect("trains");
        let mut manifest = job.manifest(VERSION);
        let versions = OpenVersions::new(bench.store.clone(), bench.store.folder());
        versions.prepare(manifest.clone(), &(0..shards).collect::<Vec<_>>()).expect("opens");
        let open = versions.newest_models(VERSION).expect("open").expect("trained");
        let p3 = neighbours(&open, "p3", shards);
        let set = &mut manifest.model_sets[0];
        let table = ItemTable::open(&bench.store, set.item_table.as_ref().expect("has a table"));
        let table = table.expect("opens");
        let rows: Vec<String> = (0..table.rows()).map(|row| table.id(row).to_owned()).collect();

        // The same numbers for any number of shards: rows are.
        let mut random = Random::new(5);
        let mut number = |below: u64| random.below(below) as f32 / 8.0;
        let factors: Vec<[f32; DIMENSIONS]> =
            rows.iter().map(|_| [0.0; DIMENSIONS].map(|_: f32| number(17) - 1.0)).collect();
        let fresh: Vec<f32> = rows.iter().map(|_| (number(40) - 2.0).max(0.0)).collect();
        let norms: Vec<f32> = rows.iter().map(|_| 0.125 + number(9)).collect();
        let flat: Vec<f32> = factors.concat();
        let gramian: Vec<f64> = (0..DIMENSIONS * DIMENSIONS)
            .map(|at| {
                let (i, j) = (at / DIMENSIONS, at % DIMENSIONS);
                factors.iter().map(|row| f64::from(row[i] * row[j])).sum()
            })
            .collect();
        let side = FactorSideParts {
            factors: &[&flat],
            dimensions: DIMENSIONS,
            gramian: &gramian,
            covariance: &gramian.iter().map(|sum| sum / rows.len() as f64).collect::<Vec<_>>(),
        };
        let store = &bench.store;
        let norms = write_norms(store, &job_id, "p3", &norms).expect("writes");
        let side = write_factor_side(store, &job_id, "ials", &side).expect("writes");
        let fresh_ref = write_scores(store, &job_id, "fresh", &fresh).expect("writes");
        let mix = mix();
        let learned = write_message(store, &job_id, "learn", "0", &learned(&mix)).expect("writes");
        let near = set.models.iter().find(|model| model.algorithm == "item-cosine");
        let near = near.expect("trained").parts.clone();
        for model in &mut set.models {
            model.parts.push(part::new(part::NORMS, vec![norms.clone()]));
        }
        let model = |algorithm: &str, parts| Model {
            algorithm: algorithm.into(),
            parts,
            ..Model::default()
        };
        let side = part::new(part::SIDE, vec![side]);
        set.models.push(model("ials", [near, vec![side]].concat()));
        set.models.push(model("fresh", vec![part::new(part::SCORES, vec![fresh_ref])]));
        set.models.push(model("hybrid", Vec::new()));
        // As a job does.
        for model in &mut set.models {
            model.parts.push(part::new(part::LEARNED, vec![learned.clone()]));
        }
        Self { manifest, rows, p3, factors, fresh, mix }
    }

    /// What the sources say of an item, with their scales; and whether one makes it a candidate.
    fn raw(
        &self,
        near: &Neighbours,
        profile: &GetProfileResponse,
        row: usize,
    ) -> (Vec<f64>, Vec<f64>, bool) {
        let (mut raw, mut scales, mut named) = (Vec::new(), Vec::new(), false);
        let id = &self.rows[row];
        for query in &profile.sources {
            let pairs = query.rows.iter().zip(&query.weights);
            let of = |neighbours: &Neighbours, source: u32| {
                let of_source = neighbours.get(&self.rows[source as usize]);
                of_source.and_then(|found| found.get(id)).copied()
            };
            raw.push(match query.algorithm.as_str() {
                "p3" => pairs.fold(0.0, |sum, (&source, &weight)| match of(&self.p3, source) {
                    Some(similarity) => {
                        named = true;
                        sum + f64::from(weight) * similarity
                    }
                    None => sum,
                }),
                "ials" => {
                    named |= query.rows.iter().any(|&source| of(near, source).is_some());
                    named |= query.rows.contains(&u32::try_from(row).expect("few rows"));
                    let products = self.factors[row].iter().zip(&query.vector);
                    f64::from(products.map(|(left, right)| left * right).sum::<f32>())
                }
                _ => {
                    named |= self.fresh[row] > 0.0;
                    f64::from(self.fresh[row])
                }
            });
            scales.push(query.scale);
        }
        (raw, scales, named)
    }

    /// The results of the hybrid and of rules: (item, source, score), best first.
    pub(super) fn expected(
        &self,
        shop: &Shop,
        near: &Neighbours,
        profile: &GetProfileResponse,
        question: &Question,
        rules: &[RecommendRule],
        is_full_scan: bool,
    ) -> Vec<(String, Source, f64)> {
        let popularity = reference::popularity(shop);
        let mut found = Vec::new();
        for item in eligible(shop, question, rules) {
            let row = self.rows.iter().position(|id| *id == item);
            let catalogued = shop.items.iter().find(|one| one.id == item).expect("catalogued");
            let stock = &catalogued.stock;
            let facts = ItemFacts {
                popularity: popularity[&item],
                price: catalogued.fields.list_price_micros.map(|price| price as f64 / 1e6),
                in_stock: (!stock.is_empty()).then(|| stock.iter().any(|(_, units)| *units > 0.0)),
            };
            let mut score = row.and_then(|row| {
                let (raw, scales, named) = self.raw(near, profile, row);
                (named || is_full_scan).then(|| self.mix.score(&raw, &scales, &facts))
            });
            let matching = rules.iter().filter(|rule| {
                let filter = rule.filter.as_ref().expect("has one");
                reference::holds(filter, catalogued) == Some(true)
            });
            let mut least: Option<f64> = None;
            let magnitude = score.unwrap_or_default().abs();
            for rule in matching {
                match rule.action.expect("has one") {
                    Action::Exclude(_) => unreachable!("not eligible"),
                    Action::Include(value) => {
                        least = Some(least.map_or(value, |one| one.max(value)));
                    }
                    Action::Boost(share) => score = score.map(|one| one + share * magnitude),
                }
            }
            let source = match (score, least) {
                (None, None) => continue,
                (Some(score), Some(least)) if score >= least => Source::Algorithm,
                (_, Some(value)) => {
                    score = Some(value);
                    Source::Rule
                }
                (Some(_), None) => Source::Algorithm,
            };
            found.push((item, source, score.expect("one of both")));
        }
        reference::sort(&mut found, |one| (one.2, &one.0));
        found
    }
}

/// All items that may be recommended at all.
pub(super) fn eligible(
    shop: &Shop,
    question: &Question,
    rules: &[RecommendRule],
) -> BTreeSet<String> {
    let excluded = reference::excluded(shop, question);
    let admitted = shop.items.iter().filter(|item| {
        item.fields.status() == ItemStatus::Active
            && !excluded.contains(item.id.as_str())
            && question.filter.as_ref().is_none_or(|one| reference::holds(one, item) == Some(true))
            && !rules.iter().any(|rule| {
                let filter = rule.filter.as_ref().expect("has one");
                matches!(rule.action, Some(Action::Exclude(_)))
                    && reference::holds(filter, item) != Some(false)
            })
    });
    admitted.map(|item| item.id.clone()).collect()
}
