//! Questions about orders.

use mercer_common::{ids::Checker, limits};
use mercer_proto::{
    internal::{answer::Answer, question::Question},
    v1::{Note, PolicyRequest, PolicyResponse},
};

use crate::{
    ask::{Context, Decision, check_place},
    jobs::kinds::DEMAND,
    validate::{Amount, money, plan, supply_terms, within},
};

impl Decision for PolicyRequest {
    type Answer = PolicyResponse;

    const NEEDS: &'static [&'static str] = &[DEMAND];

    fn item_id(&self) -> &str {
        &self.item_id
    }

    fn tokens(&self) -> &[String] {
        &self.tokens
    }

    fn check(&mut self, checker: &mut Checker, path: &str, context: Context<'_>) {
        let currency = context.currency;
        check_place(checker, path, &self.item_id, &mut self.location_id);
        if let Some(terms) = &mut self.terms {
            supply_terms(checker, &format!("{path}terms"), terms, currency);
        }
        plan(checker, &format!("{path}plan"), &mut self.plan, currency);
        if let Some(period) = &mut self.single_period {
            let field = |name: &str| format!("{path}single_period.{name}");
            let days = Some(period.days);
            within(checker, || field("days"), days, 1..=limits::HORIZON_DAYS);
            let salvage = &mut period.salvage_value;
            money(checker, || field("salvage_value"), salvage, currency, Amount::Signed);
            let goodwill = &mut period.goodwill;
            money(checker, || field("goodwill"), goodwill, currency, Amount::NotNegative);
        }
    }

    fn answer_bytes(&self) -> usize {
        2_048
    }

    fn into_question(mut self) -> Question {
        self.tokens.clear();
        Question::Policy(self)
    }

    fn notes(answer: &mut PolicyResponse) -> &mut Vec<Note> {
        &mut answer.notes
    }

    fn read(answer: Answer, token: String) -> Option<PolicyResponse> {
        match answer {
            Answer::Policy(answer) => Some(PolicyResponse { token, ..answer }),
            _ => None,
        }
    }
}
