//! `--set KEY=VALUE`: everything that training depends on.

use std::str::FromStr;

use anyhow::{Context as _, Result, anyhow, bail};
use mercer_algorithms::recommend::{
    content::ContentSpec,
    factors::DIMENSIONS,
    hybrid::{LearnOptions, ModelSpec},
};

/// Settings of training and learning.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) spec: ModelSpec,
    pub(super) learning: LearnOptions,
    pub(super) content: ContentSpec,
}

impl Settings {
    pub(super) fn new(neighbours: usize) -> Self {
        let mut settings = Self::default();
        settings.spec.neighbours = neighbours;
        settings
    }

    /// Applies `key=value`.
    pub(super) fn set(&mut self, setting: &str) -> Result<()> {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| anyhow!("--set {setting}: expected KEY=VALUE"))?;
        self.apply(key, value).with_context(|| format!("--set {setting}"))
    }

    fn apply(&mut self, key: &str, value: &str) -> Result<()> {
        let Self { spec, learning, content } = self;
        match key {
            "neighbours" => spec.neighbours = whole(value, 1, 1_000)?,
            "history" => spec.profile.history_cap = whole(value, 1, 2_000)?,
            "half-life-days" => spec.profile.half_life_days = number(value)?,
            "weighted" => spec.profile.weighted = parsed(value)?,
            "log-quantity" => spec.profile.log_quantity = parsed(value)?,
            "shrinkage" => spec.similarity.shrinkage = number(value)?,
            "alpha" => spec.similarity.alpha = number(value)?,
            "beta" => spec.similarity.beta = number(value)?,
            "asymmetry" => spec.similarity.asymmetry = number(value)?,
            "bm25-k1" => spec.similarity.bm25_k1 = number(value)?,
            "bm25-b" => spec.similarity.bm25_b = number(value)?,
            "transition-decay" => spec.transitions.decay = number(value)?,
            "transition-gap" => spec.transitions.max_gap = whole(value, 1, 2_000)?,
            "basket-support" => spec.baskets.min_support = parsed(value)?,
            "dimensions" => {
                spec.factors.dimensions = whole(value, *DIMENSIONS.start(), *DIMENSIONS.end())?;
            }
            "iterations" => spec.factors.iterations = parsed(value)?,
            "unobserved-weight" => spec.factors.unobserved_weight = number(value)?,
            "regularization" => spec.factors.regularization = number(value)?,
            "frequency-exponent" => spec.factors.frequency_exponent = number(value)?,
            "steps" => spec.factors.steps = parsed(value)?,
            "ease-regularization" => spec.ease.regularization = number(value)?,
            "exact-items" => spec.exact_items = parsed(value)?,
            "neighbourhood" => {
                let neighbourhood = whole(value, 1, 2_000)?;
                (spec.ease.neighbourhood, spec.slim.neighbourhood) = (neighbourhood, neighbourhood);
            }
            "slim-l1" => spec.slim.l1 = number(value)?,
            "slim-l2" => spec.slim.l2 = number(value)?,
            "user-neighbours" => spec.user_neighbours = whole(value, 1, 10_000)?,
            "fresh-half-life-days" => spec.trends.fresh_half_life_days = number(value)?,
            "trend-window-days" => spec.trends.window_days = number(value)?,
            "new-days" => spec.trends.new_days = number(value)?,
            "repurchase-half-life-days" => spec.repurchase.half_life_days = number(value)?,
            "repurchase-horizon-days" => spec.repurchase.horizon_days = number(value)?,
            "repurchase-due-exponent" => spec.repurchase.due_exponent = number(value)?,
            "content-min-items" => content.min_items = parsed(value)?,
            "content-max-share" => content.max_share = number(value)?,
            "content-attribute-weight" => content.attribute_weight = number(value)?,
            "learn-users" => learning.users = whole(value, 1, usize::MAX)?,
            "learn-events" => learning.events = parsed(value)?,
            "learn-length" => learning.length = whole(value, 1, 1_000)?,
            "seed" => {
                learning.seed = parsed(value)?;
                spec.factors.seed = learning.seed;
            }
            _ => bail!("there is no setting `{key}`; --help lists them"),
        }
        Ok(())
    }
}

fn parsed<T: FromStr>(value: &str) -> Result<T> {
    value.parse().map_err(|_| anyhow!("`{value}` is not a value that it can have"))
}

/// A number that is not below 0.
fn number(value: &str) -> Result<f64> {
    let number: f64 = parsed(value)?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { bail!("must be 0 or more") }
}

fn whole(value: &str, least: usize, most: usize) -> Result<usize> {
    let number = parsed(value)?;
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        bail!("must be between {least} and {most}")
    }
}
