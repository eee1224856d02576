//! Many questions in one call: answered in chunks, in order, each for itself.

use std::{sync::Arc, vec};

use mercer_common::{
    ids::Checker,
    limits,
    rpc::{
        Deadline,
        status::{Describe as _, InvalidRequest, to_message},
    },
};
use mercer_proto::internal::Question;

use super::{Answered, Decision, Decisions};
use crate::ask::{AskError, Choice, Course, Required};

/// Questions of a chunk.
const CHUNK: usize = 256;
/// A chunk is smaller when its answers would take more bytes, about.
const CHUNK_BYTES: usize = 4 << 20;

/// The questions of a call that are not answered yet.
pub(crate) struct Batch<D> {
    decisions: Arc<Decisions>,
    requests: vec::IntoIter<D>,
    /// Place of the next request in the call.
    next: u32,
    required: Required,
    choice: Choice,
    deadline: Deadline,
}

impl Decisions {
    /// Begins a batch; nothing is asked yet.
    ///
    /// # Errors
    /// What is wrong with the call; what is wrong with one of its questions is that one's answer.
    pub(crate) fn batch<D: Decision>(
        self: &Arc<Self>,
        requests: Vec<D>,
        tokens: &[String],
        deadline: Deadline,
    ) -> Result<Batch<D>, AskError> {
        let mut checker = Checker::default();
        checker.count(|| "requests".into(), requests.len(), limits::BATCH_QUESTIONS);
        checker.finish()?;
        Ok(Batch {
            required: self.engine.required(tokens)?,
            choice: self.engine.version_with(D::NEEDS, &Course::default())?,
            decisions: Arc::clone(self),
            requests: requests.into_iter(),
            next: 0,
            deadline,
        })
    }
}

impl<D: Decision> Batch<D> {
    /// The answers to the next questions, with their places in the call; none at its end.
    ///
    /// # Errors
    /// What ends the call.
    pub(crate) async fn next_chunk(&mut self) -> Result<Vec<(u32, Answered<D::Answer>)>, AskError> {
        let mut answers = Vec::new();
        let mut questions = Vec::new();
        let mut bytes = 0;
        while answers.len() < CHUNK && bytes < CHUNK_BYTES {
            let Some(request) = self.requests.next() else { break };
            let place = self.next;
            self.next += 1;
            // Questions that are asked get their answers below.
            let refused = match self.check(place, request) {
                Ok((question, answer_bytes)) => {
                    bytes += answer_bytes;
                    questions.push(question);
                    None
                }
                Err(error) => Some(Err(to_message(&error.to_status()))),
            };
            answers.push((place, refused));
        }
        let asked = if questions.is_empty() {
            Vec::new()
        } else {
            self.deadline.check()?;
            self.decisions.ask::<D>(&questions, &mut self.choice, self.deadline).await?
        };
        let mut asked = asked.into_iter();
        let mut chunk = Vec::new();
        for (place, refused) in answers {
            if let Some(answer) = refused.or_else(|| asked.next()) {
                chunk.push((place, answer));
            }
        }
        Ok(chunk)
    }

    fn check(&self, place: u32, mut request: D) -> Result<(Question, usize), InvalidRequest> {
        let path = format!("requests[{place}].");
        let mut checker = Checker::default();
        if !request.tokens().is_empty() {
            let problem = "must be empty; tokens belong to the batch";
            checker.violation(format!("{path}tokens"), problem);
        }
        request.check(&mut checker, &path, self.decisions.context());
        checker.finish()?;
        let bytes = request.answer_bytes();
        Ok((self.decisions.question(request, &self.required), bytes))
    }
}
