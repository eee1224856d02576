//! The words that stand in many rows, found within bounded memory.

/// Words that are followed at a time.
const FOLLOWED: usize = 32;
/// Rows below which nothing is outstanding.
const FEW: u64 = 20;

/// Follows the most frequent words of a column by the method of Misra and Gries (Finding repeated
/// elements, 1982): its count is never above the true one, and below it by at most a 33rd of all rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Frequent {
    pub(super) rows: u64,
    followed: Vec<(String, u64)>,
}

impl Frequent {
    /// Counts a word.
    pub(super) fn add(&mut self, word: &str) {
        self.rows += 1;
        if let Some((_, count)) = self.followed.iter_mut().find(|(known, _)| known == word) {
            *count += 1;
        } else if self.followed.len() < FOLLOWED {
            self.followed.push((word.to_owned(), 1));
        } else {
            self.followed.iter_mut().for_each(|(_, count)| *count -= 1);
            self.followed.retain(|(_, count)| *count > 0);
        }
    }

    /// Adds what another part of the column holds.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        for (word, count) in other.followed {
            match self.followed.iter_mut().find(|(known, _)| *known == word) {
                Some((_, all)) => *all += count,
                None => self.followed.push((word, count)),
            }
        }
        self.followed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        self.followed.truncate(FOLLOWED);
    }

    /// The word of a fifth of all rows and thrice as many as any other has, and at least how many.
    pub(super) fn outstanding(&self) -> Option<(&str, u64)> {
        let (word, count) = self.followed.iter().max_by_key(|(_, count)| *count)?;
        let others = self.followed.iter().filter(|(other, _)| other != word);
        let next = others.map(|(_, count)| *count).max()?;
        let stands_out = *count >= FEW && count * 5 >= self.rows && *count >= next * 3;
        stands_out.then_some((word.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Frequent {
        let mut frequent = Frequent::default();
        words.iter().for_each(|word| frequent.add(word));
        frequent
    }

    #[test]
    fn a_word_stands_out_where_it_has_a_fifth_and_nobody_comes_near() {
        let mut words: Vec<String> = (0..90).map(|user| format!("u{user}")).collect();
        words.extend(vec!["walk-in".to_owned(); 45]);
        let mixed: Vec<&str> = (0..135).map(|index| words[index * 34 % 135].as_str()).collect();
        let frequent = of(&mixed);
        let (word, count) = frequent.outstanding().expect("outstanding");
        assert_eq!(word, "walk-in");
        assert!((20..=45).contains(&count), "{count}");
        // One user alone, equal ones, and few rows tell nothing.
        assert_eq!(of(&["u1"; 100]).outstanding(), None);
        assert_eq!(of(&[["a"; 50], ["b"; 50]].concat()).outstanding(), None);
        assert_eq!(of(&["a", "a", "a", "a", "b"]).outstanding(), None);
        let mut joined = of(&["a"; 15]);
        joined.merge(of(&["a", "a", "a", "a", "a", "a", "b"]));
        assert_eq!((joined.rows, joined.outstanding()), (22, Some(("a", 21))));
    }
}
