//! Questions on their way to workers: one call a worker, answers back in order.

use std::collections::BTreeMap;

use mercer_common::{rpc::Deadline, slot::ShardId};
use mercer_proto::internal::{self, DecideRequest, Question, answer::Answer as Said};
use tokio::task::JoinSet;

use super::{Answered, Decision, Decisions};
use crate::{
    ask::{AskError, CallError, Choice, Course, Restart, owner},
    cluster::{membership::Routes, workers::Target},
};

/// The questions for one worker.
struct Group {
    target: Target,
    /// Place of each question in the call.
    places: Vec<usize>,
    questions: Vec<Question>,
}

impl Decisions {
    /// Answers `questions` in order, from one version. When it is gone, all of them are asked
    /// once more, of the version that serves then, or of the one before when it is damaged.
    ///
    /// # Errors
    /// What concerns all questions; what concerns one is its answer.
    pub(super) async fn ask<D: Decision>(
        &self,
        questions: &[Question],
        choice: &mut Choice,
        deadline: Deadline,
    ) -> Result<Vec<Answered<D::Answer>>, AskError> {
        let mut course = Course::default();
        loop {
            let routes = self.engine.fanout.routes()?;
            match self.ask_once::<D>(&routes, questions, choice, deadline).await {
                Ok(answers) => return Ok(answers),
                Err(why) => course.begin_again(&self.engine.versions, choice.version(), why)?,
            }
            *choice = self.engine.version_with(D::NEEDS, &course)?;
        }
    }

    async fn ask_once<D: Decision>(
        &self,
        routes: &Routes,
        questions: &[Question],
        choice: &Choice,
        deadline: Deadline,
    ) -> Result<Vec<Answered<D::Answer>>, Restart> {
        let mut answers: Vec<Option<Answered<D::Answer>>> = Vec::new();
        answers.resize_with(questions.len(), || None);
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for (place, question) in questions.iter().enumerate() {
            match owner(routes, shard(question)) {
                Ok(target) => {
                    let group = groups.entry(&target.worker_id).or_insert_with(|| Group {
                        target: target.clone(),
                        places: Vec::new(),
                        questions: Vec::new(),
                    });
                    group.places.push(place);
                    group.questions.push(question.clone());
                }
                Err(error) => answers[place] = Some(Err(error.into_message())),
            }
        }
        let mut calls = JoinSet::new();
        for Group { target, places, questions } in groups.into_values() {
            let fanout = self.engine.fanout.clone();
            let message = DecideRequest {
                version: choice.version().to_owned(),
                defaults: Some(self.defaults.clone()),
                questions,
            };
            calls.spawn(async move {
                let outcome = fanout
                    .ask(&target, deadline, message, |mut client, request| async move {
                        client.decide(request).await
                    })
                    .await;
                (target.worker_id, places, outcome)
            });
        }
        while let Some(ended) = calls.join_next().await {
            // The questions of a call that panicked stay open.
            let Ok((worker_id, places, outcome)) = ended else { continue };
            match outcome {
                Ok(response) => {
                    for (place, answer) in places.into_iter().zip(response.answers) {
                        let shard = shard(&questions[place]);
                        answers[place] = self.read::<D>(answer, choice, shard, &worker_id)?;
                    }
                }
                Err(CallError::Restart(why)) => return Err(why),
                Err(error) => {
                    for place in places {
                        let message = error.to_message(shard(&questions[place]), &worker_id);
                        answers[place] = Some(Err(message));
                    }
                }
            }
        }
        let mut complete = Vec::new();
        for (answer, question) in answers.into_iter().zip(questions) {
            complete.push(answer.unwrap_or_else(|| {
                let shard = shard(question);
                let worker_id = owner(routes, shard).map_or("", |target| &target.worker_id);
                let missing = CallError::Missing("gave no answer to the question".into());
                Err(missing.to_message(shard, worker_id))
            }));
        }
        Ok(complete)
    }

    /// What a worker said to one question; `None` when it is no answer to it.
    fn read<D: Decision>(
        &self,
        answer: internal::Answer,
        choice: &Choice,
        shard: ShardId,
        worker_id: &str,
    ) -> Result<Option<Answered<D::Answer>>, Restart> {
        let token = self.engine.token(&answer.position);
        match answer.answer {
            Some(Said::Error(error)) => match CallError::of_message(&error) {
                CallError::Restart(why) => Err(why),
                CallError::Failed(_) => Ok(Some(Err(error))),
                CallError::Missing(_) => {
                    Ok(Some(Err(CallError::of_message(&error).to_message(shard, worker_id))))
                }
            },
            Some(said) => {
                let mut answer = D::read(said, token);
                if let Some(answer) = &mut answer {
                    D::notes(answer).extend(choice.note());
                }
                Ok(answer.map(Ok))
            }
            None => Ok(None),
        }
    }
}

/// The shard that a question is for.
fn shard(question: &Question) -> ShardId {
    let shard = question.shard.map_or(0, |position| position.shard);
    ShardId::try_from(shard).expect("questions are for shards of the layout")
}
