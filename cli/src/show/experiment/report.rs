//! Reports of experiments as people and programs read them.

use mercer_common::escape;
use mercer_proto::v1::{
    ArmReport, ExplorationReport, Interval, Outcome, OutcomeReport, PolicyEstimate, ReportResponse,
    policy_estimate::Policy,
};
use serde::Serialize;

use super::ExperimentRow;
use crate::show::output;

/// Probability of the split of users below which users of an arm were lost.
const SUSPICIOUS: f64 = 1e-3;

#[derive(Debug, Serialize)]
pub(crate) struct ReportAnswer {
    experiment: ExperimentRow,
    confidence: f64,
    sample_ratio_probability: f64,
    arms: Vec<ArmAnswer>,
    token: String,
}

#[derive(Debug, Serialize)]
struct ArmAnswer {
    arm_id: String,
    users: u64,
    exposures: u64,
    outcomes: Vec<OutcomeAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exploration: Option<ExplorationAnswer>,
}

#[derive(Debug, Serialize)]
struct OutcomeAnswer {
    outcome: &'static str,
    count: u64,
    users: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_rate: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_rate_difference: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_difference: Option<Range>,
}

#[derive(Debug, Serialize)]
struct ExplorationAnswer {
    greedy_exposures: u64,
    explored_exposures: u64,
    estimates: Vec<EstimateAnswer>,
}

#[derive(Debug, Serialize)]
struct EstimateAnswer {
    policy: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ips: Option<Range>,
    ips_standard_error: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    snips: Option<Range>,
    snips_standard_error: f64,
    effective_exposures: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Range {
    estimate: f64,
    low: f64,
    high: f64,
}

impl From<Interval> for Range {
    fn from(Interval { estimate, low, high }: Interval) -> Self {
        Self { estimate, low, high }
    }
}

impl Range {
    /// Writes the range in percent, such as `8.1 (7.0 to 9.3)`.
    fn percent(self) -> String {
        let [estimate, low, high] = [self.estimate, self.low, self.high].map(|one| one * 100.0);
        format!("{estimate:.2} ({low:.2} to {high:.2})")
    }

    /// A difference in percentage points; a star where the interval excludes 0.
    fn points(self) -> String {
        let [estimate, low, high] = [self.estimate, self.low, self.high].map(|one| one * 100.0);
        let star = if low > 0.0 || high < 0.0 { "*" } else { "" };
        format!("{estimate:+.2} ({low:+.2} to {high:+.2}){star}")
    }

    fn plain(self) -> String {
        format!("{:.4} ({:.4} to {:.4})", self.estimate, self.low, self.high)
    }
}

impl ReportAnswer {
    pub(crate) fn new(response: ReportResponse) -> Self {
        Self {
            experiment: ExperimentRow::new(&response.experiment.unwrap_or_default()),
            confidence: response.confidence,
            sample_ratio_probability: response.sample_ratio_probability,
            arms: response.arms.into_iter().map(ArmAnswer::new).collect(),
            token: response.token,
        }
    }

    pub(crate) fn table(&self) -> String {
        let rows = self.arms.iter().flat_map(|arm| {
            arm.outcomes.iter().enumerate().map(move |(index, outcome)| {
                let once = |text: String| if index == 0 { text } else { String::new() };
                let or = |range: Option<Range>, show: fn(Range) -> String| {
                    range.map(show).unwrap_or_default()
                };
                vec![
                    once(arm.arm_id.clone()),
                    once(output::count(arm.users)),
                    once(output::count(arm.exposures)),
                    outcome.outcome.to_owned(),
                    output::count(outcome.count),
                    output::count(outcome.users),
                    or(outcome.user_rate, Range::percent),
                    or(outcome.user_rate_difference, Range::points),
                    or(outcome.mean, Range::plain),
                ]
            })
        });
        let mut text = output::table(
            &[
                "arm",
                ">users",
                ">lists",
                "outcome",
                ">count",
                ">by users",
                ">% of users",
                ">points above control",
                ">count a user",
            ],
            rows,
        );
        let estimates: Vec<Vec<String>> = self.arms.iter().flat_map(ArmAnswer::estimates).collect();
        if !estimates.is_empty() {
            let columns =
                ["arm", "last place", "outcome", ">IPS", ">SNIPS", ">effective exposures"];
            text.push_str("\n\n");
            text.push_str(&output::table(&columns, estimates));
        }
        let ExperimentRow { experiment_id, state, .. } = &self.experiment;
        let experiment_id = escape::text(experiment_id);
        let confidence = output::percent(self.confidence);
        text.push_str(&format!(
            "\n\nexperiment {experiment_id} ({state}); {confidence} intervals in brackets, * where \
             one excludes 0\nsplit of users: p = {:.3}",
            self.sample_ratio_probability
        ));
        if self.sample_ratio_probability < SUSPICIOUS {
            text.push_str(
                "; not as the weights want it. Users of an arm were lost: do not trust this report",
            );
        }
        text
    }
}

impl ArmAnswer {
    fn new(arm: ArmReport) -> Self {
        Self {
            arm_id: arm.arm_id,
            users: arm.users,
            exposures: arm.exposures,
            outcomes: arm.outcomes.iter().map(OutcomeAnswer::new).collect(),
            exploration: arm.exploration.as_ref().map(ExplorationAnswer::new),
        }
    }

