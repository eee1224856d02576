//! Rules for recommendations on their way into the log and out of the directory.

use mercer_common::limits;
use mercer_proto::{
    internal::mutation::Kind as Mutation,
    v1::{
        BrandCondition, Filter, ListRulesRequest, RecommendRule, SetRulesRequest,
        filter::Condition, recommend_rule::Action,
    },
};
use prost_types::Timestamp;
use tonic::Code;

use super::{TestCluster, details};

fn rule(rule_id: &str) -> RecommendRule {
    let brand = BrandCondition { brands: vec!["acme".into()] };
    RecommendRule {
        rule_id: rule_id.into(),
        action: Some(Action::Boost(0.5)),
        filter: Some(Filter { condition: Some(Condition::Brand(brand)) }),
        start_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        end_time: Some(Timestamp { seconds: 1_700_000_000, nanos: 1 }),
        rule_set: "winter".into(),
    }
}

fn with(change: impl FnOnce(&mut RecommendRule)) -> SetRulesRequest {
    let mut rule = rule("one");
    change(&mut rule);
    SetRulesRequest { rules: vec![rule], ..Default::default() }
}

fn bad() -> Vec<(SetRulesRequest, &'static str)> {
    let removed = |ids: &[&str]| SetRulesRequest {
        removed_rule_ids: ids.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    let time = |seconds, nanos| Some(Timestamp { seconds, nanos });
    let mut cases = vec![
        (SetRulesRequest::default(), "rules"),
        (removed(&[""]), "removed_rule_ids[0]"),
        (removed(&["a"; 1_001]), "removed_rule_ids"),
        (with(|r| r.rule_id.clear()), "rules[0].rule_id"),
        (with(|r| r.rule_id = "x".repeat(257)), "rules[0].rule_id"),
        (with(|r| r.action = None), "rules[0]"),
        (with(|r| r.action = Some(Action::Exclude(false))), "rules[0].exclude"),
        (with(|r| r.filter = None), "rules[0].filter"),
        (with(|r| r.filter = Some(Filter::default())), "rules[0].filter"),
        (with(|r| r.start_time = time(i64::MAX, 0)), "rules[0].start_time"),
        (with(|r| r.end_time = time(0, -1)), "rules[0].end_time"),
        (with(|r| r.end_time = r.start_time), "rules[0].end_time"),
        (with(|r| r.rule_set = "a\nb".into()), "rules[0].rule_set"),
        (SetRulesRequest { rules: vec![rule("a"), rule("a")], ..removed(&[]) }, "rules[1].rule_id"),
        (SetRulesRequest { rules: vec![rule("a")], ..removed(&["a"]) }, "rules[0].rule_id"),
    ];
    for include in [0.0, -1.0, 1e7, f64::INFINITY, f64::NAN] {
        cases.push((with(|r| r.action = Some(Action::Include(include))), "rules[0].include"));
    }
    for boost in [-1.1, 10.1, f64::NEG_INFINITY, f64::NAN] {
        cases.push((with(|r| r.action = Some(Action::Boost(boost))), "rules[0].boost"));
    }
    cases
}

#[tokio::test]
async fn bad_rules_are_named_by_field_and_leave_no_trace() {
    let cluster = TestCluster::start(0).await;
    for (request, field) in bad() {
        let status = cluster.catalog().set_rules(request).await.expect_err(field);
        let (code, _, fields) = details(&status);
        assert_eq!((code, fields), (Code::InvalidArgument, vec![field.to_owned()]), "{status:?}");
    }
    let rules = (0..limits::RECOMMEND_RULES.records + 1).map(|number| rule(&number.to_string()));
    let request = SetRulesRequest { rules: rules.collect(), ..Default::default() };
    let status = cluster.catalog().set_rules(request).await.expect_err("too many");
    assert_eq!(details(&status).2, ["rules"]);
    // More than all rules may take.
    let brands = vec!["x".repeat(256); 900];
    let filter = Filter { condition: Some(Condition::Brand(BrandCondition { brands })) };
    let mut rules = Vec::new();
    for number in 0..10 {
        rules.push(RecommendRule { filter: Some(filter.clone()), ..rule(&number.to_string()) });
    }
    let request = SetRulesRequest { rules, ..Default::default() };
    let status = cluster.catalog().set_rules(request).await.expect_err("too large");
    assert_eq!(details(&status).2, ["rules"]);
    assert!(cluster.log.sections().is_empty());
}

#[tokio::test]
async fn every_shard_gets_all_changes_of_a_call_at_once() {
    let cluster = TestCluster::start(0).await;
    let (always, bounds) = (rule("always"), [-1.0, 10.0]);
    let always = RecommendRule { start_time: None, end_time: None, ..always };
    let lasting = bounds.map(|boost| RecommendRule {
        action: Some(Action::Boost(boost)),
        ..rule(&format!("boost {boost}"))
    });
    let rules: Vec<RecommendRule> = lasting.into_iter().chain([always]).collect();
    let request = SetRulesRequest {
        rules: rules.clone(),
        removed_rule_ids: vec!["old".into()],
        request_id: Some("a change".into()),
    };
    for _ in 0..2 {
        cluster.catalog().set_rules(request.clone()).await.expect("accepted");
    }
    let sections = cluster.log.sections();
    assert_eq!(sections.len(), 8);
    let expected: Vec<Mutation> = [Mutation::RemoveRecommendRule("old".into())]
        .into_iter()
        .chain(rules.into_iter().map(Mutation::SetRecommendRule))
        .collect();
    for (_, section) in &sections {
        // A repeated call is recognised where it is applied.
        assert_eq!(section.origin, sections[0].1.origin);
        assert!(section.origin.is_some());
        let kinds: Vec<Mutation> =
            section.mutations.iter().filter_map(|one| one.kind.clone()).collect();
        assert_eq!(kinds, expected);
    }
}

#[tokio::test]
async fn rules_are_listed() {
    let cluster = TestCluster::start(1).await;
    let listed = cluster.catalog().list_rules(ListRulesRequest::default()).await.expect("listed");
    let ids = listed.into_inner().rules.into_iter().map(|rule| rule.rule_id);
    assert_eq!(ids.collect::<Vec<_>>(), ["a", "b", "c", "d", "e"]);
    let foreign = ListRulesRequest { tokens: vec!["?".into()], ..Default::default() };
    let status = cluster.catalog().list_rules(foreign).await.expect_err("refused");
    assert_eq!(details(&status).2, ["tokens[0]"]);
}
