//! What to recommend: item neighbourhoods, their postings, scores and evaluation.
//!
//! Items are numbered twice. A *row* is the position in (slot, id) order and breaks ties; a *label*
//! is the popularity rank, 0 the most popular, and names the columns of training matrices, because
//! kernels run faster when frequent columns are neighbours.

mod best;
pub mod content;
pub mod evaluate;
pub mod event_type;
pub mod factors;
pub mod hybrid;
mod liking;
pub mod linear;
pub mod popularity;
pub mod postings;
pub mod profile;
pub mod repurchase;
pub mod rerank;
pub mod score;
pub mod sequences;
pub mod similarity;
pub mod synthetic;
pub mod transitions;
pub mod trends;
pub mod users;
