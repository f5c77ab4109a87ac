//! What is believed of something that is looked at again and again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::finding::Status;
use super::policy::Act;

/// What is believed of something that is looked at again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Standing {
    /// It is as it should be.
    Good,
    /// It works, and somebody should know something.
    Warned,
    /// It is wrong.
    Bad,
    /// Nobody knows: it was not looked at for too long, or looking failed.
    Unknown,
    /// There is nothing to look at.
    Idle,
}

impl Standing {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warned => "warned",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Idle => "idle",
        }
    }

    /// Returns the value of `authshield_check_status`; nothing where there is nothing to look at.
    #[must_use]
    pub const fn metric(self) -> Option<i64> {
        match self {
            Self::Good => Some(0),
            Self::Warned => Some(1),
            Self::Bad => Some(2),
            Self::Unknown => Some(3),
            Self::Idle => None,
        }
    }

    /// Returns what one result says, where a bad one means `act`.
    #[must_use]
    pub fn of(status: Status, act: Act) -> Self {
        match status {
            Status::Pass => Self::Good,
            Status::Warn => Self::Warned,
            Status::Fail if act == Act::Warn => Self::Warned,
            Status::Fail => Self::Bad,
            Status::Skip => Self::Idle,
            Status::Error => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Bad, Unknown, Warned};
    use super::*;

    #[test]
    fn a_milder_policy_makes_a_failure_a_warning() {
        assert_eq!(Standing::of(Status::Fail, Act::Warn), Warned);
        assert_eq!(Standing::of(Status::Fail, Act::Page), Bad);
        assert_eq!(Standing::of(Status::Warn, Act::Page), Warned);
        assert_eq!(Standing::of(Status::Error, Act::Warn), Unknown);
    }
}
