//! Who may come in.

use crate::accounts::Account;
use crate::passwords::Verdict;

/// Why somebody may not come in. The audit trail is told all of it; they are told less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No account has this address.
    #[error("no account has this address")]
    EmailNotFound,
    /// The account has no password.
    #[error("the account has no password")]
    NoPasswordSet,
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// There were too many wrong passwords in a row: none counts until one is chosen by mail.
    #[error("too many passwords in a row were wrong")]
    AccountLocked,
    /// The account changed while the password was compared.
    #[error("the account changed while the password was compared")]
    Changed,
    /// An administrator disabled the account.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The address was never proved.
    #[error("the address is not verified")]
    EmailUnverified,
    /// It does not look like the sign-ins before it, and a rule lets nobody in then.
    #[error("a rule of risk refuses it")]
    Risk,
}

impl Refusal {
    /// Returns its name in the audit trail.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::EmailNotFound => "email_not_found",
            Self::NoPasswordSet => "no_password_set",
            Self::WrongPassword => "wrong_password",
            Self::AccountLocked => "account_locked",
            Self::Changed => "account_changed",
            Self::AccountDisabled => "account_disabled",
            Self::EmailUnverified => "email_unverified",
            Self::Risk => crate::risk::REFUSED,
        }
    }

    /// Returns whether whoever tried may have guessed: they showed no right password.
    pub(super) fn is_guess(self) -> bool {
        match self {
            Self::EmailNotFound
            | Self::NoPasswordSet
            | Self::WrongPassword
            | Self::AccountLocked => true,
            Self::Changed | Self::AccountDisabled | Self::EmailUnverified | Self::Risk => false,
        }
    }
}

/// Decides whether somebody may come in.
///
/// The password is judged first: only who knows it learns anything about the account. Of one that is
/// `locked` nobody learns anything.
pub(super) fn judge(
    account: Option<Account>,
    verdict: Verdict,
    locked: bool,
) -> Result<Account, Refusal> {
    if locked {
        return Err(Refusal::AccountLocked);
    }
    let account = account.ok_or(Refusal::EmailNotFound)?;
    if account.password_hash.is_none() {
        return Err(Refusal::NoPasswordSet);
    }
    if !matches!(verdict, Verdict::Right { .. }) {
        return Err(Refusal::WrongPassword);
    }
    if account.user.disabled_at.is_some() {
        return Err(Refusal::AccountDisabled);
    }
    if account.user.email_verified_at.is_none() {
        return Err(Refusal::EmailUnverified);
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::User;
    use crate::kernel::UserId;
    use crate::world::{Sandbox, World};

    #[test]
    fn only_the_password_opens_anything() {
        let world = Sandbox::default();
        let now = world.now();
        let ann = Account {
            user: User {
                id: UserId::new(&world),
                email: "ann@example.org".parse().unwrap(),
                full_name: None,
                locale: "en".parse().unwrap(),
                email_verified_at: Some(now),
                disabled_at: None,
                second_factor_at: None,
                deletion_due_at: None,
                epoch: 0,
                created_at: now,
                updated_at: now,
                roles: vec!["user".into()],
            },
            password_hash: Some("$argon2id$".into()),
        };
        let with = |change: fn(&mut Account, crate::kernel::Timestamp)| {
            let mut account = ann.clone();
            change(&mut account, now);
            Some(account)
        };
        let disabled = with(|account, now| account.user.disabled_at = Some(now));
        let unverified = with(|account, _| account.user.email_verified_at = None);
        let without = with(|account, _| account.password_hash = None);
        let right = Verdict::Right { rehash: false };
        for (account, verdict, expected) in [
            (Some(ann.clone()), right, None),
            (Some(ann.clone()), Verdict::Wrong, Some(Refusal::WrongPassword)),
            (disabled.clone(), Verdict::Wrong, Some(Refusal::WrongPassword)),
            (disabled, right, Some(Refusal::AccountDisabled)),
            (unverified.clone(), Verdict::Wrong, Some(Refusal::WrongPassword)),
            (unverified, right, Some(Refusal::EmailUnverified)),
            (without, Verdict::Wrong, Some(Refusal::NoPasswordSet)),
            (None, Verdict::Wrong, Some(Refusal::EmailNotFound)),
        ] {
            assert_eq!(judge(account.clone(), verdict, false).err(), expected);
            assert_eq!(judge(account, verdict, true).err(), Some(Refusal::AccountLocked));
            let is_guess = expected.map(Refusal::is_guess);
            assert_eq!(is_guess.unwrap_or(false), verdict == Verdict::Wrong && expected.is_some());
        }
    }
}
