//! What an event says besides its code: its reason, whom it is about, and the rest.

use serde_json::{Value, json};

use super::event::Event;
use crate::kernel::{SessionId, UserId};

/// Who and what an event is about.
#[derive(Debug, Default)]
pub(super) struct Subject<'e> {
    pub(super) actor: Option<UserId>,
    pub(super) user: Option<UserId>,
    pub(super) session: Option<SessionId>,
    pub(super) email: Option<&'e str>,
}

impl Event {
    /// Returns the true reason, which no client is told.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::RegisterFailed { reason, .. }
            | Self::LinkRejected { reason, .. }
            | Self::LoginFailed { reason, .. }
            | Self::SecondFactorRefused { reason, .. }
            | Self::TrustedDeviceRemoved { reason, .. }
            | Self::PasskeyRefused { reason, .. }
            | Self::FederationRefused { reason, .. }
            | Self::MagicLinkRefused { reason, .. }
            | Self::AccountLocked { reason, .. }
            | Self::SignInAttackSeen { reason, .. }
            | Self::CaptchaRefused { reason, .. }
            | Self::DisposableAddressSeen { reason, .. }
            | Self::PasswordRefused { reason, .. }
            | Self::BreachLookupFailed { reason, .. }
            | Self::RiskSignal { reason, .. }
            | Self::RefreshRejected { reason, .. }
            | Self::SessionsRevoked { reason, .. }
            | Self::PasswordMismatch { reason, .. }
            | Self::AdminRefused { reason, .. }
            | Self::AccountSecured { reason, .. }
            | Self::KeyRotated { reason, .. }
            | Self::ConfigChanged { reason, .. } => Some(reason),
            Self::CheckFailed { check, .. } | Self::CheckRecovered { check, .. } => Some(check),
            Self::MailCellDegraded { step, .. } | Self::MailCellRecovered { step, .. } => {
                Some(step)
            }
            Self::ServiceTaskRestarted { task, .. } => Some(task),
            Self::RegisterSucceeded { reason, .. }
            | Self::VerificationRequested { reason, .. }
            | Self::UserDeleted { reason, .. }
            | Self::UserDeletionWithdrawn { reason, .. }
            | Self::RefreshRotated { reason, .. }
            | Self::PasswordResetRequested { reason, .. }
            | Self::MagicLinkRequested { reason, .. }
            | Self::EmailChangeRequested { reason, .. } => *reason,
            _ => None,
        }
    }

    #[expect(clippy::too_many_lines, reason = "each event has its arm")]
    pub(super) fn subject(&self) -> Subject<'_> {
        match self {
            Self::RegisterFailed { user, email, .. }
            | Self::VerificationRequested { user, email, .. }
            | Self::LoginFailed { user, email, .. }
            | Self::AccountLocked { user, email, .. }
            | Self::PasswordRefused { user, email, .. }
            | Self::BreachLookupFailed { user, email, .. }
            | Self::MagicLinkRequested { user, email, .. }
            | Self::PasswordResetRequested { user, email, .. } => {
                Subject { user: *user, email: Some(email), ..Subject::default() }
            }
            Self::CaptchaRefused { email, .. } | Self::DisposableAddressSeen { email, .. } => {
                Subject { email: Some(email), ..Subject::default() }
            }
            Self::MagicLinkRefused { user, email, .. } => {
                Subject { user: *user, email: email.as_deref(), ..Subject::default() }
            }
            Self::LinkRejected { .. }
            | Self::SignInAttackSeen { .. }
            | Self::KeyRotated { .. }
            | Self::CheckFailed { .. }
            | Self::CheckRecovered { .. }
            | Self::BackupRestored { .. }
            | Self::ConfigChanged { .. }
            | Self::ConfigReloadRefused { .. }
            | Self::InstallationCreated { .. }
            | Self::EventsExported { .. }
            | Self::EventsPruned { .. }
            | Self::MailConfigFault { .. }
            | Self::MailConfigRecovered { .. }
            | Self::MailCellDegraded { .. }
            | Self::MailCellRecovered { .. }
            | Self::MailDigest { .. }
            | Self::ServiceTaskRestarted { .. } => Subject::default(),
            Self::MailSuppressionAdded { actor, email, .. } => {
                Subject { actor: *actor, email: Some(email), ..Subject::default() }
            }
            Self::MailSuppressionLifted { actor, email, .. } => {
                Subject { actor: *actor, email: email.as_deref(), ..Subject::default() }
            }
            Self::MailSuppressionsImported { actor, .. }
            | Self::MailSuppressionsExported { actor, .. }
            | Self::ExportReplayed { actor, .. }
            | Self::ExportDeadLettersDropped { actor, .. } => {
                Subject { actor: *actor, ..Subject::default() }
            }
            Self::MailResent { actor, user, .. } => {
                Subject { actor: *actor, user: *user, ..Subject::default() }
            }
            Self::RefreshRejected { session, .. } => {
                Subject { session: *session, ..Subject::default() }
            }
            Self::LoginSucceeded { user, session, .. }
            | Self::SteppedUp { user, session, .. }
            | Self::SignInHandedOver { user, session, .. }
            | Self::RefreshRotated { user, session, .. }
            | Self::RefreshReused { user, session, .. }
            | Self::Logout { user, session } => Subject {
                actor: Some(*user),
                user: Some(*user),
                session: Some(*session),
                email: None,
            },
            Self::SessionsRevoked { actor, user, session, .. } => {
                Subject { actor: *actor, user: Some(*user), session: *session, email: None }
            }
            Self::UserDeletionWithdrawn { user, reason } => Subject {
                actor: reason.is_none().then_some(*user),
                user: Some(*user),
                ..Subject::default()
            },
            Self::SecondFactorRefused { user, .. }
            | Self::PasskeyRefused { user, .. }
            | Self::FederationRefused { user, .. } => Subject { user: *user, ..Subject::default() },
            Self::SecondFactorReset { actor, user }
            | Self::TrustedDeviceRemoved { actor, user, .. }
            | Self::RolesChanged { actor, user, .. }
            | Self::StatusChanged { actor, user, .. }
            | Self::AccountSecured { actor, user, .. }
            | Self::AdminRefused { actor, user, .. } => {
                Subject { actor: *actor, user: Some(*user), ..Subject::default() }
            }
            Self::SecondFactorAsked { user }
            | Self::BreachedPasswordUsed { user }
            | Self::RiskSignal { user, .. }
            | Self::UserDeleted { user, .. }
            | Self::UserCreated { user, .. }
            | Self::PersonErased { user, .. } => {
                Subject { user: Some(*user), ..Subject::default() }
            }
            Self::RegisterSucceeded { user, .. }
            | Self::EmailVerified { user }
            | Self::PasswordResetCompleted { user }
            | Self::PasswordChanged { user }
            | Self::PasswordMismatch { user, .. }
            | Self::EmailChangeRequested { user, .. }
            | Self::EmailChanged { user }
            | Self::ProfileChanged { user, .. }
            | Self::SecondFactorEnabled { user }
            | Self::PasskeyAdded { user, .. }
            | Self::PasskeyRemoved { user, .. }
            | Self::TrustedDeviceAdded { user, .. }
            | Self::TrustedDeviceUsed { user, .. }
            | Self::IdentityLinked { user, .. }
            | Self::IdentityRemoved { user, .. }
            | Self::SecondFactorDisabled { user }
            | Self::RecoveryCodeUsed { user, .. }
            | Self::RecoveryCodesRenewed { user }
            | Self::UserDeletionRequested { user, .. }
            | Self::DataExported { user }
            | Self::SetupCompleted { user } => {
                Subject { actor: Some(*user), user: Some(*user), ..Subject::default() }
            }
        }
    }

    /// Returns what else is known, typed per code.
    pub(super) fn data(&self) -> Value {
        match self {
            Self::LinkRejected { purpose, .. } => json!({ "purpose": purpose }),
            Self::LoginSucceeded { amr, new_device, .. } => {
                json!({ "amr": amr, "new_device": new_device })
            }
            Self::SteppedUp { amr, .. } => json!({ "amr": amr }),
            Self::SignInHandedOver { application, .. } => json!({ "application": application }),
            Self::TrustedDeviceAdded { device, until, .. } => {
                json!({ "device": device, "until": until })
            }
            Self::TrustedDeviceUsed { device, .. } => json!({ "device": device }),
            Self::TrustedDeviceRemoved { device, count, .. } => {
                json!({ "device": device, "count": count })
            }
            Self::AccountSecured { sessions, done, .. } => {
                json!({ "sessions": sessions, "done": done })
            }
            Self::PasskeyAdded { passkey, .. }
            | Self::PasskeyRemoved { passkey, .. }
            | Self::PasskeyRefused { passkey: Some(passkey), .. } => json!({ "passkey": passkey }),
            Self::IdentityLinked { identity, .. } | Self::IdentityRemoved { identity, .. } => {
                json!({ "identity": identity })
            }
            Self::FederationRefused { provider, stage, .. } => {
                json!({ "provider": provider, "stage": stage })
            }
            Self::RecoveryCodeUsed { left, .. } => json!({ "left": left }),
            Self::AccountLocked { failures, until, .. } => {
                json!({ "failures": failures, "until": until })
            }
            Self::SignInAttackSeen { network, accounts, unknown, entered, .. } => json!({
                "network": network, "accounts": accounts, "unknown": unknown, "entered": entered,
            }),
            Self::CaptchaRefused { at, provider, .. } => json!({ "at": at, "provider": provider }),
            Self::DisposableAddressSeen { at, domain, reason, .. } => {
                json!({ "at": at, "domain": domain, "outcome": reason })
            }
            Self::RiskSignal { action, outcome, signals, .. } => {
                json!({ "action": action, "outcome": outcome, "signals": signals })
            }
            Self::PasswordRefused { at, .. } | Self::BreachLookupFailed { at, .. } => {
                json!({ "at": at })
            }
            Self::RefreshReused { age_seconds, .. } => json!({ "age_seconds": age_seconds }),
            Self::SessionsRevoked { count, .. } | Self::PersonErased { count, .. } => {
                json!({ "count": count })
            }
            Self::ProfileChanged { fields, .. } => json!({ "fields": fields }),
            Self::RolesChanged { before, after, .. } => json!({ "before": before, "after": after }),
            Self::StatusChanged { is_active, .. } => json!({ "is_active": is_active }),
            Self::UserDeletionRequested { due, .. } => json!({ "due": due }),
            Self::UserCreated { roles, .. } => json!({ "roles": roles }),
            Self::ServiceTaskRestarted { task, node } => json!({ "task": task, "node": node }),
            Self::KeyRotated { kid, .. } => json!({ "kid": kid }),
            Self::CheckFailed { expected, observed, evidence, node, .. } => json!({
                "expected": expected, "observed": observed, "evidence": evidence, "node": node,
            }),
            Self::CheckRecovered { observed, seconds, node, .. } => {
                json!({ "observed": observed, "seconds": seconds, "node": node })
            }
            Self::BackupRestored { made_at, gap_seconds, token_epoch, sessions, links, mails } => {
                json!({
                    "made_at": made_at, "gap_seconds": gap_seconds, "token_epoch": token_epoch,
                    "sessions": sessions, "links": links, "mails": mails,
                })
            }
            Self::ConfigChanged { changes, .. } => json!({ "changes": changes }),
            Self::ConfigReloadRefused { settings } => json!({ "settings": settings }),
            Self::InstallationCreated { installation, given_up } => {
                json!({ "installation": installation, "given_up": given_up })
            }
            Self::EventsExported { since, until, count } => {
                json!({ "since": since, "until": until, "count": count })
            }
            Self::ExportReplayed { sink, since, count, .. } => {
                json!({ "sink": sink, "since": since, "count": count })
            }
            Self::ExportDeadLettersDropped { sink, count, .. } => {
                json!({ "sink": sink, "count": count })
            }
            Self::EventsPruned { before, seq } => json!({ "before": before, "seq": seq }),
            _ => self.data_of_mail(),
        }
    }

    fn data_of_mail(&self) -> Value {
        match self {
            Self::MailResent { mail, replaced_by, .. } => {
                json!({ "mail": mail, "replaced_by": replaced_by })
            }
            Self::MailSuppressionAdded { scope, until, .. } => {
                json!({ "scope": scope, "until": until })
            }
            Self::MailSuppressionLifted { scope, was, .. } => {
                json!({ "scope": scope, "reason": was })
            }
            Self::MailSuppressionsImported { scope, added, .. } => {
                json!({ "scope": scope, "added": added })
            }
            Self::MailSuppressionsExported { count, .. } => json!({ "count": count }),
            Self::MailCellDegraded {
                provider,
                mailbox_provider,
                kind,
                sender,
                step,
                normal_permille,
                observed_permille,
                since,
                first_mail,
            } => json!({
                "provider": provider, "mailbox_provider": mailbox_provider, "kind": kind,
                "sender": sender, "step": step, "normal_permille": normal_permille,
                "observed_permille": observed_permille, "since": since, "first_mail": first_mail,
            }),
            Self::MailCellRecovered { provider, mailbox_provider, kind, sender, step, seconds } => {
                json!({
                    "provider": provider, "mailbox_provider": mailbox_provider, "kind": kind,
                    "sender": sender, "step": step, "seconds": seconds,
                })
            }
            Self::MailDigest { from, to, deviations, new_replies, unknown } => json!({
                "from": from, "to": to, "deviations": deviations, "new_replies": new_replies,
                "unknown": unknown,
            }),
            Self::MailConfigFault { provider, step, smtp_code, reply, advice } => json!({
                "provider": provider, "step": step, "smtp_code": smtp_code, "reply": reply,
                "advice": advice,
            }),
            Self::MailConfigRecovered { provider, seconds } => {
                json!({ "provider": provider, "seconds": seconds })
            }
            _ => json!({}),
        }
    }
}
