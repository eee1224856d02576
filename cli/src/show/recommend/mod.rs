//! Recommendations as people and programs read them.

mod lists;
mod popular;
mod telling;
mod users;

use mercer_common::escape;
use mercer_proto::v1::{EventType, Reason, RecommendResponse, Source, reason};
use serde::Serialize;

use crate::show::output;

pub(crate) use lists::ListFile;
pub(crate) use popular::PopularAnswer;
pub(crate) use telling::Telling;
pub(crate) use users::SimilarUsersAnswer;

#[derive(Debug, Serialize)]
pub(crate) struct RecommendAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item_id: Option<String>,
    version: String,
    coverage: f64,
    items: Vec<RecommendedItem>,
    algorithm: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_known: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unknown_session_items: Vec<String>,
    token: String,
    attribution_token: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full_scan: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    anonymous: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    relevance_loss: Option<f64>,
    /// Arm of the experiment that was named.
    #[serde(skip_serializing_if = "String::is_empty")]
    arm_id: String,
    /// Reason of an answer from another version than the one that serves.
    #[serde(skip_serializing_if = "String::is_empty")]
    fallback_reason: String,
}

#[derive(Debug, Serialize)]
struct RecommendedItem {
    item_id: String,
    score: f64,
    reasons: Vec<ReasonPart>,
    /// Reasons for people; empty where nothing was explained.
    #[serde(skip)]
    why: String,
    title: String,
    source: &'static str,
    /// Probability of the item in its place, in an experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    propensity: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    explored: bool,
}

#[derive(Debug, Serialize)]
struct ReasonPart {
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    item_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    contribution: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    /// What the part says, in the words of the API without `CODE_`.
    #[serde(skip_serializing_if = "String::is_empty")]
    code: String,
    /// The contrary of it holds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    contrary: bool,
    /// What the user did with the item, and when.
    #[serde(skip_serializing_if = "String::is_empty")]
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_date: Option<String>,
}

impl RecommendAnswer {
    pub(crate) fn new(response: RecommendResponse, telling: Telling) -> Self {
        let items = response.items.into_iter().map(|item| RecommendedItem {
            source: source_name(item.source()),
            item_id: item.item_id,
            score: item.score,
            why: telling.tell(&item.reasons),
            reasons: item.reasons.into_iter().map(ReasonPart::new).collect(),
            title: item.title,
            propensity: Some(item.propensity).filter(|&propensity| propensity > 0.0),
            explored: item.explored,
        });
        Self {
            user_id: None,
            item_id: None,
            version: response.version,
            coverage: response.coverage,
            items: items.collect(),
            algorithm: response.algorithm,
            user_known: None,
            unknown_session_items: response.unknown_session_items,
            token: response.token,
            attribution_token: response.attribution_token,
            full_scan: response.full_scan,
            anonymous: response.anonymous,
            arm_id: response.arm_id,
            fallback_reason: response.fallback_reason,
            relevance_loss: Some(response.relevance_loss).filter(|&loss| loss > 0.0),
        }
    }

    pub(crate) fn table(&self) -> String {
        let explained = self.items.iter().any(|item| !item.why.is_empty());
        let rows = self.items.iter().enumerate().map(|(index, item)| {
            let mut row = vec![
                (index + 1).to_string(),
                item.item_id.clone(),
                if item.source == "algorithm" {
                    format!("{:.6}", item.score)
                } else {
                    item.score.to_string()
                },
                item.source.to_owned(),
                item.title.clone(),
            ];
            row.extend(explained.then(|| item.why.clone()));
            row
        });
        let headers = [">", "item", ">score", "source", "title", "why"];
        let headers = &headers[..if explained { 6 } else { 5 }];
        let table = output::Table::new(headers, rows).dropping(&["source", "score"]);
        let mut text = table.to_string();
        text.push_str(&format!(
            "\nalgorithm {}, version {}, coverage {:.0} %",
            escape::text(&self.algorithm),
            if self.version.is_empty() { "none".into() } else { escape::text(&self.version) },
            self.coverage * 100.0
        ));
        if self.full_scan {
            text.push_str(", all items scored");
        }
        if let Some(loss) = self.relevance_loss {
            text.push_str(&format!("\nreordered: {:.1} % of relevance given up", loss * 100.0));
        }
        if !self.arm_id.is_empty() {
            text.push_str(&format!("\narm {} of the experiment", escape::text(&self.arm_id)));
            if self.items.iter().any(|item| item.explored) {
                text.push_str("; the last item was drawn from those below");
            }
        }
        if !self.fallback_reason.is_empty() {
            text.push_str(&format!("\n{}", escape::text(&self.fallback_reason)));
        }
        if self.anonymous {
            text.push_str("\nthe user's shard did not answer: these are for anybody");
        }
        if self.user_known == Some(false) {
            text.push_str("\nthe user is unknown: these are popular items");
        }
        if !self.unknown_session_items.is_empty() {
            text.push_str(&format!(
                "\nunknown session items: {}",
                escape::text(&self.unknown_session_items.join(", "))
            ));
        }
        text
    }
}

