//! Arms as people write and read them.

use mercer_proto::v1::{Arm, Reranking};

/// Keys that may follow an arm's weight.
pub(super) const HELP: &str = "\
Keys of an arm; what is left out is as each request says:
  algorithm=NAME            such as hybrid
  rule_set=NAME             rules that count beside those for every call
  version=NAME              a version that is kept, such as v3
  exploration=SHARE         how often the last place goes to an item drawn from those below
  max_relevance_loss=SHARE  with margin=W, stock=W, overstock=W, diversity=W: order by these too

  mercer experiment set ranker --arm control=1 --arm hybrid=1,algorithm=hybrid,exploration=0.1";

/// Parses `NAME=WEIGHT[,KEY=VALUE...]`.
pub(super) fn parse(text: &str) -> Result<Arm, String> {
    let mut parts = text.split(',');
    let first = parts.next().unwrap_or_default();
    let (name, weight) = first.split_once('=').ok_or_else(|| {
        format!("`{first}` has no weight; write an arm like hybrid=1,algorithm=hybrid")
    })?;
    let weight = weight.trim().parse().map_err(|_| format!("`{weight}` is no whole number"))?;
    let mut arm = Arm { arm_id: name.trim().to_owned(), weight, ..Arm::default() };
    for part in parts {
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` has no value"))?;
        let (key, value) = (key.trim(), value.trim());
        let number = || value.parse::<f64>().map_err(|_| format!("`{key}={value}` is no number"));
        let reranking = || arm.reranking.unwrap_or_default();
        match key {
            "algorithm" => value.clone_into(&mut arm.algorithm),
            "rule_set" => value.clone_into(&mut arm.rule_set),
            "version" => value.clone_into(&mut arm.version),
            "exploration" => arm.exploration = number()?,
            "max_relevance_loss" => {
                arm.reranking = Some(Reranking { max_relevance_loss: number()?, ..reranking() });
            }
            "margin" => arm.reranking = Some(Reranking { margin: number()?, ..reranking() }),
            "stock" => arm.reranking = Some(Reranking { stock: number()?, ..reranking() }),
            "overstock" => arm.reranking = Some(Reranking { overstock: number()?, ..reranking() }),
            "diversity" => arm.reranking = Some(Reranking { diversity: number()?, ..reranking() }),
            _ => return Err(format!("`{key}` is no key of an arm; see --help")),
        }
    }
    Ok(arm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::experiment::ArmRow;

    #[test]
    fn what_is_typed_is_shown() {
        let changes = "algorithm=hybrid,rule_set=winter,version=v3,exploration=0.1,\
                       max_relevance_loss=0.05,margin=1,diversity=0.5";
        let arm = parse(&format!("b=3,{changes}")).expect("an arm");
        assert_eq!((arm.arm_id.as_str(), arm.weight, arm.exploration), ("b", 3, 0.1));
        let rows = ArmRow::all(&[parse("a=1").expect("an arm"), arm]);
        assert_eq!((rows[0].changes().as_str(), rows[0].share), ("as requested", 0.25));
        assert_eq!((rows[1].changes().as_str(), rows[1].share), (changes, 0.75));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in
            [("a", "weight"), ("a=x", "x"), ("a=1,b", "b"), ("a=1,x=1", "x"), ("a=1,stock=y", "y")]
        {
            let error = parse(text).expect_err(text);
            assert!(error.contains(&format!("`{word}")) || error.contains(word), "{error}");
        }
    }
}
