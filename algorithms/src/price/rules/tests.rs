use super::{super::demand::Form, *};

/// SplitMix64: the problems of a run are always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> i64 {
        (self.next() % end) as i64
    }

    fn often(&mut self) -> bool {
        self.below(3) > 0
    }

    fn rarely(&mut self) -> bool {
        self.below(3) == 0
    }

    /// Shares in thousandths.
    fn share(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64)
    }
}

/// A problem whose shares are thousandths, so that rules can be checked in integers by other means.
#[derive(Clone, Debug)]
struct Problem {
    demand: Demand,
    objective: Objective,
    current: i64,
    rules: Rules,
}

fn thousandths(share: f64) -> i128 {
    (share * 1_000.0).round() as i128
}

fn problem(random: &mut Random) -> Problem {
    // Prices up to 20.00, and up to a billion, not always whole hundredths.
    let scale = if random.often() { 2_000 } else { 100_000_000_000 };
    let exact = random.often();
    let money = |random: &mut Random| {
        let micros = (1 + random.below(scale)) * HUNDREDTH;
        if exact {
            micros
        } else {
            (micros + random.below(HUNDREDTH as u64) - HUNDREDTH / 2).max(1)
        }
    };
    let current = money(random);
    let cost = if random.rarely() { money(random) } else { current * random.below(100) / 100 };
    let near = |random: &mut Random| current / 1_000 * random.share(300, 2_000) + 1;
    let mut rules = Rules::default();
    if random.rarely() {
        rules.floor = Some(near(random));
    }
    if random.rarely() {
        rules.ceiling = Some(near(random));
    }
    if random.rarely() {
        rules.margin_floor = Some((random.share(-200, 900) as f64 / 1_000.0, cost));
    }
    if random.often() {
        rules.largest_change = Some(random.share(0, 500) as f64 / 1_000.0);
    }
    if random.rarely() {
        let low = random.rarely().then(|| random.share(500, 1_200) as f64 / 1_000.0);
        let high = random.often().then(|| random.share(700, 1_500) as f64 / 1_000.0);
        rules.competitor = Some((near(random), low, high));
    }
    if random.often() {
        let (one, other) = (near(random), near(random));
        let is_hard = random.rarely();
        rules.tested = Some(Tested { lowest: one.min(other), highest: one.max(other), is_hard });
    }
    if random.rarely() {
        rules.endings = (0..1 + random.below(4)).map(|_| random.below(100) as u32).collect();
    }
    let objective = if random.often() {
        Objective::Profit { unit_cost: cost as f64 / 1e6 }
    } else {
        Objective::Revenue
    };
    let demand = Demand {
        form: Form::ALL[random.below(3) as usize],
        price: current as f64 / 1e6,
        units: random.below(1_000_000) as f64 / 100.0,
        elasticity: -0.1 - random.below(790) as f64 / 100.0,
    };
    Problem { demand, objective, current, rules }
}

/// Whether `price` keeps `rule`, in integers and by the rule's definition.
fn keeps(problem: &Problem, rule: Rule, price: i64) -> bool {
    let Problem { current, rules, .. } = problem;
    let (wide, current) = (i128::from(price), i128::from(*current));
    match rule {
        Rule::Floor => rules.floor.is_none_or(|floor| price >= floor),
        Rule::Ceiling => rules.ceiling.is_none_or(|ceiling| price <= ceiling),
        Rule::MarginFloor => rules.margin_floor.is_none_or(|(margin, cost)| {
            (wide - i128::from(cost)) * 1_000 >= thousandths(margin) * wide
        }),
        Rule::LargestChange => rules
            .largest_change
            .is_none_or(|change| (wide - current).abs() * 1_000 <= thousandths(change) * current),
        Rule::CompetitorFloor => {
            let (price, lowest, _) = rules.competitor.unwrap_or_default();
            lowest.is_none_or(|low| wide * 1_000 >= thousandths(low) * i128::from(price))
        }
        Rule::CompetitorCeiling => {
            let (price, _, highest) = rules.competitor.unwrap_or_default();
            highest.is_none_or(|high| wide * 1_000 <= thousandths(high) * i128::from(price))
        }
        Rule::TestedRange => rules.tested.is_none_or(|tested| {
            price > tested.lowest - HUNDREDTH && price < tested.highest + HUNDREDTH
        }),
        Rule::Endings => {
            let ending = (price / HUNDREDTH % 100) as u32;
            rules.endings.is_empty() || rules.endings.contains(&ending)
        }
    }
}

const ALL: [Rule; 8] = [
    Rule::Floor,
    Rule::Ceiling,
    Rule::MarginFloor,
    Rule::LargestChange,
    Rule::CompetitorFloor,
    Rule::CompetitorCeiling,
    Rule::TestedRange,
    Rule::Endings,
];