impl ReasonPart {
    fn new(reason: Reason) -> Self {
        let kind = kind_name(reason.kind());
        let code = match reason.code() {
            reason::Code::Unspecified => String::new(),
            code => output::word(code.as_str_name(), "CODE_"),
        };
        let event_type = match reason.event_type() {
            EventType::Unspecified => String::new(),
            event => output::word(event.as_str_name(), "EVENT_TYPE_"),
        };
        Self {
            kind,
            code,
            event_type,
            event_date: reason.event_date.as_ref().map(output::date),
            contrary: reason.contrary,
            item_id: reason.item_id,
            name: reason.name,
            contribution: reason.contribution,
            title: reason.title,
        }
    }
}

pub(crate) fn kind_name(kind: reason::Kind) -> &'static str {
    match kind {
        reason::Kind::HistoryItem => "history_item",
        reason::Kind::Other => "other",
        reason::Kind::Popularity => "popularity",
        reason::Kind::Source => "source",
        reason::Kind::Feature => "feature",
        reason::Kind::Rule => "rule",
        reason::Kind::Users => "users",
        reason::Kind::Unspecified => "unspecified",
    }
}

pub(crate) fn source_name(source: Source) -> &'static str {
    match source {
        Source::Algorithm => "algorithm",
        Source::CategoryPopular => "category_popular",
        Source::Popular => "popular",
        Source::Rule => "rule",
        Source::Unspecified => "unspecified",
    }
}

#[cfg(test)]
mod tests {
    use mercer_proto::{google::r#type::Date, v1::Recommendation};

    use super::*;
    use crate::show::sentence::Language;

    const EN: Telling = Telling::Sentence { language: Language::En, this_year: 2026 };

    #[test]
    fn the_json_shape_is_stable() {
        let response = RecommendResponse {
            items: vec![Recommendation {
                item_id: "i".into(),
                score: 0.5,
                source: Source::Algorithm.into(),
                reasons: vec![Reason {
                    kind: reason::Kind::HistoryItem.into(),
                    item_id: "h".into(),
                    contribution: 0.5,
                    code: reason::Code::OftenBoughtAfter.into(),
                    event_type: EventType::AddToCart.into(),
                    event_date: Some(Date { year: 2026, month: 2, day: 1 }),
                    ..Reason::default()
                }],
                title: "Tea".into(),
                ..Recommendation::default()
            }],
            version: "v1".into(),
            coverage: 1.0,
            user_known: true,
            unknown_session_items: Vec::new(),
            algorithm: "p3".into(),
            token: "t".into(),
            attribution_token: "a".into(),
            ..RecommendResponse::default()
        };
        let answer = RecommendAnswer {
            user_id: Some("u".into()),
            user_known: Some(true),
            ..RecommendAnswer::new(response.clone(), EN)
        };
        assert_eq!(
            serde_json::to_string(&answer).expect("serializes"),
            r#"{"user_id":"u","version":"v1","coverage":1.0,"items":[{"item_id":"i","score":0.5,"reasons":[{"kind":"history_item","item_id":"h","contribution":0.5,"code":"often_bought_after","event_type":"add_to_cart","event_date":"2026-02-01"}],"title":"Tea","source":"algorithm"}],"algorithm":"p3","user_known":true,"token":"t","attribution_token":"a"}"#
        );
        let table = answer.table();
        let why = "often bought after h, which you put into the cart on 1 Feb";
        assert!(table.contains(why), "{table}");
        assert!(!table.contains("0.5000,"), "{table}");
        let parts = RecommendAnswer::new(response, Telling::Parts).table();
        assert!(parts.contains("because of h +0.5000"), "{parts}");
    }
}
