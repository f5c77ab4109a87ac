//! From results to what is believed: one bad result is a hiccup, two are a fault. Pure.

use super::standing::Standing;

/// How many results in a row it takes to change a belief.
const ENOUGH: u8 = 2;

/// A belief, and how many results in a row spoke against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Track {
    /// What is believed.
    pub standing: Standing,
    against: u8,
}

impl Track {
    /// Begins with a belief.
    #[must_use]
    pub const fn at(standing: Standing) -> Self {
        Self { standing, against: 0 }
    }

    /// Whether the last result spoke against the belief: then the next look should be soon.
    #[must_use]
    pub const fn in_doubt(self) -> bool {
        self.against > 0
    }

    /// Returns what is to be believed after one more result.
    ///
    /// A good one is believed at once where nothing was known; a check that broke, and that there is
    /// nothing to look at, are no matter of belief.
    #[must_use]
    pub fn after(self, seen: Standing) -> Self {
        let known = !matches!(self.standing, Standing::Unknown | Standing::Idle);
        let at_once = matches!(seen, Standing::Unknown | Standing::Idle)
            || (seen == Standing::Good && !known);
        if seen == self.standing || at_once || self.against + 1 >= ENOUGH {
            return Self::at(seen);
        }
        Self { against: self.against + 1, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Bad, Good, Idle, Unknown, Warned};
    use super::*;

    fn story(first: Standing, results: &[Standing]) -> Vec<Standing> {
        let mut track = Track::at(first);
        let beliefs = results.iter().map(|seen| {
            track = track.after(*seen);
            track.standing
        });
        beliefs.collect()
    }

    #[test]
    fn it_takes_two_to_go_bad_and_two_to_recover() {
        assert_eq!(story(Good, &[Bad, Good, Bad, Good]), [Good, Good, Good, Good]);
        assert_eq!(story(Good, &[Bad, Bad, Good, Good]), [Good, Bad, Bad, Good]);
        assert_eq!(story(Good, &[Bad, Warned]), [Good, Warned]);
        assert_eq!(story(Unknown, &[Good]), [Good]);
        assert_eq!(story(Unknown, &[Bad, Bad]), [Unknown, Bad]);
        assert_eq!(story(Bad, &[Unknown, Good]), [Unknown, Good]);
        assert_eq!(story(Good, &[Idle, Good]), [Idle, Good]);
    }
}
