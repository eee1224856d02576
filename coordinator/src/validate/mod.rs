//! What calls of different services may say in the same terms: amounts, terms of supply, price
//! rules, plans, filters, rerankings and sizes of pages.
//!
//! A checker notes every problem with the path of its field. Money leaves in one form, so that
//! what is stored or sent to workers always names its currency.

mod amount;
mod expression;
mod filter;
mod page;
mod plan;
mod price_rule;
mod reranking;
mod terms;

pub(crate) use amount::{Amount, above, amount, label, money, within};
pub(crate) use expression::filters;
pub(crate) use filter::filter;
pub(crate) use page::page_size;
pub(crate) use plan::{horizon, plan};
pub(crate) use price_rule::price_rule;
pub(crate) use reranking::reranking;
pub(crate) use terms::supply_terms;
