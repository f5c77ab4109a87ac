//! Every letter.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::kernel::Timestamp;

/// Something to tell somebody by mail. The words are in `locales/`, under the name of the kind.
#[derive(Clone)]
pub enum Letter {
    /// To a new address: prove that it is yours.
    VerifyEmail {
        /// Leads to the page that confirms.
        link: SecretString,
    },
    /// To a new address that was registered with different passwords: prove that it is yours, and
    /// choose one.
    ChoosePassword {
        /// Leads to the page where a password is chosen.
        link: SecretString,
    },
    /// To an address that has an account, when somebody registers it again: the answer over HTTP
    /// does not say so, this letter does.
    AlreadyRegistered {
        /// Leads to the page where a new password is chosen, if such a link was made.
        link: Option<SecretString>,
    },
    /// To who wants to sign in by mail.
    SignIn {
        /// Leads to the page that signs in, in the browser that asked.
        link: SecretString,
        /// What they type where they asked.
        code: SecretString,
    },
    /// To who forgot the password.
    ResetPassword {
        /// Leads to the page where a new password is chosen.
        link: SecretString,
    },
    /// To who had their account closed, where nobody has a password.
    AccountClosed {
        /// Leads to the page that confirms the address, and so opens the account again.
        link: SecretString,
    },
    /// To the account's address, after its password was changed or reset.
    PasswordChanged,
    /// To the account's address, when so many passwords were wrong that strangers have to wait.
    AccountLocked,
    /// To the address that shall replace the present one: prove that it is yours.
    ConfirmNewEmail {
        /// Leads to the page that confirms.
        link: SecretString,
    },
    /// To the present address, when a change of address was asked for.
    EmailChanging {
        /// The new address, with most of it hidden.
        new_email_masked: String,
    },
    /// To the former address, after the change.
    EmailChanged {
        /// Leads to the page where its owner says that it was somebody else; none if it was never proved.
        link: Option<SecretString>,
    },
    /// To the account's address, after a second factor was added.
    SecondFactorAdded,
    /// To the account's address, after its second factor was removed, by its owner or for them.
    SecondFactorRemoved,
    /// To the account's address, when somebody who knows the password shows wrong codes.
    SecondFactorGuessed,
    /// To the account's address, after a recovery code was used.
    RecoveryCodeUsed {
        /// How many are left.
        left: i64,
    },
    /// To the account's address, after new recovery codes were made.
    RecoveryCodesRenewed,
    /// To the account's address, after a passkey was added.
    PasskeyAdded,
    /// To the account's address, after a passkey was removed.
    PasskeyRemoved,
    /// To the account's address, after an identity was linked to it.
    IdentityLinked {
        /// At which provider.
        provider: String,
    },
    /// To the account's address, after an identity was removed from it.
    IdentityRemoved {
        /// At which provider.
        provider: String,
    },
    /// To the account's address, after a sign-in from where there was none before.
    NewDevice {
        /// Leads to the page where its owner says that it was somebody else.
        link: SecretString,
        /// What was used, for people.
        device: String,
        /// Where.
        place: String,
    },
    /// To the account's address, after its owner asked for its end.
    AccountDeletionRequested {
        /// When it will be deleted.
        due: Timestamp,
    },
    /// To the account's address, when it stays after all.
    AccountDeletionWithdrawn,
    /// To the former address of an account, after its end.
    AccountDeleted,
    /// To whoever an operator names, to see that mail works.
    Test,
    /// To ourselves, to see that mail arrives.
    Canary {
        /// What shows on arrival that we wrote it.
        nonce: SecretString,
    },
}

/// How long letters are worth sending; one with a link dies with the link.
#[derive(Debug, Clone, Copy)]
pub struct Lives {
    /// Links that prove an address.
    pub verification: Duration,
    /// Links that lead to a new password.
    pub recovery: Duration,
    /// Codes and links that sign in.
    pub sign_in: Duration,
    /// Links by which somebody says that it was not them.
    pub not_me: Duration,
    /// Letters without a link.
    pub notice: Duration,
}