fn without(rules: &Rules, rule: Rule) -> Rules {
    let mut rules = rules.clone();
    match rule {
        Rule::Floor => rules.floor = None,
        Rule::Ceiling => rules.ceiling = None,
        Rule::MarginFloor => rules.margin_floor = None,
        Rule::LargestChange => rules.largest_change = None,
        Rule::CompetitorFloor => {
            rules.competitor = rules.competitor.map(|(at, _, high)| (at, None, high))
        }
        Rule::CompetitorCeiling => {
            rules.competitor = rules.competitor.map(|(at, low, _)| (at, low, None))
        }
        Rule::TestedRange => rules.tested = None,
        Rule::Endings => rules.endings.clear(),
    }
    rules
}

fn solve(problem: &Problem, rules: &Rules) -> Result<Choice, Infeasible> {
    choose(&problem.demand, problem.objective, problem.current, rules)
}

fn is_hard(problem: &Problem, rule: Rule) -> bool {
    matches!(rule, Rule::Floor | Rule::Ceiling | Rule::MarginFloor)
        || (rule == Rule::TestedRange && problem.rules.tested.is_some_and(|tested| tested.is_hard))
}

#[test]
fn no_rule_reported_as_kept_is_violated() {
    let mut random = Random(42);
    let mut seen = [0_u32; 5];
    for index in 0..100_000 {
        let problem = problem(&mut random);
        let choice = match solve(&problem, &problem.rules) {
            Ok(choice) => choice,
            Err(Infeasible { rule, against }) => {
                seen[0] += 1;
                // Those two alone, or the named one by itself, leave no price.
                assert!(is_hard(&problem, rule), "{index} {problem:?}");
                let mut pair = Rules::default();
                for kept in [rule, against] {
                    let source = &problem.rules;
                    match kept {
                        Rule::Floor => pair.floor = source.floor,
                        Rule::Ceiling => pair.ceiling = source.ceiling,
                        Rule::MarginFloor => pair.margin_floor = source.margin_floor,
                        Rule::TestedRange => pair.tested = source.tested,
                        _ => panic!("{rule:?} or {against:?} is not hard"),
                    }
                }
                let alone = solve(&problem, &pair);
                assert_eq!(alone, Err(Infeasible { rule, against }), "{index} {problem:?}");
                continue;
            }
        };
        assert!(choice.price > 0 && choice.price % HUNDREDTH == 0);
        assert!((choice.allowed.0..=choice.allowed.1).contains(&choice.price));
        let mut reported = choice.outcomes.clone();
        reported.sort_by_key(|&(rule, _)| rule);
        let set: Vec<Rule> = ALL
            .into_iter()
            .filter(|&rule| without(&problem.rules, rule) != problem.rules)
            .collect();
        assert_eq!(reported.iter().map(|&(rule, _)| rule).collect::<Vec<_>>(), set);
        let is_any_relaxed = reported.iter().any(|&(_, outcome)| outcome == Outcome::Relaxed);
        for (rule, outcome) in choice.outcomes {
            seen[1 + outcome as usize] += 1;
            let holds = keeps(&problem, rule, choice.price);
            match outcome {
                Outcome::Kept | Outcome::Binding => {
                    assert!(holds, "{index} {rule:?} {problem:?} {}", choice.price);
                }
                Outcome::Relaxed => {
                    assert!(!holds && !is_hard(&problem, rule), "{index} {rule:?} {problem:?}");
                }
            }
            if is_any_relaxed {
                continue;
            }
            // Binding is what would be another price without the rule.
            let other = solve(&problem, &without(&problem.rules, rule)).expect("fewer rules");
            if outcome == Outcome::Kept && rule != Rule::Endings {
                assert_eq!(other.before_endings, choice.before_endings, "{index} {rule:?}");
            }
            if outcome == Outcome::Binding && rule != Rule::Endings {
                seen[4] += u32::from(other.before_endings != choice.before_endings);
                let value =
                    |price: i64| problem.demand.value_at(problem.objective, price as f64 / 1e6);
                let (with, without) = (value(choice.before_endings), value(other.before_endings));
                let noise = 1e-12 * with.abs();
                assert!(without >= with - noise, "{index} {rule:?} {problem:?}");
            }
        }
    }
    // The problems cover everything: infeasible, kept, binding, relaxed, and decisive.
    assert!(seen.iter().all(|&count| count > 5_000), "{seen:?}");
}

/// The best of all allowed prices, tried one by one.
#[test]
fn equals_trying_every_price() {
    let mut random = Random(7);
    let mut tried = 0;
    while tried < 5_000 {
        let problem = problem(&mut random);
        let Ok(choice) = solve(&problem, &problem.rules) else { continue };
        let (low, high) = choice.allowed;
        if (high - low) / HUNDREDTH > 2_000 {
            continue;
        }
        tried += 1;
        let value = |price: i64| problem.demand.value_at(problem.objective, price as f64 / 1e6);
        let prices =
            || (low / HUNDREDTH..=high / HUNDREDTH).map(|hundredths| hundredths * HUNDREDTH);
        let best =
            |prices: &mut dyn Iterator<Item = i64>| prices.map(value).fold(f64::MIN, f64::max);
        let close = |found: f64, expected: f64| {
            assert!(
                found >= expected - 1e-9 * expected.abs().max(1e-6),
                "{found} where {expected} is possible: {problem:?}"
            );
        };
        close(value(choice.before_endings), best(&mut prices()));
        let mut ending = prices().filter(|&price| keeps(&problem, Rule::Endings, price)).peekable();
        match ending.peek() {
            Some(_) => {
                let (with, without) = (best(&mut ending), value(choice.before_endings));
                let relaxed = with < 0.0 && without >= 0.0;
                close(value(choice.price), if relaxed { without } else { with });
            }
            None => assert_eq!(choice.price, choice.before_endings),
        }
    }
}

