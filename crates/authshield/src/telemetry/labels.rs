//! Every set of labels of a metric.
//!
//! Labels have few values by construction: matched routes, codes, kinds. No address, id or text that
//! somebody sent is ever a label.

use prometheus_client::encoding::EncodeLabelSet;

/// A set of labels that knows their names.
pub trait Labels: EncodeLabelSet + Clone + Default + Eq + std::hash::Hash {
    /// The names, in order.
    const NAMES: &'static [&'static str];
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $label:ident: $type:ty,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub struct $name {
            $($(#[$about])* pub $label: $type,)+
        }

        impl Labels for $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($label)),+];
        }
    )+};
}

labels! {
    /// Of a request.
    Http {
        /// Upper case; `other` for what is not in RFC 9110 or RFC 5789.
        method: &'static str,
        /// The matched path template, never the path; `unmatched` where none matched.
        route: String,
        /// `2xx`, `4xx` ….
        status_class: &'static str,
    }
    /// Of a security event.
    Event {
        /// From the catalogue of events.
        code: &'static str,
        /// The inner reason, or empty.
        reason: &'static str,
    }
    /// Of a sign-in.
    Login {
        /// `password` ….
        method: &'static str,
        /// `succeeded` or `refused`.
        outcome: &'static str,
    }
    /// Of a decision by a rule of risk.
    Risk {
        /// `new_device` …, as in the settings.
        rule: &'static str,
        /// `record`, `step_up` or `refuse`.
        action: &'static str,
        /// `shadow`, `recorded`, `second_factor_asked`, `proved`, `no_second_factor` or `refused`.
        outcome: &'static str,
    }
    /// Of a token.
    Token {
        /// `access` or `refresh`.
        kind: &'static str,
    }
    /// Of something that was tried.
    Outcome {
        /// How it ended.
        outcome: &'static str,
    }
    /// Of a mail.
    Mail {
        /// Which letter.
        kind: &'static str,
        /// `accepted`, `kept`, `retried`, `failed`, `expired` or `suppressed`.
        outcome: &'static str,
    }
    /// Of a try to send a mail.
    MailAttempt {
        /// What mail is handed to.
        provider: &'static str,
        /// `accepted`, or whose affair it was that not: `recipient`, `configuration`, `reputation`,
        /// `relay`, `content` or `unknown`.
        class: &'static str,
    }
    /// Of what mail is handed to.
    MailProvider {
        /// `smtp`, `smtp_fallback`, or the name of a provider, as in `mail.provider`; `dsn` for reports that come as
        /// mail.
        provider: &'static str,
    }
    /// Of what was reported about mail and not believed.
    MailRejected {
        /// Who reported it, or by which kind of report.
        provider: &'static str,
        /// Why not: `unauthenticated`, `forged`, `stale`, `replayed`, `foreign` (genuine, and of somebody else's
        /// topic), `no_certificate`, `malformed`, `too_large`, `not_a_report`, `no_token`, `no_such_mail` or
        /// `too_many`.
        reason: &'static str,
    }
    /// Of mails that were not sent.
    MailSuppressed {
        /// `hard_bounce`, `complaint`, `operator` or `imported`.
        reason: &'static str,
    }
    /// Of mails that wait.
    MailState {
        /// `queued` or `sending`.
        state: &'static str,
    }
    /// Of mails of one kind.
    MailKind {
        /// Which letter.
        kind: &'static str,
    }
    /// Of who is given events.
    Sink {
        /// `webhook` or `syslog`.
        sink: &'static str,
    }
    /// Of an attempt to give somebody an event.
    ExportOutcome {
        /// `webhook` or `syslog`.
        sink: &'static str,
        /// `taken` or `failed`.
        outcome: &'static str,
    }
    /// Of where mail goes.
    MailPlace {
        /// What it is handed to; `none` while it is not.
        provider: String,
        /// Who takes it for the recipient: `google`, `microsoft`, … or `other`; `none` if nobody does, and
        /// `unknown` while no name server has answered.
        mailbox_provider: &'static str,
    }
    /// Of mail that was read.
    MailConfirm {
        /// Which letter.
        kind: &'static str,
        /// Who takes it for the recipient.
        mailbox_provider: &'static str,
    }
    /// Of mail that has the same fate if any has.
    MailCell {
        /// What it is handed to; `none` while it is not.
        provider: String,
        /// Who takes it for the recipient.
        mailbox_provider: &'static str,
        /// Which letter.
        kind: &'static str,
        /// `accept`, `deliver`, `confirm` or `latency`.
        step: &'static str,
    }
    /// Of what the program does by itself.
    Task {
        /// Its name: `mail`, `mail_in_hand`, `checks`, `chores` ….
        task: &'static str,
    }
    /// Of a mailbox that canaries are sent to.
    CanaryMailbox {
        /// `1`, `2` or `3`: its place in `canary.addresses`.
        mailbox: &'static str,
    }
    /// Of a canary that arrived.
    CanaryArrival {
        /// `1`, `2` or `3`: its place in `canary.addresses`.
        mailbox: &'static str,
        /// `inbox`, `junk`, or `unknown` where nobody says.
        folder: &'static str,
    }
    /// Of a part of a canary's way.
    CanaryLeg {
        /// `1`, `2` or `3`: its place in `canary.addresses`.
        mailbox: &'static str,
        /// `accept`: to the relay's yes; `arrive`: from there to the mailbox; `total`: both.
        leg: &'static str,
    }
    /// Of what authenticates a canary.
    CanaryMethod {
        /// `1`, `2` or `3`: its place in `canary.addresses`.
        mailbox: &'static str,
        /// `spf`, `dkim` or `dmarc`.
        method: &'static str,
    }
    /// Of database work.
    Database {
        /// `read` or `write`.
        mode: &'static str,
        /// `wait` for a connection or for the turn to write, `statement`, or `commit`.
        part: &'static str,
    }
    /// Of a limit.
    Rule {
        /// Its name on the page of limits.
        rule: &'static str,
    }
    /// Of a captcha.
    Captcha {
        /// `registration`, `login` or `reset`.
        at: &'static str,
        /// `asked`, `passed`, `refused` or `provider_down`.
        outcome: &'static str,
    }
    /// Of a question whether a password was stolen elsewhere.
    BreachLookup {
        /// `registration`, `setup`, `reset`, `change`, `command` or `sign_in`.
        at: &'static str,
        /// `stolen`, `unknown`, `failed`, or `paused` after that.
        outcome: &'static str,
    }
    /// Of a check.
    Check {
        /// Its id on the page of checks.
        check: &'static str,
    }
    /// What a bad result of a check means.
    CheckPolicy {
        /// Its id on the page of checks.
        check: &'static str,
        /// In `authshield preflight`.
        gate: &'static str,
        /// At the start.
        start: &'static str,
        /// While running.
        running: &'static str,
    }
    /// Of a certificate.
    Certificate {
        /// Whose: `public_url`.
        certificate: &'static str,
    }
    /// Of this build.
    Build {
        /// As in the release.
        version: &'static str,
    }
    /// Of the configuration, as far as alerts need it.
    Settings {
        /// `development` or `production`.
        environment: &'static str,
        /// `sqlite` or `postgres`.
        database: &'static str,
        /// Whether limits and revocations are shared through Redis.
        redis: &'static str,
        /// Whether mail really leaves.
        smtp: &'static str,
        /// `ES256`, `EdDSA` or `RS256`.
        algorithm: &'static str,
        /// One fingerprint for all settings that nodes share; nodes of one version have the same.
        digest: String,
        /// As in the release.
        version: &'static str,
    }
}
