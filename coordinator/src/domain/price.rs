//! Questions about prices and about how demand answers to them.

use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::{answer::Answer, question::Question},
    v1::{
        DemandForm, ElasticityRequest, ElasticityResponse, Note, PriceObjective, PriceRequest,
        PriceResponse,
    },
};

use super::demand::forecast_bytes;
use crate::{
    ask::{Context, Decision},
    jobs::kinds::{DEMAND, ELASTICITY},
    validate::{Amount, horizon, money, price_rule},
};

/// Bytes of a point of a curve, which holds five amounts of money.
const POINT_BYTES: usize = 128;

impl Decision for PriceRequest {
    type Answer = PriceResponse;

    const NEEDS: &'static [&'static str] = &[DEMAND, ELASTICITY];

    fn item_id(&self) -> &str {
        &self.item_id
    }

    fn tokens(&self) -> &[String] {
        &self.tokens
    }

    fn check(&mut self, checker: &mut Checker, path: &str, context: Context<'_>) {
        checker.known_id(|| format!("{path}item_id"), &self.item_id);
        match PriceObjective::try_from(self.objective) {
            Ok(PriceObjective::Unspecified) => self.set_objective(PriceObjective::Profit),
            Ok(_) => {}
            Err(_) => {
                let problem = format!("{} is no objective", self.objective);
                checker.violation(format!("{path}objective"), problem);
            }
        }
        match DemandForm::try_from(self.demand_form) {
            Ok(DemandForm::Unspecified) => self.set_demand_form(context.demand_form),
            Ok(_) => {}
            Err(_) => {
                let problem = format!("{} is no form of demand", self.demand_form);
                checker.violation(format!("{path}demand_form"), problem);
            }
        }
        horizon(checker, format!("{path}horizon"), &mut self.horizon);
        if self.curve_points == 0 {
            self.curve_points = limits::DEFAULT_CURVE_POINTS;
        }
        let most = limits::CURVE_POINTS;
        if !(2..=most).contains(&self.curve_points) {
            let problem = format!("is {}; must lie within 2 and {most}", self.curve_points);
            checker.violation(format!("{path}curve_points"), problem);
        }
        if let Some(rule) = &mut self.rule {
            price_rule(checker, &format!("{path}rule"), rule, context.currency);
        }
        let cost = &mut self.unit_cost;
        let currency = context.currency;
        money(checker, || format!("{path}unit_cost"), cost, currency, Amount::NotNegative);
    }

    fn answer_bytes(&self) -> usize {
        POINT_BYTES * self.curve_points as usize + forecast_bytes(self.horizon, 3)
    }

    fn into_question(mut self) -> Question {
        self.tokens.clear();
        Question::Price(self)
    }

    fn notes(answer: &mut PriceResponse) -> &mut Vec<Note> {
        &mut answer.notes
    }

    fn read(answer: Answer, token: String) -> Option<PriceResponse> {
        match answer {
            Answer::Price(answer) => Some(PriceResponse { token, ..answer }),
            _ => None,
        }
    }
}

impl Decision for ElasticityRequest {
    type Answer = ElasticityResponse;

    const NEEDS: &'static [&'static str] = &[ELASTICITY];

    fn item_id(&self) -> &str {
        &self.item_id
    }

    fn tokens(&self) -> &[String] {
        &self.tokens
    }

    fn check(&mut self, checker: &mut Checker, path: &str, _: Context<'_>) {
        checker.known_id(|| format!("{path}item_id"), &self.item_id);
    }

    fn answer_bytes(&self) -> usize {
        1_024
    }

    fn into_question(mut self) -> Question {
        self.tokens.clear();
        Question::Elasticity(self)
    }

    fn notes(answer: &mut ElasticityResponse) -> &mut Vec<Note> {
        &mut answer.notes
    }

    fn read(answer: Answer, token: String) -> Option<ElasticityResponse> {
        match answer {
            Answer::Elasticity(answer) => Some(ElasticityResponse { token, ..answer }),
            _ => None,
        }
    }
}