fn sample() -> Problem {
    // The optimum is 6 x 2 / (2 - 1) = 12.00.
    let demand =
        Demand { form: Form::ConstantElasticity, price: 10.0, units: 100.0, elasticity: -2.0 };
    let objective = Objective::Profit { unit_cost: 6.0 };
    Problem { demand, objective, current: 10_000_000, rules: Rules::default() }
}

#[test]
fn rules_give_way_in_their_order() {
    let problem = sample();
    let solve = |rules: Rules| solve(&problem, &rules);
    let free = solve(Rules::default()).unwrap();
    assert_eq!((free.price, free.outcomes), (12_000_000, vec![]));

    // At most 10 % at once; competitors ask less, but the largest change comes first.
    let rules = Rules {
        largest_change: Some(0.1),
        competitor: Some((8_000_000, None, Some(1.0))),
        ..Default::default()
    };
    let found = solve(rules).unwrap();
    assert_eq!(found.price, 9_000_000, "as near to competitors as a change may bring it");
    let outcomes =
        [(Rule::LargestChange, Outcome::Binding), (Rule::CompetitorCeiling, Outcome::Relaxed)];
    assert_eq!(found.outcomes, outcomes);

    let rules = Rules { largest_change: Some(0.1), endings: vec![99, 49], ..Default::default() };
    let found = solve(rules).unwrap();
    assert_eq!((found.price, found.before_endings), (10_990_000, 11_000_000));
    let outcomes = [(Rule::LargestChange, Outcome::Binding), (Rule::Endings, Outcome::Binding)];
    assert_eq!(found.outcomes, outcomes);

    let rules = Rules { largest_change: Some(0.001), endings: vec![49], ..Default::default() };
    let found = solve(rules).unwrap();
    assert_eq!((found.price, found.outcomes[1]), (10_010_000, (Rule::Endings, Outcome::Relaxed)));
}

#[test]
fn hard_rules_that_contradict_are_named() {
    let problem = sample();
    let solve = |rules: Rules| solve(&problem, &rules).unwrap_err();
    let rules = Rules { floor: Some(9_000_000), ceiling: Some(8_990_000), ..Default::default() };
    assert_eq!(solve(rules), Infeasible { rule: Rule::Ceiling, against: Rule::Floor });
    // 6 / (1 - 0.4) = 10.
    let rules = Rules {
        margin_floor: Some((0.4, 6_000_000)),
        ceiling: Some(9_999_999),
        ..Default::default()
    };
    assert_eq!(solve(rules), Infeasible { rule: Rule::MarginFloor, against: Rule::Ceiling });
    let tested = Tested { lowest: 2_000_000, highest: 3_000_000, is_hard: true };
    let rules = Rules { floor: Some(3_010_000), tested: Some(tested), ..Default::default() };
    assert_eq!(solve(rules), Infeasible { rule: Rule::TestedRange, against: Rule::Floor });
    let rules = Rules { ceiling: Some(9_999), ..Default::default() };
    assert_eq!(solve(rules), Infeasible { rule: Rule::Ceiling, against: Rule::Ceiling });
}

/// Prices are whole in the smallest unit that the currency has, and end in its last two digits.
#[test]
fn each_currency_has_its_own_steps() {
    let demand =
        Demand { form: Form::ConstantElasticity, price: 330.0, units: 100.0, elasticity: -2.0 };
    let objective = Objective::Profit { unit_cost: 132.5 };
    let at = |step: i64, endings: &[u32]| {
        let rules = Rules { step, endings: endings.to_vec(), ..Rules::default() };
        choose(&demand, objective, 330_000_000, &rules).expect("feasible").price
    };
    // The optimum is twice the cost.
    assert_eq!(at(HUNDREDTH, &[]), 265_000_000);
    assert_eq!(at(HUNDREDTH, &[99]), 264_990_000);
    assert_eq!(at(1_000_000, &[]), 265_000_000);
    assert_eq!(at(1_000_000, &[99]), 299_000_000);
    assert_eq!(at(1_000_000, &[80, 9]), 280_000_000);
    assert_eq!(at(1_000, &[50]), 265_050_000);
    let most = Rules { step: 1_000_000, floor: Some(300_400_000), ..Rules::default() };
    let choice = choose(&demand, objective, 330_000_000, &most).expect("feasible");
    assert_eq!(choice.price, 301_000_000);
}