impl From<&Config> for Lives {
    fn from(config: &Config) -> Self {
        Self {
            verification: config.verification.ttl,
            recovery: config.recovery.ttl,
            sign_in: config.magic_link.ttl,
            not_me: config.recovery.not_me_ttl,
            notice: Self::NOTICE,
        }
    }
}

impl Lives {
    /// A notice is still worth reading after a long weekend without a relay.
    pub const NOTICE: Duration = Duration::from_hours(72);

    /// A canary that is late has told what it is for; the next one goes out soon.
    pub const CANARY: Duration = Duration::from_mins(15);
}

impl Letter {
    /// The name of every kind.
    pub const KINDS: [&'static str; 26] = [
        "verify_email",
        "choose_password",
        "already_registered",
        "sign_in",
        "reset_password",
        "account_closed",
        "password_changed",
        "account_locked",
        "confirm_new_email",
        "email_changing",
        "email_changed",
        "second_factor_added",
        "second_factor_removed",
        "second_factor_guessed",
        "recovery_code_used",
        "recovery_codes_renewed",
        "passkey_added",
        "passkey_removed",
        "identity_linked",
        "identity_removed",
        "new_device",
        "account_deletion_requested",
        "account_deletion_withdrawn",
        "account_deleted",
        "test",
        "canary",
    ];

    /// Returns the name of a kind that the database has, or `other` if it is not one of ours.
    #[must_use]
    pub fn known(kind: &str) -> &'static str {
        Self::KINDS.into_iter().find(|known| *known == kind).unwrap_or("other")
    }

    /// Returns whether letters of this kind are what a registration causes.
    #[must_use]
    pub fn is_of_registration(kind: &str) -> bool {
        matches!(kind, "verify_email" | "choose_password" | "already_registered")
    }

    /// Returns the name of its kind, as in the database, in `locales/` and in metrics.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::ChoosePassword { .. } => "choose_password",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::SignIn { .. } => "sign_in",
            Self::ResetPassword { .. } => "reset_password",
            Self::AccountClosed { .. } => "account_closed",
            Self::PasswordChanged => "password_changed",
            Self::AccountLocked => "account_locked",
            Self::ConfirmNewEmail { .. } => "confirm_new_email",
            Self::EmailChanging { .. } => "email_changing",
            Self::EmailChanged { .. } => "email_changed",
            Self::SecondFactorAdded => "second_factor_added",
            Self::SecondFactorRemoved => "second_factor_removed",
            Self::SecondFactorGuessed => "second_factor_guessed",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::RecoveryCodesRenewed => "recovery_codes_renewed",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::IdentityLinked { .. } => "identity_linked",
            Self::IdentityRemoved { .. } => "identity_removed",
            Self::NewDevice { .. } => "new_device",
            Self::AccountDeletionRequested { .. } => "account_deletion_requested",
            Self::AccountDeletionWithdrawn => "account_deletion_withdrawn",
            Self::AccountDeleted => "account_deleted",
            Self::Test => "test",
            Self::Canary { .. } => "canary",
        }
    }

    /// Returns how long it is worth sending.
    #[must_use]
    pub fn life(&self, lives: &Lives) -> Duration {
        match self {
            Self::VerifyEmail { .. }
            | Self::ChoosePassword { .. }
            // As long as the others that a registration causes: when it ends can be seen from outside.
            | Self::AlreadyRegistered { .. }
            | Self::ConfirmNewEmail { .. }
            | Self::AccountClosed { .. } => lives.verification,
            Self::SignIn { .. } => lives.sign_in,
            Self::ResetPassword { .. } => lives.recovery,
            Self::NewDevice { .. } | Self::EmailChanged { link: Some(_) } => lives.not_me,
            Self::PasswordChanged
            | Self::AccountLocked
            | Self::EmailChanging { .. }
            | Self::EmailChanged { link: None }
            | Self::SecondFactorAdded
            | Self::SecondFactorRemoved
            | Self::SecondFactorGuessed
            | Self::RecoveryCodeUsed { .. }
            | Self::RecoveryCodesRenewed
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::IdentityLinked { .. }
            | Self::IdentityRemoved { .. }
            | Self::AccountDeletionRequested { .. }
            | Self::AccountDeletionWithdrawn
            | Self::AccountDeleted
            | Self::Test => lives.notice,
            Self::Canary { .. } => Lives::CANARY,
        }
    }

    /// Returns what the words are filled with; it holds secrets, so it goes nowhere but the seal.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        match self {
            Self::VerifyEmail { link }
            | Self::ChoosePassword { link }
            | Self::ResetPassword { link }
            | Self::AccountClosed { link }
            | Self::ConfirmNewEmail { link }
            | Self::AlreadyRegistered { link: Some(link) }
            | Self::EmailChanged { link: Some(link) } => {
                variables.insert("link".to_owned(), link.expose_secret().to_owned());
            }
            Self::SignIn { link, code } => {
                variables.insert("link".to_owned(), link.expose_secret().to_owned());
                variables.insert("code".to_owned(), code.expose_secret().to_owned());
            }
            Self::NewDevice { link, device, place } => {
                variables.insert("link".to_owned(), link.expose_secret().to_owned());
                variables.insert("device".to_owned(), device.clone());
                variables.insert("place".to_owned(), place.clone());
            }
            Self::EmailChanging { new_email_masked } => {
                variables.insert("new_email".to_owned(), new_email_masked.clone());
            }
            Self::RecoveryCodeUsed { left } => {
                variables.insert("left".to_owned(), left.to_string());
            }
            Self::AccountDeletionRequested { due } => {
                variables.insert("due".to_owned(), due.to_minute());
            }
            Self::IdentityLinked { provider } | Self::IdentityRemoved { provider } => {
                variables.insert("provider".to_owned(), provider.clone());
            }
            Self::Canary { nonce } => {
                variables.insert("nonce".to_owned(), nonce.expose_secret().to_owned());
            }
            Self::AlreadyRegistered { link: None }
            | Self::PasswordChanged
            | Self::AccountLocked
            | Self::EmailChanged { link: None }
            | Self::SecondFactorAdded
            | Self::SecondFactorRemoved
            | Self::SecondFactorGuessed
            | Self::RecoveryCodesRenewed
            | Self::PasskeyAdded
            | Self::PasskeyRemoved
            | Self::AccountDeletionWithdrawn
            | Self::AccountDeleted
            | Self::Test => {}
        }
        variables
    }
}

