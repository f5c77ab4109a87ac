//! Which letters leave first when more wait than leave: one flood must not delay what somebody needs now.
//!
//! Letters wait in lanes. Each claim takes from the first lane that has any, and one letter before all others from the
//! lane whose turn it is: so no lane waits for ever, and each has at least its share of what leaves.

use super::letter::Letter;

/// A lane, the most urgent first; the numbers are in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Urgency {
    /// What happened to an account: its owner must know before it is too late.
    Notice = 0,
    /// What somebody asked for and waits for who has an account, mostly: codes and links to get in.
    Asked = 1,
    /// What strangers can cause for as many addresses as they know.
    Bulk = 2,
}

/// The lane of what waits beside several of its kind for the same recipient.
pub(super) const MORE_OF_THE_SAME: i64 = 3;

/// How many of one kind wait in their own lane for one recipient.
pub(super) const OF_A_KIND: i64 = 3;

/// Whose turn it is, claim by claim. Of eight, four are the first lane's, two the second's.
const TURNS: [i64; 8] = [0, 1, 0, 2, 0, 1, 0, MORE_OF_THE_SAME];

/// Returns the lane whose letter goes before all others at the claim of this number.
pub(super) fn turn(claim: usize) -> i64 {
    TURNS[claim % TURNS.len()]
}

impl Letter {
    /// Returns its lane. All that a registration can cause are in one: what becomes of a mail must not tell which
    /// it was.
    pub(super) fn urgency(&self) -> Urgency {
        match self {
            Self::VerifyEmail { .. }
            | Self::ChoosePassword { .. }
            | Self::AlreadyRegistered { .. } => Urgency::Bulk,
            Self::SignIn { .. } | Self::ResetPassword { .. } | Self::ConfirmNewEmail { .. } => {
                Urgency::Asked
            }
            _ => Urgency::Notice,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ASVS: V15.4.4
    #[test]
    fn no_lane_waits_for_ever_and_none_has_more_turns_than_a_more_urgent_one() {
        let turns = |lane| (0..800).filter(|claim| turn(*claim) == lane).count();
        assert_eq!([0, 1, 2, MORE_OF_THE_SAME].map(turns), [400, 200, 100, 100]);
    }

    #[test]
    fn what_a_registration_causes_is_in_one_lane() {
        let link = || "https://id.example.org/".into();
        for letter in [
            Letter::VerifyEmail { link: link() },
            Letter::ChoosePassword { link: link() },
            Letter::AlreadyRegistered { link: Some(link()) },
        ] {
            assert!(Letter::is_of_registration(letter.kind()));
            assert_eq!(letter.urgency(), Urgency::Bulk);
        }
        assert_eq!(Letter::ResetPassword { link: link() }.urgency(), Urgency::Asked);
        assert_eq!(Letter::PasswordChanged.urgency(), Urgency::Notice);
    }
}
