//! Questions about demand.

use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::{answer::Answer, question::Question},
    v1::{ForecastRequest, ForecastResponse, Note},
};

use crate::{
    ask::{Context, Decision, check_place},
    jobs::kinds::DEMAND,
    validate::{horizon, plan},
};

impl Decision for ForecastRequest {
    type Answer = ForecastResponse;

    const NEEDS: &'static [&'static str] = &[DEMAND];

    fn item_id(&self) -> &str {
        &self.item_id
    }

    fn tokens(&self) -> &[String] {
        &self.tokens
    }

    fn check(&mut self, checker: &mut Checker, path: &str, context: Context<'_>) {
        check_place(checker, path, &self.item_id, &mut self.location_id);
        horizon(checker, format!("{path}horizon"), &mut self.horizon);
        check_quantiles(checker, path, &mut self.quantiles);
        plan(checker, &format!("{path}plan"), &mut self.plan, context.currency);
    }

    fn answer_bytes(&self) -> usize {
        forecast_bytes(self.horizon, self.quantiles.len())
    }

    fn into_question(mut self) -> Question {
        self.tokens.clear();
        Question::Forecast(self)
    }

    fn notes(answer: &mut ForecastResponse) -> &mut Vec<Note> {
        &mut answer.notes
    }

    fn read(answer: Answer, token: String) -> Option<ForecastResponse> {
        match answer {
            Answer::Forecast(answer) => Some(ForecastResponse { token, ..answer }),
            _ => None,
        }
    }
}

/// Bytes of a forecast: a date and a number for the mean and each quantile of each day.
pub(crate) fn forecast_bytes(horizon: u32, quantiles: usize) -> usize {
    1_024 + horizon as usize * (24 + 8 * quantiles)
}

/// Leaves levels ascending, each once.
fn check_quantiles(checker: &mut Checker, path: &str, quantiles: &mut Vec<f64>) {
    checker.count(|| format!("{path}quantiles"), quantiles.len(), limits::QUANTILES);
    for (index, level) in quantiles.iter().enumerate().take(limits::QUANTILES) {
        if !(*level > 0.0 && *level < 1.0) {
            let problem = format!("is {level}; must be above 0 and below 1");
            checker.violation(format!("{path}quantiles[{index}]"), problem);
        }
    }
    if quantiles.is_empty() {
        quantiles.extend(limits::DEFAULT_QUANTILES);
    }
    quantiles.sort_unstable_by(f64::total_cmp);
    quantiles.dedup();
}