/// Returns how long after the relay's yes silence may last: then nobody knows what became of a
/// message. Who waits for a link waits in front of a screen; a notice may take its time.
pub(super) fn silence(kind: &str) -> Duration {
    match kind {
        "verify_email" | "choose_password" | "sign_in" | "reset_password" | "account_closed"
        | "confirm_new_email" | "already_registered" => Duration::from_hours(1),
        "canary" => Lives::CANARY,
        _ => Duration::from_hours(24),
    }
}

/// Returns whether a letter protects the account: news of its password, its address or its second
/// factor, or the way back in. Such go even to who called our mail unwanted.
pub(super) fn protects(kind: &str) -> bool {
    matches!(
        kind,
        "password_changed"
            | "account_locked"
            | "email_changing"
            | "email_changed"
            | "sign_in"
            | "reset_password"
            | "account_closed"
            | "second_factor_added"
            | "second_factor_removed"
            | "second_factor_guessed"
            | "recovery_code_used"
            | "recovery_codes_renewed"
            | "passkey_added"
            | "passkey_removed"
            | "identity_linked"
            | "identity_removed"
            | "new_device"
            | "account_deletion_requested"
            | "account_deletion_withdrawn"
            | "account_deleted"
    )
}

/// Returns whether somebody waits for a letter, having asked for it.
pub(super) fn is_asked_for(kind: &str) -> bool {
    matches!(
        kind,
        "verify_email"
            | "choose_password"
            | "sign_in"
            | "reset_password"
            | "account_closed"
            | "confirm_new_email"
            | "already_registered"
            | "test"
    )
}

impl fmt::Debug for Letter {
    /// Shows the kind and nothing else: links are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Letter").field(&self.kind()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_never_shows_its_link() {
        let letter = Letter::ResetPassword { link: "https://example.org/?token=s3cret".into() };
        assert_eq!(format!("{letter:?}"), r#"Letter("reset_password")"#);
    }
}
