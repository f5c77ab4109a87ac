//! Whether a session goes on.

use super::sql::Life;
use crate::config;
use crate::kernel::Timestamp;

/// Why a session does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// Somebody ended it.
    #[error("the session was ended")]
    ByChoice,
    /// It reached its absolute end.
    #[error("the session reached its end")]
    TooOld,
    /// It was not used for too long.
    #[error("the session was not used for too long")]
    Idle,
}

/// Decides whether a session goes on.
pub fn live(session: &Life, config: &config::Session, now: Timestamp) -> Result<(), Ended> {
    if session.ended_at.is_some() {
        return Err(Ended::ByChoice);
    }
    if session.expires_at <= now {
        return Err(Ended::TooOld);
    }
    if session.last_active_at <= now - config.idle_timeout {
        return Err(Ended::Idle);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kernel::SessionId;
    use crate::world::{Sandbox, World};

    #[test]
    fn a_session_ends_by_choice_by_age_and_by_disuse() {
        let world = Sandbox::default();
        let now = world.now();
        let day = Duration::from_hours(24);
        let config = config::Session { lifetime: 30 * day, idle_timeout: 7 * day };
        let session = Life {
            id: SessionId::new(&world),
            last_active_at: now,
            expires_at: now + config.lifetime,
            ended_at: None,
        };
        let used = |at| Life { last_active_at: at, ..session };
        for (session, at, expected) in [
            (used(now), now, Ok(())),
            (used(now), now + 7 * day, Err(Ended::Idle)),
            (used(now + 6 * day), now + 12 * day, Ok(())),
            (used(now + 29 * day), now + 30 * day, Err(Ended::TooOld)),
            (Life { ended_at: Some(now), ..session }, now, Err(Ended::ByChoice)),
        ] {
            assert_eq!(live(&session, &config, at), expected);
        }
    }
}
