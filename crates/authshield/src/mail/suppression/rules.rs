//! When mail to an address stops, and when it goes on. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::kernel::{MailId, Timestamp};
use crate::mail::letter;
use crate::mail::timeline::{EventKind, names};

/// How long nothing is sent after mail came back for good.
pub(super) const FIRST: Duration = Duration::from_hours(72);

/// How long, once the trial after that came back too.
pub(super) const AGAIN: Duration = Duration::from_hours(30 * 24);

/// A trial that did not come back for so long has passed: few servers say yes, those that say no do so
/// soon.
pub(super) const TRIAL: Duration = Duration::from_hours(1);

names! {
    /// Which mails a suppression is about.
    Scope {
        /// Every mail.
        All = "all",
        /// All but what protects the account: news of its password and its address, and the way back
        /// in.
        NonSecurity = "non_security",
    }
}

names! {
    /// Why mail is suppressed.
    Reason {
        /// Mail came back for good.
        HardBounce = "hard_bounce",
        /// The recipient called mail unwanted.
        Complaint = "complaint",
        /// An operator said so.
        Operator = "operator",
        /// It stood in a list that an operator brought.
        Imported = "imported",
    }
}

/// What news of a mail means for the address that it went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Nothing,
    /// Mail came back for good.
    Strike,
    /// The recipient does not want it.
    Complaint,
    /// The mailbox takes mail.
    Works,
}

/// What is known of a piece of news.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) kind: EventKind,
    pub(super) class: Option<&'a str>,
    pub(super) smtp_code: Option<u16>,
    pub(super) enhanced_code: Option<&'a str>,
}

/// Judges news of a mail.
pub(super) fn effect(heard: Heard<'_>) -> Effect {
    // A full mailbox is emptied again (RFC 3463, X.2.2).
    let is_full = heard.smtp_code == Some(552)
        || heard.enhanced_code.is_some_and(|code| code.ends_with(".2.2"));
    let is_final = heard.class == Some("recipient") && !is_full;
    match heard.kind {
        EventKind::Bounced if is_final => Effect::Strike,
        // Our own relay says so at once; what never left us says nothing about the mailbox.
        EventKind::Failed if is_final && heard.smtp_code >= Some(500) => Effect::Strike,
        EventKind::Complained => Effect::Complaint,
        EventKind::Delivered | EventKind::Confirmed => Effect::Works,
        _ => Effect::Nothing,
    }
}

/// A suppression, as far as it decides about a mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    pub(super) scope: Scope,
    pub(super) reason: Reason,
    pub(super) until: Option<Timestamp>,
    pub(super) trial: Option<(MailId, Timestamp)>,
}

/// Whether a mail may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// It may.
    Free,
    /// It may, if it is the one that is tried.
    Trial,
    /// It may not.
    Barred,
}

/// Decides whether `mail` of a kind may go at `now`.
pub(super) fn passage(bar: &Bar, mail: MailId, kind: &str, now: Timestamp) -> Passage {
    if bar.scope == Scope::NonSecurity && letter::protects(kind) {
        return Passage::Free;
    }
    if bar.until.is_none_or(|until| now < until) {
        return Passage::Barred;
    }
    if bar.reason != Reason::HardBounce {
        return Passage::Free;
    }
    match bar.trial {
        Some((tried, _)) if tried == mail => Passage::Free,
        Some((_, at)) if at + TRIAL <= now => Passage::Free,
        None if letter::is_asked_for(kind) => Passage::Trial,
        _ => Passage::Barred,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Sandbox, World};

    fn heard(kind: EventKind, class: &'static str, code: u16, enhanced: &'static str) -> Effect {
        let enhanced_code = Some(enhanced).filter(|code| !code.is_empty());
        let smtp_code = Some(code).filter(|code| *code > 0);
        effect(Heard { kind, class: Some(class), smtp_code, enhanced_code })
    }

    #[test]
    fn only_a_mailbox_that_is_not_there_is_a_strike() {
        use EventKind::{Bounced, Complained, Confirmed, Deferred, Delivered, Failed, Retried};
        for (kind, class, code, enhanced, expected) in [
            (Bounced, "recipient", 550, "5.1.1", Effect::Strike),
            (Bounced, "recipient", 0, "", Effect::Strike),
            (Failed, "recipient", 550, "5.1.1", Effect::Strike),
            (Failed, "recipient", 0, "", Effect::Nothing),
            (Bounced, "recipient", 552, "5.2.2", Effect::Nothing),
            (Bounced, "recipient", 550, "5.2.2", Effect::Nothing),
            (Bounced, "reputation", 550, "5.7.1", Effect::Nothing),
            (Bounced, "relay", 0, "4.4.1", Effect::Nothing),
            (Failed, "content", 552, "", Effect::Nothing),
            (Deferred, "recipient", 450, "4.2.1", Effect::Nothing),
            (Retried, "recipient", 552, "5.2.2", Effect::Nothing),
            (Complained, "", 0, "", Effect::Complaint),
            (Delivered, "", 250, "2.0.0", Effect::Works),
            (Confirmed, "", 0, "", Effect::Works),
        ] {
            assert_eq!(heard(kind, class, code, enhanced), expected, "{kind:?} {class} {code}");
        }
    }

    #[test]
    fn after_the_end_one_mail_that_somebody_asked_for_is_tried() {
        let world = Sandbox::default();
        let (now, mail, tried) = (world.now(), MailId::new(&world), MailId::new(&world));
        let minute = Duration::from_mins(1);
        let bounced = |until, trial| Bar {
            scope: Scope::All,
            reason: Reason::HardBounce,
            until: Some(until),
            trial,
        };
        for (bar, kind, expected) in [
            (bounced(now + minute, None), "verify_email", Passage::Barred),
            (bounced(now + minute, None), "password_changed", Passage::Barred),
            (bounced(now, None), "verify_email", Passage::Trial),
            (bounced(now, None), "reset_password", Passage::Trial),
            (bounced(now, None), "password_changed", Passage::Barred),
            (bounced(now, Some((tried, now))), "verify_email", Passage::Barred),
            (bounced(now, Some((mail, now))), "verify_email", Passage::Free),
            (bounced(now - TRIAL, Some((tried, now - TRIAL))), "password_changed", Passage::Free),
        ] {
            assert_eq!(passage(&bar, mail, kind, now), expected, "{bar:?} {kind}");
        }
        let complained =
            Bar { scope: Scope::NonSecurity, reason: Reason::Complaint, until: None, trial: None };
        for (kind, expected) in [
            ("verify_email", Passage::Barred),
            ("already_registered", Passage::Barred),
            ("password_changed", Passage::Free),
            ("email_changed", Passage::Free),
            ("reset_password", Passage::Free),
        ] {
            assert_eq!(passage(&complained, mail, kind, now), expected, "{kind}");
        }
        let by_hand =
            |until| Bar { scope: Scope::All, reason: Reason::Operator, until, trial: None };
        assert_eq!(passage(&by_hand(None), mail, "reset_password", now), Passage::Barred);
        assert_eq!(passage(&by_hand(Some(now)), mail, "password_changed", now), Passage::Free);
    }
}
