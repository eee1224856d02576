//! What Mercer decides, a folder each: the stages that train for it, the form in which results are
//! stored, and the answers.
//!
//! A domain is reached by others through its `mod.rs` only, and needs other domains in one
//! direction. Domains know the engines of tasks and answers, which know no domain: what there is
//! of both is listed here.

mod decide;
pub(crate) mod demand;
mod error;
mod facts;
pub(crate) mod inventory;
pub(crate) mod price;
pub(crate) mod recommend;
#[cfg(test)]
mod tests;

use mercer_proto::internal::{answer::Answer, question::Question};

pub(crate) use decide::decide;
pub(crate) use error::DecideError;

use crate::task::Stage;

/// The stages of all domains.
pub(crate) fn stages() -> Vec<Stage> {
    [recommend::STAGES, demand::STAGES, demand::ELASTICITY_STAGES, inventory::STAGES].concat()
}

/// The answer to a question about an item.
fn answer(facts: &facts::Facts<'_>, question: &Question) -> Result<Answer, DecideError> {
    Ok(match question {
        Question::Forecast(request) => Answer::Forecast(demand::forecast(facts, request)?),
        Question::Price(request) => Answer::Price(price::price(facts, request)?),
        Question::Elasticity(request) => Answer::Elasticity(demand::elasticity(facts, request)?),
        Question::Policy(request) => Answer::Policy(inventory::policy(facts, request)?),
    })
}
