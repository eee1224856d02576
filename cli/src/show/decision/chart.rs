//! Pictures of numbers, in characters.

/// Eighths of a character cell, from nothing to all of it.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
/// Heights, from the lowest to the highest.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// One character a value, its height from 0 to the largest value.
pub(crate) fn sparkline(values: impl IntoIterator<Item = f64> + Clone) -> String {
    let largest = values.clone().into_iter().fold(0.0, f64::max);
    values
        .into_iter()
        .map(|value| {
            let share = if largest > 0.0 { (value / largest).clamp(0.0, 1.0) } else { 0.0 };
            HEIGHTS[place(share, HEIGHTS.len() - 1)]
        })
        .collect()
}

/// A bar of `value / full` of `width` characters, to an eighth; nothing at or below 0.
pub(crate) fn bar(value: f64, full: f64, width: usize) -> String {
    if !(value > 0.0 && full > 0.0) {
        return String::new();
    }
    let eighths = place((value / full).min(1.0), width * 8);
    let mut bar = String::from(EIGHTHS[8]).repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    bar
}

/// A line from `low` to `high` with a mark at `middle`, on an axis from 0 to `full` of `width`
/// characters.
pub(crate) fn interval(low: f64, middle: f64, high: f64, full: f64, width: usize) -> String {
    if full <= 0.0 || full.is_nan() || width == 0 {
        return String::new();
    }
    let at = |value: f64| place((value / full).clamp(0.0, 1.0), width - 1);
    let (low, middle, high) = (at(low), at(middle), at(high));
    (0..=high.max(middle))
        .map(|column| match column {
            _ if column == middle => '●',
            _ if column < low || column > high => ' ',
            _ if column == low => '├',
            _ if column == high => '┤',
            _ => '─',
        })
        .collect()
}

/// The nearest of the whole numbers 0 to `steps` to `share` of them.
fn place(share: f64, steps: usize) -> usize {
    let place = (share * steps as f64).round() as usize;
    place.min(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_go_from_zero_to_the_largest() {
        assert_eq!(sparkline([0.0, 3.5, 7.0]), "▁▅█");
        assert_eq!(sparkline([0.0, 0.0]), "▁▁");
        assert_eq!(sparkline([]), "");
    }

    #[test]
    fn bars_are_exact_to_an_eighth() {
        assert_eq!(bar(1.0, 1.0, 3), "███");
        assert_eq!(bar(0.5, 1.0, 3), "█▌");
        assert_eq!(bar(9.0, 1.0, 2), "██");
        for nothing in [bar(0.0, 1.0, 3), bar(-1.0, 1.0, 3), bar(f64::NAN, 1.0, 3)] {
            assert_eq!(nothing, "");
        }
    }

    #[test]
    fn an_interval_keeps_its_order_whatever_it_is_given() {
        assert_eq!(interval(2.0, 5.0, 8.0, 10.0, 11), "  ├──●──┤");
        assert_eq!(interval(0.0, 0.0, 0.0, 10.0, 11), "●");
        // A mean above the upper quantile, as of rare large sales.
        assert_eq!(interval(0.0, 5.0, 2.0, 10.0, 11), "├─┤  ●");
        assert_eq!(interval(0.0, 1.0, 2.0, 0.0, 11), "");
    }
}
