//! Forecasts, prices, elasticities and policies: each question from its item's shard, many in one
//! call.
//!
//! Questions are worked off in small blocks, a few at a time, and every question takes the lock
//! of its shard's state for itself: ten thousand of them delay other calls and the log by no more
//! than a block. A question that cannot be answered is its own error.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use mercer_common::{
    rpc::status::{Describe, InvalidRequest, to_message},
    slot::ShardId,
};
use mercer_proto::{
    google::rpc::Status,
    internal::{Answer, DecideRequest, DecideResponse, Question, answer, question},
};

use super::{
    DecideError,
    facts::{Defaults, Demand, Elasticity, Facts},
};
use crate::{
    serve::{ServeError, Serving, position, shard_id},
    shard::Shard,
    version::OpenVersion,
};

/// Questions that a thread takes at once: a few milliseconds.
const BLOCK: usize = 8;
/// Shards are waited for until so long before the deadline.
const ANSWER: Duration = Duration::from_millis(50);

/// What all questions of a call are answered from.
#[derive(Debug)]
struct Call {
    version: Option<Arc<OpenVersion>>,
    defaults: Defaults,
    currency: String,
    /// The shards of the questions, or why they cannot answer.
    shards: BTreeMap<ShardId, Result<Arc<Shard>, Status>>,
}

/// Answers every question, in order.
///
/// # Errors
/// What concerns all questions: the version, or a worker without a free thread.
pub(crate) async fn decide(
    serving: &Serving,
    request: DecideRequest,
    deadline: Instant,
) -> Result<DecideResponse, ServeError> {
    let call = Arc::new(Call {
        version: serving.versions().named(&request.version)?,
        defaults: Defaults::decode(&request.defaults.unwrap_or_default())?,
        currency: serving.cluster()?.currency.clone(),
        shards: shards_of(serving, &request.questions, deadline).await,
    });
    let mut answers = Vec::with_capacity(request.questions.len());
    let mut questions = request.questions.into_iter();
    loop {
        let wave: Vec<Question> =
            questions.by_ref().take(BLOCK * serving.compute().serve_threads()).collect();
        if wave.is_empty() {
            return Ok(DecideResponse { answers });
        }
        let blocks: Vec<Vec<Question>> = wave.chunks(BLOCK).map(<[_]>::to_vec).collect();
        let call = Arc::clone(&call);
        let answered = serving
            .compute()
            .scatter(blocks, move |block| call.answers(block), |blocks| blocks.concat())
            .await?;
        answers.extend(answered);
    }
}

/// The shards that the questions are for, when they have applied what all of them require.
async fn shards_of(
    serving: &Serving,
    questions: &[Question],
    deadline: Instant,
) -> BTreeMap<ShardId, Result<Arc<Shard>, Status>> {
    let mut required: BTreeMap<ShardId, u64> = BTreeMap::new();
    for position in questions.iter().filter_map(|question| question.shard) {
        if let Ok(shard) = shard_id(position) {
            let sequence = required.entry(shard).or_default();
            *sequence = position.sequence.max(*sequence);
        }
    }
    let until = deadline.checked_sub(ANSWER).unwrap_or(deadline);
    let mut shards = BTreeMap::new();
    // One after the other: they follow the log side by side while one is waited for.
    for (id, sequence) in required {
        let shard = match serving.shards().get(id) {
            Ok(shard) => shard.wait_applied(sequence, until).await.map(|()| shard),
            Err(error) => Err(error),
        };
        shards.insert(id, shard.map_err(status));
    }
    shards
}

impl Call {
    fn answers(&self, questions: Vec<Question>) -> Vec<Answer> {
        questions.into_iter().map(|question| self.answer(question)).collect()
    }

    fn answer(&self, question: Question) -> Answer {
        match self.shard(&question) {
            Ok(shard) => match self.of_shard(shard, question) {
                Ok(answer) => answer,
                Err(error) => failed(error),
            },
            Err(error) => failed(error),
        }
    }

    fn shard(&self, question: &Question) -> Result<&Shard, Status> {
        let Some(position) = question.shard else {
            return Err(status(InvalidRequest::field("shard", "is required")));
        };
        let id = shard_id(position).map_err(status)?;
        match self.shards.get(&id) {
            Some(Ok(shard)) => Ok(shard),
            Some(Err(error)) => Err(error.clone()),
            None => Err(status(InvalidRequest::field("shard", "is none that was asked for"))),
        }
    }

    fn of_shard(&self, shard: &Shard, question: Question) -> Result<Answer, Status> {
        let Some(question) = question.question else {
            return Err(status(InvalidRequest::field("question", "is required")));
        };
        let item = item_of(&question);
        // What the version says comes from the disk; the lock is taken afterwards.
        let (mut demand, mut elasticity) = (None, None);
        if let Some(version) = &self.version {
            let kinds = version.results_of(shard.id()).map_err(status)?;
            demand = kinds.demand(item).map_err(status)?.map(Demand::decode);
            elasticity = kinds.elasticity(item).map_err(status)?.map(Elasticity::decode);
        }

        let state = shard.read();
        let decided = match state.item(item) {
            None => Err(DecideError::UnknownItem { item: item.to_owned() }),
            Some(known) => super::answer(
                &Facts {
                    item: known,
                    directory: state.directory(),
                    defaults: &self.defaults,
                    currency: &self.currency,
                    version: self.version.as_ref().map_or("", |version| version.name()),
                    demand,
                    elasticity,
                },
                &question,
            ),
        };
        let answer = decided.unwrap_or_else(|error| answer::Answer::Error(status(error)));
        Ok(Answer { position: Some(position(&state)), answer: Some(answer) })
    }
}

fn item_of(question: &question::Question) -> &str {
    match question {
        question::Question::Forecast(request) => &request.item_id,
        question::Question::Price(request) => &request.item_id,
        question::Question::Elasticity(request) => &request.item_id,
        question::Question::Policy(request) => &request.item_id,
    }
}

fn status(error: impl Describe) -> Status {
    to_message(&error.to_status())
}

fn failed(error: Status) -> Answer {
    Answer { position: None, answer: Some(answer::Answer::Error(error)) }
}
