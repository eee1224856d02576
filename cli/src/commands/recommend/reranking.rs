//! Goals beside relevance, as people type them.

use mercer_proto::v1::Reranking;

/// What to order by beside relevance.
#[derive(Debug, clap::Args)]
pub(super) struct RerankingArgs {
    /// Goals and what they count for: margin, stock, overstock, diversity.
    #[arg(long, value_name = "GOAL=WEIGHT,...", value_delimiter = ',', num_args = 1.., value_parser = goal)]
    rerank: Vec<(Goal, f64)>,
    /// Share of relevance that reordering may give up, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share, requires = "rerank")]
    max_relevance_loss: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Margin,
    Stock,
    Overstock,
    Diversity,
}

impl RerankingArgs {
    /// Nothing when no goal is named.
    pub(super) fn message(&self) -> Option<Reranking> {
        if self.rerank.is_empty() {
            return None;
        }
        let max_relevance_loss = self.max_relevance_loss;
        let mut message = Reranking { max_relevance_loss, ..Reranking::default() };
        for &(goal, weight) in &self.rerank {
            let field = match goal {
                Goal::Margin => &mut message.margin,
                Goal::Stock => &mut message.stock,
                Goal::Overstock => &mut message.overstock,
                Goal::Diversity => &mut message.diversity,
            };
            *field = weight;
        }
        Some(message)
    }
}

fn goal(text: &str) -> Result<(Goal, f64), String> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    let goal = match name {
        "margin" => Goal::Margin,
        "stock" => Goal::Stock,
        "overstock" => Goal::Overstock,
        "diversity" => Goal::Diversity,
        _ => return Err(format!("`{name}` is not margin, stock, overstock or diversity")),
    };
    let weight = weight.parse().ok().filter(|weight: &f64| weight.is_finite() && *weight >= 0.0);
    weight
        .map(|weight| (goal, weight))
        .ok_or_else(|| format!("`{text}` has no weight of 0 or more"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is not a share from 0 to 1"))
}