    fn estimates(&self) -> Vec<Vec<String>> {
        let Some(exploration) = &self.exploration else { return Vec::new() };
        let mut rows = Vec::with_capacity(exploration.estimates.len());
        for one in &exploration.estimates {
            rows.push(vec![
                self.arm_id.clone(),
                one.policy.to_owned(),
                one.outcome.to_owned(),
                one.ips.map(Range::plain).unwrap_or_default(),
                one.snips.map(Range::plain).unwrap_or_default(),
                output::units(one.effective_exposures),
            ]);
        }
        rows
    }
}

impl OutcomeAnswer {
    fn new(report: &OutcomeReport) -> Self {
        Self {
            outcome: outcome(report.outcome()),
            count: report.count,
            users: report.users,
            user_rate: report.user_rate.map(Range::from),
            mean: report.mean.map(Range::from),
            user_rate_difference: report.user_rate_difference.map(Range::from),
            mean_difference: report.mean_difference.map(Range::from),
        }
    }
}

impl ExplorationAnswer {
    fn new(report: &ExplorationReport) -> Self {
        Self {
            greedy_exposures: report.greedy_exposures,
            explored_exposures: report.explored_exposures,
            estimates: report.estimates.iter().map(EstimateAnswer::new).collect(),
        }
    }
}

impl EstimateAnswer {
    fn new(one: &PolicyEstimate) -> Self {
        Self {
            policy: match one.policy() {
                Policy::Greedy => "by rank",
                Policy::Explore => "drawn",
                Policy::Unspecified => "unspecified",
            },
            outcome: outcome(one.outcome()),
            ips: one.ips.map(Range::from),
            ips_standard_error: one.ips_standard_error,
            snips: one.snips.map(Range::from),
            snips_standard_error: one.snips_standard_error,
            effective_exposures: one.effective_exposures,
        }
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Click => "click",
        Outcome::AddToCart => "add_to_cart",
        Outcome::Purchase => "purchase",
        Outcome::Unspecified => "unspecified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_well() {
        let interval = |estimate, low, high| Some(Interval { estimate, low, high });
        let purchases = OutcomeReport {
            outcome: Outcome::Purchase.into(),
            count: 1_234,
            users: 900,
            user_rate: interval(0.09, 0.084, 0.097),
            user_rate_difference: interval(0.01, 0.001, 0.02),
            ..OutcomeReport::default()
        };
        let estimate = PolicyEstimate {
            policy: Policy::Greedy.into(),
            outcome: Outcome::Purchase.into(),
            snips: interval(0.02, 0.01, 0.03),
            effective_exposures: 1_500.0,
            ..PolicyEstimate::default()
        };
        let exploration = ExplorationReport {
            greedy_exposures: 1_500,
            explored_exposures: 100,
            estimates: vec![estimate],
        };
        let arm = ArmReport {
            arm_id: "hybrid".into(),
            users: 10_000,
            exposures: 12_000,
            outcomes: vec![purchases],
            exploration: Some(exploration),
        };
        let response = ReportResponse {
            arms: vec![arm],
            confidence: 0.95,
            sample_ratio_probability: 1e-5,
            ..ReportResponse::default()
        };
        let answer = ReportAnswer::new(response);
        let text = answer.table();
        for part in [
            "9.00 (8.40 to 9.70)",
            "+1.00 (+0.10 to +2.00)*",
            "by rank",
            "0.0200 (0.0100 to 0.0300)",
            "95 % intervals",
            "do not trust",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let json = serde_json::to_value(&answer).expect("serializes");
        assert_eq!(json["arms"][0]["outcomes"][0]["user_rate"]["low"], 0.084);
        assert!(json["arms"][0]["outcomes"][0].get("mean").is_none());
    }
}
