//! Days without a sale that are missing data, not days without demand.

/// Sale days before a run from which the longest earlier run says enough: of twenty gaps the next
/// is the longest by chance once in twenty.
const ENOUGH: usize = 20;

/// What is known of a day of a shop or a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaleDay {
    /// Something was sold.
    Sold,
    /// Nothing was.
    Empty,
    /// Known to be missing: it is neither, and makes no run of empty days longer.
    Missing,
}

/// Which `days`, from the first with a sale to the last that counts, are missing: those of a run of
/// empty days that is longer than every earlier one. All days of such a run are; it does not count
/// as an earlier one itself, for nothing was observed.
///
/// Shorter runs are days without demand, as weekends and holidays are. After fewer than twenty sale
/// days the run must be longer by as many times as the sale days are short of twenty, and after the
/// first sale alone there is nothing to compare it with.
#[must_use]
pub fn missing(days: &[SaleDay]) -> Vec<bool> {
    let mut missing: Vec<bool> = days.iter().map(|day| *day == SaleDay::Missing).collect();
    let (mut sold, mut longest) = (0, 0);
    let mut at = 0;
    while at < days.len() {
        if days[at] == SaleDay::Sold {
            sold += 1;
            at += 1;
            continue;
        }
        let rest = &days[at..];
        let length = rest.iter().position(|day| *day == SaleDay::Sold).unwrap_or(rest.len());
        let empty = rest[..length].iter().filter(|day| **day == SaleDay::Empty).count();
        let times = ENOUGH.div_ceil(sold.max(1)).max(1);
        // In days from one sale to the next, which are one more than the days between.
        if sold > 1 && empty + 1 > (longest + 1) * times {
            missing[at..at + length].fill(true);
        } else {
            longest = longest.max(empty);
        }
        at += length;
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `#` sold, `.` empty, `?` known to be missing.
    fn shown(days: &str) -> String {
        let read = days.chars().map(|day| match day {
            '#' => SaleDay::Sold,
            '.' => SaleDay::Empty,
            _ => SaleDay::Missing,
        });
        let found = missing(&read.collect::<Vec<_>>());
        let shown = days.chars().zip(found);
        shown.map(|(day, missing)| if missing { '?' } else { day }).collect()
    }

    #[test]
    fn a_run_longer_than_every_earlier_one_is_missing() {
        let daily = "#".repeat(30);
        assert_eq!(shown(&format!("{daily}....#.")), format!("{daily}????#?"));
        let weeks = "#####..".repeat(5);
        // A weekend is none; a week is; so is a shorter run after it that no weekend explains.
        let holes = format!("{weeks}#####.......#####..###....#####..");
        let expected = format!("{weeks}#####???????#####..###????#####..");
        assert_eq!(shown(&holes), expected);
        // At the end as in a hole.
        assert_eq!(shown(&format!("{weeks}#####..")), format!("{weeks}#####.."));
        assert_eq!(shown(&format!("{weeks}#####...")), format!("{weeks}#####???"));
    }

    #[test]
    fn few_sale_days_say_little_of_runs() {
        // Four sale days: a run must be five times as long from sale to sale.
        assert_eq!(shown("#.#.#.#........."), "#.#.#.#.........");
        assert_eq!(shown("#.#.#.#.........."), "#.#.#.#??????????");
        assert_eq!(
            shown("#......................................#"),
            "#......................................#"
        );
        assert_eq!(shown(""), "");
        assert_eq!(shown("#"), "#");
    }

    #[test]
    fn days_that_are_missing_anyway_make_no_run_longer() {
        let often = "##..".repeat(10);
        assert_eq!(shown(&format!("{often}#.????.#")), format!("{often}#.????.#"));
        assert_eq!(shown(&format!("{often}#..???.#")), format!("{often}#??????#"));
    }
}
