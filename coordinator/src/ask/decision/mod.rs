//! Forecasts, prices, elasticities and policies: each is answered by its item's shard alone, so
//! that an answer is whole or an error, never partial.
//!
//! Questions are checked and completed here, grouped by worker into one call each, and answered
//! in the order in which they were asked. What workers answer from is decided once a call: the
//! version and the configured defaults. Proven by `tests/decisions.rs` and `tests/batches.rs`.

mod batch;
mod send;

use mercer_common::{
    ids::{Checker, EVERYWHERE},
    rpc::Deadline,
    slot::Subject,
};
use mercer_proto::{
    google::rpc,
    internal::{self, DecisionDefaults, answer::Answer, question::Question},
    v1::{DemandForm, Note},
};

use super::{Engine, choice::Course, error::AskError, fanout::reserve, token::Required};
use crate::cluster::workers::Failure;
pub(crate) use batch::Batch;

/// Answers to questions, each with its own error.
type Answered<A> = Result<A, rpc::Status>;

/// What questions are checked and completed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) currency: &'a str,
    pub(crate) demand_form: DemandForm,
}

/// A question about one item.
pub(crate) trait Decision: Sized + Send + 'static {
    /// What it is answered with.
    type Answer: Send + 'static;

    /// The kinds that must have been trained.
    const NEEDS: &'static [&'static str];

    fn item_id(&self) -> &str;

    fn tokens(&self) -> &[String];

    /// Notes what is wrong, with `path` before the names of fields, and fills in numbers where 0
    /// or none means a default.
    fn check(&mut self, checker: &mut Checker, path: &str, context: Context<'_>);

    /// Bytes of its answer, about; for a question that has been checked.
    fn answer_bytes(&self) -> usize;

    fn into_question(self) -> Question;

    /// What a person who reads the answer must know.
    fn notes(answer: &mut Self::Answer) -> &mut Vec<Note>;

    /// The answer with its token; `None` when it is the answer to another kind of question.
    fn read(answer: Answer, token: String) -> Option<Self::Answer>;
}

/// Answers questions about single items.
pub(crate) struct Decisions {
    pub(crate) engine: Engine,
    /// What workers fall back to.
    pub(crate) defaults: DecisionDefaults,
}

impl Decisions {
    /// Answers one question.
    pub(crate) async fn decide<D: Decision>(
        &self,
        mut request: D,
        deadline: Deadline,
    ) -> Result<D::Answer, AskError> {
        let mut checker = Checker::default();
        request.check(&mut checker, "", self.context());
        checker.finish()?;
        let required = self.engine.required(request.tokens())?;
        let mut choice = self.engine.version_with(D::NEEDS, &Course::default())?;
        let question = self.question(request, &required);
        let answers = self.ask::<D>(&[question], &mut choice, reserve(deadline)).await?;
        let answer = answers.into_iter().next().expect("one answer a question");
        answer.map_err(|error| AskError::Worker(Failure::of_message(&error)))
    }

    fn context(&self) -> Context<'_> {
        let currency = &self.engine.identity.cluster.currency;
        Context { currency, demand_form: self.defaults.demand_form() }
    }

    /// The question as the worker of its item's shard is sent it.
    fn question<D: Decision>(&self, request: D, required: &Required) -> internal::Question {
        let shard = self.engine.identity.layout().shard_of(Subject::Item, request.item_id());
        let question = Some(request.into_question());
        internal::Question { shard: Some(required.at(shard)), question }
    }
}

/// Checks the item and the location of a question. An empty location becomes `*`.
pub(crate) fn check_place(
    checker: &mut Checker,
    path: &str,
    item_id: &str,
    location_id: &mut String,
) {
    checker.known_id(|| format!("{path}item_id"), item_id);
    if location_id.is_empty() {
        EVERYWHERE.clone_into(location_id);
    }
    checker.known_id(|| format!("{path}location_id"), location_id);
}
