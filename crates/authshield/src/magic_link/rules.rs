//! How many codes are looked at, and whose account one opens.

use crate::accounts::User;
use crate::kernel::UserId;
use crate::registration::NotOpen;

/// How many codes are looked at before another mail must be asked for.
pub(super) const TRIES: i64 = 5;

/// What becomes of who reads the mail at an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The account is theirs.
    Enter,
    /// They open one; one that somebody began with the address and never proved goes.
    Open,
}

/// Why nobody is let in who reads the mail at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An administrator disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,
    /// No account is opened with the address.
    #[error(transparent)]
    NotOpen(#[from] NotOpen),
    /// The address is no longer that of the account whose owner asked.
    #[error("the account changed since the mail was asked for")]
    AccountChanged,
}

impl Refusal {
    /// Returns its name in the audit trail.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::AccountDisabled => "account_disabled",
            Self::NotOpen(why) => why.reason(),
            Self::AccountChanged => "account_changed",
        }
    }
}

/// Decides what becomes of who reads the mail at an address. `holder` has it now, and `asked` had it when the mail
/// was asked for.
pub(super) fn judge(
    holder: Option<&User>,
    asked: Option<UserId>,
    may_open: Result<(), NotOpen>,
) -> Result<Arrival, Refusal> {
    if asked.is_some_and(|asked| holder.is_none_or(|user| user.id != asked)) {
        return Err(Refusal::AccountChanged);
    }
    match holder {
        Some(user) if user.disabled_at.is_some() => Err(Refusal::AccountDisabled),
        Some(user) if user.email_verified_at.is_some() => Ok(Arrival::Enter),
        _ => Ok(may_open.map(|()| Arrival::Open)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    #[test]
    fn an_address_opens_what_is_proved_and_replaces_what_is_not() {
        let world = Sandbox::default();
        let now = world.now();
        let user = |verified: bool, disabled: bool| User {
            id: UserId::new(&world),
            email: "ann@example.org".parse().unwrap(),
            full_name: None,
            locale: "en".parse().unwrap(),
            email_verified_at: verified.then_some(now),
            disabled_at: disabled.then_some(now),
            second_factor_at: None,
            deletion_due_at: None,
            epoch: 0,
            created_at: now,
            updated_at: now,
            roles: Vec::new(),
        };
        let (proved, begun) = (user(true, false), user(false, false));
        for open in [Ok(()), Err(NotOpen::Closed), Err(NotOpen::Domain)] {
            let newcomer = open.map(|()| Arrival::Open).map_err(Refusal::NotOpen);
            assert_eq!(judge(Some(&proved), None, open), Ok(Arrival::Enter));
            assert_eq!(judge(Some(&proved), Some(proved.id), open), Ok(Arrival::Enter));
            assert_eq!(judge(Some(&begun), Some(begun.id), open), newcomer);
            assert_eq!(judge(None, None, open), newcomer);
            for (holder, asked) in [(Some(&proved), begun.id), (None, proved.id)] {
                assert_eq!(judge(holder, Some(asked), open), Err(Refusal::AccountChanged));
            }
            for disabled in [user(true, true), user(false, true)] {
                assert_eq!(judge(Some(&disabled), None, open), Err(Refusal::AccountDisabled));
            }
        }
    }
}
