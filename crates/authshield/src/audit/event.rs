//! Every event. Auditors read these codes and fields: rows are added, never changed.

use serde_json::Value;

use crate::config::Changes;
use crate::kernel::{
    IdentityId, InstallationId, MailId, NodeId, PasskeyId, SessionId, Timestamp, TrustedDeviceId,
    UserId,
};

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// Somebody opened an account, or asked for one that was not verified yet.
    RegisterSucceeded {
        /// The account.
        user: UserId,
        /// `contested` when another password waits already: who proves the address chooses one; or `federated`,
        /// or `magic_link`.
        reason: Option<&'static str>,
    },
    /// Somebody tried to, and did not.
    RegisterFailed {
        /// The account that has the address, if one has.
        user: Option<UserId>,
        /// What they typed.
        email: String,
        /// Why.
        reason: &'static str,
    },
    /// Somebody proved that an address is theirs.
    EmailVerified {
        /// The account.
        user: UserId,
    },
    /// Somebody asked for a new verification mail.
    VerificationRequested {
        /// The account, if there is one to verify.
        user: Option<UserId>,
        /// What they typed.
        email: String,
        /// Why no mail was sent.
        reason: Option<&'static str>,
    },
    /// A link of a mail was not accepted.
    LinkRejected {
        /// What the link was for.
        purpose: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Somebody proved who they are.
    LoginSucceeded {
        /// The account.
        user: UserId,
        /// The session that was opened.
        session: SessionId,
        /// How (RFC 8176).
        amr: Vec<String>,
        /// Whether the account was used before, and never with this kind of device in this network.
        new_device: bool,
    },
    /// Somebody tried to, and did not.
    LoginFailed {
        /// The account, if one has the address.
        user: Option<UserId>,
        /// What they typed.
        email: String,
        /// Why.
        reason: &'static str,
    },
    /// Somebody showed the right password of an account with a second factor, and was asked for it.
    SecondFactorAsked {
        /// The account.
        user: UserId,
    },
    /// A code was not taken, or what it was sent with.
    SecondFactorRefused {
        /// The account, if what was sent belongs to one.
        user: Option<UserId>,
        /// Why.
        reason: &'static str,
    },
    /// Somebody added a second factor to their account; a sign-in needs it from now on.
    SecondFactorEnabled {
        /// The account.
        user: UserId,
    },
    /// Somebody removed the second factor from their account.
    SecondFactorDisabled {
        /// The account.
        user: UserId,
    },
    /// The second factor was taken from an account whose owner lost it.
    SecondFactorReset {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// The account.
        user: UserId,
    },
    /// A recovery code was used in the place of the second factor.
    RecoveryCodeUsed {
        /// The account.
        user: UserId,
        /// How many are left.
        left: i64,
    },
    /// Somebody made new recovery codes; the ones before are worth nothing.
    RecoveryCodesRenewed {
        /// The account.
        user: UserId,
    },
    /// Somebody added a passkey to their account.
    PasskeyAdded {
        /// The account.
        user: UserId,
        /// The passkey.
        passkey: PasskeyId,
    },
    /// Somebody removed a passkey from their account.
    PasskeyRemoved {
        /// The account.
        user: UserId,
        /// The passkey.
        passkey: PasskeyId,
    },
    /// Somebody showed their second factor and said that it need not be shown again on this device for a while.
    TrustedDeviceAdded {
        /// The account.
        user: UserId,
        /// The device.
        device: TrustedDeviceId,
        /// Until when.
        until: Timestamp,
    },
    /// A sign-in did without the second factor, since the device is trusted.
    TrustedDeviceUsed {
        /// The account.
        user: UserId,
        /// The device.
        device: TrustedDeviceId,
    },
    /// Devices are trusted no more.
    TrustedDeviceRemoved {
        /// Who did it; nobody where it follows from something else.
        actor: Option<UserId>,
        /// The account.
        user: UserId,
        /// The device, if it is one; else all of them.
        device: Option<TrustedDeviceId>,
        /// How many.
        count: u64,
        /// Why: `user_removed`, `admin_removed`, `second_factor_disabled`, `recovery_codes_renewed`,
        /// `passkey_removed`, `second_factor_missing`, or as where all sessions end.
        reason: &'static str,
    },
    /// What an authenticator brought was not believed.
    PasskeyRefused {
        /// The account, if it is known whose it would be.
        user: Option<UserId>,
        /// The passkey, if it is one.
        passkey: Option<PasskeyId>,
        /// Why; `counter_went_back` if there may be a copy of it.
        reason: &'static str,
    },
    /// Somebody can sign in to their account at a provider from now on.
    IdentityLinked {
        /// The account.
        user: UserId,
        /// The identity.
        identity: IdentityId,
    },
    /// Somebody removed an identity from their account.
    IdentityRemoved {
        /// The account.
        user: UserId,
        /// The identity.
        identity: IdentityId,
    },
    /// Nobody was signed in who came from a provider.
    FederationRefused {
        /// The account, if it is known whose it would be.
        user: Option<UserId>,
        /// The provider.
        provider: String,
        /// How far it went.
        stage: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// Somebody asked for a mail to sign in with.
    MagicLinkRequested {
        /// The account, if there is one.
        user: Option<UserId>,
        /// What they typed.
        email: String,
        /// Why no mail was sent.
        reason: Option<&'static str>,
    },
    /// Nobody was signed in who showed a code or a link of a mail.
    MagicLinkRefused {
        /// The account that had the address when the mail was asked for.
        user: Option<UserId>,
        /// The address that the mail was asked for, if what was shown belongs to one.
        email: Option<String>,
        /// Why; `unknown_handle` if it was asked for elsewhere, or by nobody.
        reason: &'static str,
    },
    /// Somebody who is signed in proved again who they are.
    SteppedUp {
        /// The account.
        user: UserId,
        /// The session.
        session: SessionId,
        /// How it was signed in, and how it was proved since (RFC 8176).
        amr: Vec<String>,
    },
    /// Somebody who signed in on our pages was sent back to an application, with a code for it.
    SignInHandedOver {
        /// The account.
        user: UserId,
        /// The session of the browser.
        session: SessionId,
        /// The application, by its address.
        application: String,
    },
    /// So many passwords were wrong that an account is locked for a while.
    AccountLocked {
        /// The account, if one has the address.
        user: Option<UserId>,
        /// What they typed.
        email: String,
        /// For whom: `strangers_guess`, `known_place_guesses`, `too_many_from_strangers`, `too_many_in_a_row`.
        reason: &'static str,
        /// How many were wrong in a row.
        failures: i64,
        /// Until when; nothing if only the way back by mail helps.
        until: Option<Timestamp>,
    },
    /// Many accounts were tried from one place within ten minutes, and hardly anybody got in from there.
    /// Strangers there are slowed down until an hour after. While it goes on it is told again whenever there are
    /// twice as many accounts.
    SignInAttackSeen {
        /// `stuffing`: most addresses have no account here; `spraying`: most have one.
        reason: &'static str,
        /// The address of the client, or the /48 of an IPv6 address.
        network: String,
        /// How many accounts were tried in vain, each counted once in ten minutes.
        accounts: usize,
        /// How many of them do not exist.
        unknown: usize,
        /// How many accounts somebody got into from there meanwhile, whether or not by the attack.
        entered: usize,
    },
    /// The answer to a captcha did not count.
    CaptchaRefused {
        /// The address that was typed.
        email: String,
        /// Why: `malformed`, `signature`, `expired`, `action`, `used`, `solution` of a proof of work; `refused`,
        /// `hostname`, `action`, `score`, `not_judged`, `provider_down`, `other_provider` of the captchas of others.
        reason: &'static str,
        /// Where: `registration`, `login`, `reset`.
        at: &'static str,
        /// Whose captcha is configured.
        provider: &'static str,
    },
    /// Somebody came with an address whose domain is in the file of disposable ones.
    DisposableAddressSeen {
        /// The address that was typed.
        email: String,
        /// Its domain.
        domain: String,
        /// What followed: `refused`; `shadow` where such addresses are only seen.
        reason: &'static str,
        /// Where: `registration`, `email_change`.
        at: &'static str,
    },
    /// A new password was refused, since it was stolen elsewhere.
    PasswordRefused {
        /// The account, where it is known whose it is.
        user: Option<UserId>,
        /// The address it was for.
        email: String,
        /// Why: `breached`.
        reason: &'static str,
        /// Where: `registration`, `setup`, `reset`, `change`, `command`.
        at: &'static str,
    },
    /// A new password was taken, and the range API did not say whether it was stolen elsewhere; by the file, if there is
    /// one, it was not.
    BreachLookupFailed {
        /// The account, where it is known whose it is.
        user: Option<UserId>,
        /// The address it was for.
        email: String,
        /// Why: `failed`, or `paused` within ten seconds after that.
        reason: &'static str,
        /// Where: `registration`, `setup`, `reset`, `change`, `command`.
        at: &'static str,
    },
    /// Somebody showed the right password at a sign-in, and it is one that was stolen elsewhere.
    BreachedPasswordUsed {
        /// The account.
        user: UserId,
    },
    /// Something speaks against a sign-in whose first proof is right, and a rule of risk decided what follows.
    RiskSignal {
        /// The account.
        user: UserId,
        /// The rule that decided, as in `risk.*`: `new_device`, `new_country`, `impossible_travel`,
        /// `sign_in_attack`, `stolen_password`.
        reason: &'static str,
        /// What it asks for: `record`, `step_up`, `refuse`.
        action: &'static str,
        /// What followed: `shadow` if rules do not count; else `recorded`, `second_factor_asked`, `mail_code_asked`, `proved` by a passkey,
        /// `no_second_factor`, `refused`.
        outcome: &'static str,
        /// All that speaks against it: each with its `rule`, and its numbers.
        signals: Value,
    },
    /// A refresh token was exchanged for its successor.
    RefreshRotated {
        /// The account.
        user: UserId,
        /// The session.
        session: SessionId,
        /// Set when the answer was lost and the same successor was given again.
        reason: Option<&'static str>,
    },
    /// A refresh token was not accepted.
    RefreshRejected {
        /// The session, if the token belongs to one.
        session: Option<SessionId>,
        /// Why.
        reason: &'static str,
    },
    /// A refresh token was used a second time: its session was ended.
    RefreshReused {
        /// The account.
        user: UserId,
        /// The session.
        session: SessionId,
        /// How long ago the token was used first, in seconds.
        age_seconds: u64,
    },
    /// Somebody signed out of one session.
    Logout {
        /// The account.
        user: UserId,
        /// The session.
        session: SessionId,
    },
    /// Sessions were ended.
    SessionsRevoked {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// Whose they were.
        user: UserId,
        /// The one, if it was one.
        session: Option<SessionId>,
        /// How many.
        count: u64,
        /// Why.
        reason: &'static str,
    },
    /// Somebody asked to set a new password.
    PasswordResetRequested {
        /// The account, if there is one.
        user: Option<UserId>,
        /// What they typed.
        email: String,
        /// Why no mail was sent.
        reason: Option<&'static str>,
    },
    /// A new password was set with a link.
    PasswordResetCompleted {
        /// The account.
        user: UserId,
    },
    /// A new password was set by its owner.
    PasswordChanged {
        /// The account.
        user: UserId,
    },
    /// The current password was wrong, where it was asked for again.
    PasswordMismatch {
        /// The account.
        user: UserId,
        /// What it was asked for.
        reason: &'static str,
    },
    /// Somebody asked to change their address.
    EmailChangeRequested {
        /// The account.
        user: UserId,
        /// Why no mail was sent to the new address.
        reason: Option<&'static str>,
    },
    /// An address was changed.
    EmailChanged {
        /// The account.
        user: UserId,
    },
    /// A profile was changed.
    ProfileChanged {
        /// The account.
        user: UserId,
        /// Which fields.
        fields: Vec<&'static str>,
    },
    /// The roles of an account were changed.
    RolesChanged {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// Whose they are.
        user: UserId,
        /// What they were.
        before: Vec<String>,
        /// What they are.
        after: Vec<String>,
    },
    /// An account was disabled or enabled.
    StatusChanged {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// Which.
        user: UserId,
        /// Whether it may be used now.
        is_active: bool,
    },
    /// Everything of an account was closed: its sessions, its tokens, sign-ins that waited and open links.
    AccountSecured {
        /// Who did it; nobody when a link or a command did.
        actor: Option<UserId>,
        /// Which.
        user: UserId,
        /// `not_me`: its owner said that a sign-in was not theirs; `owner`: the panic button; `operator`.
        reason: &'static str,
        /// How many sessions ended.
        sessions: u64,
        /// What else was done: `disabled`; `password`, none counts until one is chosen by mail; `factors`,
        /// second factor and passkeys were removed; `passkeys` and `identities`, those added since;
        /// `address_put_back`, or `address_taken` if somebody else has it by now.
        done: Vec<&'static str>,
    },
    /// An act of an administrator was refused.
    AdminRefused {
        /// Who tried.
        actor: Option<UserId>,
        /// On whom.
        user: UserId,
        /// Why.
        reason: &'static str,
    },
    /// An account was deleted.
    UserDeleted {
        /// Which.
        user: UserId,
        /// Nothing when an operator did it; `owner` when its owner asked for it, `never_proved` when nobody
        /// proved the address in time, else who proved it.
        reason: Option<&'static str>,
    },
    /// Somebody asked for the end of their account.
    UserDeletionRequested {
        /// Which.
        user: UserId,
        /// When it will be deleted.
        due: Timestamp,
    },
    /// An account stays whose owner had asked for its end.
    UserDeletionWithdrawn {
        /// Which.
        user: UserId,
        /// Set when its owner did not take it back: `last_admin`, nobody else looks after the
        /// installation; `user_disabled`, it was disabled; `account_secured`, all of it was closed.
        reason: Option<&'static str>,
    },
    /// Somebody took all along that is kept of them.
    DataExported {
        /// Who.
        user: UserId,
    },
    /// The first administrator was made with the link of an empty installation.
    SetupCompleted {
        /// The account.
        user: UserId,
    },
    /// A command made an account.
    UserCreated {
        /// The account.
        user: UserId,
        /// Its roles.
        roles: Vec<String>,
    },
    /// An operator had a mail sent again.
    MailResent {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// The account it is about.
        user: Option<UserId>,
        /// The mail.
        mail: MailId,
        /// The mail that goes out in its place; none if it was still waiting, and was hurried.
        replaced_by: Option<MailId>,
    },
    /// An operator had mail to an address suppressed.
    MailSuppressionAdded {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// The address.
        email: String,
        /// Which mails it is about.
        scope: &'static str,
        /// Until when; for ever if nobody said.
        until: Option<Timestamp>,
    },
    /// An operator let mail go to an address again.
    MailSuppressionLifted {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// The address, if it could be read.
        email: Option<String>,
        /// Which mails it was about.
        scope: String,
        /// Why mail was suppressed.
        was: String,
    },
    /// An operator brought a list of addresses that get no mail.
    MailSuppressionsImported {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// Which mails it is about.
        scope: &'static str,
        /// How many of them were not suppressed before.
        added: usize,
    },
    /// An operator took the list of addresses that get no mail.
    MailSuppressionsExported {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// How many.
        count: usize,
    },
    /// Mail of one cell (what it is handed to, mailbox provider, kind, sender) fares worse than it should.
    MailCellDegraded {
        /// What it is handed to.
        provider: String,
        /// Who takes it for the recipient.
        mailbox_provider: String,
        /// The kind of letter.
        kind: String,
        /// The sender's domain.
        sender: String,
        /// Which step is worse: `accept`, `deliver`, `confirm` or `latency`.
        step: &'static str,
        /// The share of failures that is normal, in thousandths; of `latency` milliseconds.
        normal_permille: i64,
        /// The same, as it is.
        observed_permille: i64,
        /// When the first message was written that it met.
        since: Timestamp,
        /// That message.
        first_mail: Option<MailId>,
    },
    /// Mail of that cell fares as it should again.
    MailCellRecovered {
        /// What it is handed to.
        provider: String,
        /// Who takes it for the recipient.
        mailbox_provider: String,
        /// The kind of letter.
        kind: String,
        /// The sender's domain.
        sender: String,
        /// Which step was worse.
        step: &'static str,
        /// How long it was, in seconds.
        seconds: u64,
    },
    /// What of a day's mail somebody should know, once a day.
    MailDigest {
        /// Of mail from then on.
        from: Timestamp,
        /// And before then.
        to: Timestamp,
        /// The shares of cells that are furthest from what is usual, to the worse.
        deviations: Value,
        /// Answers that no server gave in the four weeks before.
        new_replies: Value,
        /// Where mail stays in the dark that was taken more than a day ago.
        unknown: Value,
    },
    /// A part of the program panicked and was begun again: a bug.
    ServiceTaskRestarted {
        /// Which.
        task: &'static str,
        /// By which node.
        node: NodeId,
    },
    /// Our own settings keep mail from leaving: it is held back, and somebody has to mend them.
    MailConfigFault {
        /// What mail is handed to.
        provider: &'static str,
        /// Where in the conversation.
        step: &'static str,
        /// The code of the answer, if there was one.
        smtp_code: Option<u16>,
        /// The answer, unless it is about one recipient.
        reply: Option<String>,
        /// What to mend.
        advice: &'static str,
    },
    /// Mail leaves again.
    MailConfigRecovered {
        /// What mail is handed to.
        provider: &'static str,
        /// How long it was held back.
        seconds: u64,
    },
    /// The keys that sign access tokens were changed.
    KeyRotated {
        /// Which key signs next.
        kid: String,
        /// By whom or what.
        reason: &'static str,
    },
    /// Something around the service went wrong, by two looks at it.
    CheckFailed {
        /// Which check; also the reason.
        check: &'static str,
        /// What should be.
        expected: &'static str,
        /// What is.
        observed: String,
        /// Facts that this rests on.
        evidence: Vec<String>,
        /// The node that looked.
        node: NodeId,
    },
    /// It is as it should be again, by two looks at it.
    CheckRecovered {
        /// Which check; also the reason.
        check: &'static str,
        /// What is.
        observed: String,
        /// How long it was wrong.
        seconds: u64,
        /// The node that looked.
        node: NodeId,
    },
    /// The program was started or reloaded with another configuration than before. Names only.
    ConfigChanged {
        /// `start` or `reload`.
        reason: &'static str,
        /// Which settings got a value, lost it, or have another one.
        changes: Changes,
    },
    /// A new configuration was refused by a reload; the one before stays.
    ConfigReloadRefused {
        /// The settings that are wrong in it.
        settings: Vec<&'static str>,
    },
    /// A backup was restored: what was issued before is worth nothing any more.
    BackupRestored {
        /// When it was made; what happened since is lost.
        made_at: Timestamp,
        /// How long ago that was, in seconds.
        gap_seconds: u64,
        /// Under which epoch sessions and tokens are issued from now on.
        token_epoch: i64,
        /// How many sessions were ended.
        sessions: u64,
        /// How many links were withdrawn.
        links: u64,
        /// How many mails will not be sent.
        mails: u64,
    },
    /// A new installation was set up.
    InstallationCreated {
        /// Which.
        installation: InstallationId,
        /// The one that was given up for it.
        given_up: Option<InstallationId>,
    },
    /// A command wrote events of the audit trail out.
    EventsExported {
        /// From when on.
        since: Timestamp,
        /// Until when.
        until: Timestamp,
        /// How many.
        count: u64,
    },
    /// Somebody had a sink given events again.
    ExportReplayed {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// Which.
        sink: &'static str,
        /// From when on; nothing if it was what was not taken.
        since: Option<Timestamp>,
        /// How many.
        count: u64,
    },
    /// Somebody gave up what a sink did not take.
    ExportDeadLettersDropped {
        /// Who did it; nobody when a command did.
        actor: Option<UserId>,
        /// Which.
        sink: &'static str,
        /// How many.
        count: u64,
    },
    /// What is personal of somebody was erased from what was sealed: addresses, user agents, typed addresses.
    PersonErased {
        /// Whose it was.
        user: UserId,
        /// Of how many events.
        count: u64,
    },
    /// The audit trail was cut off: what is older is kept no longer.
    EventsPruned {
        /// What was sealed before then is gone.
        before: Timestamp,
        /// The last link that is gone.
        seq: i64,
    },
}
