//! Recommendations as people and programs read them.

use mercer_common::escape;
use mercer_proto::v1::{Reason, RecommendResponse, Source, reason};
use serde::Serialize;

use crate::output;

#[derive(Debug, Serialize)]
pub(crate) struct RecommendAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<String>,
    version: String,
    coverage: f64,
    items: Vec<RecommendedItem>,
    algorithm: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_known: Option<bool>,
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
    /// Of the experiment that was named.
    #[serde(skip_serializing_if = "String::is_empty")]
    arm_id: String,
    /// Of an answer from another version than the one that serves.
    #[serde(skip_serializing_if = "String::is_empty")]
    fallback_reason: String,
}

#[derive(Debug, Serialize)]
struct RecommendedItem {
    item_id: String,
    score: f64,
    reasons: Vec<ReasonPart>,
    title: String,
    source: &'static str,
    /// In an experiment.
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
}

impl RecommendAnswer {
    pub(crate) fn new(response: RecommendResponse) -> Self {
        let items = response.items.into_iter().map(|item| RecommendedItem {
            source: source_name(item.source()),
            item_id: item.item_id,
            score: item.score,
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
        let explained = self.items.iter().any(|item| !item.reasons.is_empty());
        let rows = self.items.iter().enumerate().map(|(index, item)| {
            let reasons: Vec<String> = item.reasons.iter().map(ReasonPart::text).collect();
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
            row.extend(explained.then(|| reasons.join(", ")));
            row
        });
        let headers = [">", "item", ">score", "source", "title", "because of"];
        let headers = &headers[..if explained { 6 } else { 5 }];
        let mut text = output::table(headers, rows);
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
        let kind = match reason.kind() {
            reason::Kind::HistoryItem => "history_item",
            reason::Kind::Other => "other",
            reason::Kind::Popularity => "popularity",
            reason::Kind::Source => "source",
            reason::Kind::Feature => "feature",
            reason::Kind::Rule => "rule",
            reason::Kind::Users => "users",
            reason::Kind::Unspecified => "unspecified",
        };
        let Reason { item_id, name, contribution, title, .. } = reason;
        Self { kind, item_id, name, contribution, title }
    }

    /// What a shopper would be told, with the part.
    fn text(&self) -> String {
        let item = if self.title.is_empty() { &self.item_id } else { &self.title };
        let why = match self.kind {
            "history_item" if self.name.is_empty() => format!("because of {item}"),
            "history_item" => format!("because of {item} ({})", self.name),
            "other" if self.name.is_empty() => "other events".to_owned(),
            "other" => format!("other events ({})", self.name),
            _ if !self.name.is_empty() => self.name.clone(),
            kind => kind.to_owned(),
        };
        format!("{why} {:+.4}", self.contribution)
    }
}

pub(super) fn source_name(source: Source) -> &'static str {
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
    use mercer_proto::v1::Recommendation;

    use super::*;

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
            ..RecommendAnswer::new(response)
        };
        assert_eq!(
            serde_json::to_string(&answer).expect("serializes"),
            r#"{"user_id":"u","version":"v1","coverage":1.0,"items":[{"item_id":"i","score":0.5,"reasons":[{"kind":"history_item","item_id":"h","contribution":0.5}],"title":"Tea","source":"algorithm"}],"algorithm":"p3","user_known":true,"token":"t","attribution_token":"a"}"#
        );
        assert!(answer.table().contains("because of h +0.5000"), "{}", answer.table());
    }
}
