//! API: providers that take mail, and whether they tell what becomes of it; nothing is sent.
//!
//! The classic silent failure is an account that is valid and limited: it takes mail, and delivers it to
//! nobody but its owner.

use std::time::Duration;

use super::check::{About, Check, Effect, Scope};
use super::finding::Verdict;
use super::policy::{Act, Policy};
use super::relay;
use super::round::Round;
use crate::config::MailProvider;
use crate::mail::{self, Api, Letterhead, Remark, Webhooks};

const BASE: About = About {
    parents: &["CFG-1", "CFG-2"],
    effect: Effect::Network,
    timeout: Duration::from_secs(50),
    policy: Policy { gate: Act::Fail, start: Act::Degrade, running: Act::Degrade },
    every: Some(Duration::from_mins(10)),
    scope: Scope::Service,
    ..About::BASE
};

/// How many mails in an hour must be followed by news of some.
const MANY: i64 = 20;

/// How long a provider may say nothing while it takes that many.
const SILENCE: Duration = Duration::from_hours(1);

/// Returns the providers that mail goes to.
fn used(at: &Round) -> Vec<MailProvider> {
    let mail = &at.config().mail;
    [Some(mail.provider), mail.fallback].into_iter().flatten().collect()
}

/// Puts remarks into one verdict: the worst counts.
fn verdict(remarks: Vec<Remark>) -> Verdict {
    let worst = remarks.iter().map(|remark| remark.severity).max().unwrap_or_default();
    let (said, rest): (Vec<_>, Vec<_>) =
        remarks.into_iter().partition(|remark| remark.severity == worst);
    let words = said.into_iter().map(|remark| remark.words).collect::<Vec<_>>().join("; ");
    let verdict = match worst {
        0 => Verdict::pass(words),
        1 => Verdict::warn(words),
        _ => Verdict::fail(words),
    };
    rest.into_iter().fold(verdict, |verdict, remark| verdict.evidence(remark.words))
}

fn api(at: &Round, provider: MailProvider) -> Result<Api, Verdict> {
    let api = Api::from_config(at.config(), provider);
    let api = api.map_err(|error| Verdict::fail(error.to_string()))?;
    api.ok_or_else(|| Verdict::skip("mail goes to a relay"))
}

async fn account(at: &Round, provider: MailProvider) -> Result<Verdict, Verdict> {
    if !used(at).contains(&provider) {
        return Err(Verdict::skip(format!("mail does not go to {provider}")));
    }
    let head = Letterhead::from_config(at.config());
    let head = head.map_err(|error| Verdict::fail(error.to_string()))?;
    let asked = api(at, provider)?.account(&head.from.email, at.now()).await;
    Ok(verdict(asked.map_err(|failure| relay::verdict(&failure))?))
}

macro_rules! account {
    ($(
        $(#[$doc:meta])* $name:ident = $provider:ident $id:literal, $title:literal,
        $verifies:literal, $expected:literal, $remedy:literal, [$($setting:literal),*];
    )*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl Check for $name {
            const ABOUT: About = About {
                id: $id,
                title: $title,
                verifies: $verifies,
                expected: $expected,
                remedy: $remedy,
                settings: &[$($setting),*],
                ..BASE
            };

            async fn look(at: &Round) -> Verdict {
                match account(at, MailProvider::$provider).await {
                    Ok(verdict) | Err(verdict) => verdict,
                }
            }
        }
    )*};
}

account! {
    /// Amazon SES.
    Ses = Ses "API-1", "Amazon SES lets us send",
        "Amazon SES knows the key; the account is out of the sandbox, may send, is in good standing and has \
         not nearly used up its quota; the domain of mail.from is verified in ses.region, with DKIM.",
        "an account with production access, and a verified domain",
        "Ask for production access in the SES console, and verify the domain of mail.from in ses.region.",
        ["ses.access_key_id", "ses.secret_access_key", "ses.region", "mail.from"];
    /// Postmark.
    Postmark = Postmark "API-2", "Postmark lets us send",
        "Postmark knows the token, and its server delivers: it is no sandbox.",
        "a server that delivers",
        "Use the token of a server of the delivery type Live.",
        ["postmark.server_token"];
    /// SendGrid.
    Sendgrid = Sendgrid "API-3", "SendGrid lets us send",
        "SendGrid knows the key, which may send mail; the domain of mail.from is authenticated.",
        "a key with mail.send, and an authenticated domain",
        "Give the key the permission to send mail, and authenticate the domain of mail.from in SendGrid.",
        ["sendgrid.api_key", "mail.from"];
    /// Mailgun.
    Mailgun = Mailgun "API-4", "Mailgun lets us send",
        "Mailgun knows the key and the domain, which is verified and active, and no sandbox.",
        "an active domain of our own",
        "Verify mailgun.domain in Mailgun; in the EU, set mailgun.url to https://api.eu.mailgun.net.",
        ["mailgun.api_key", "mailgun.domain", "mailgun.url"];
    /// Resend.
    Resend = Resend "API-5", "Resend lets us send",
        "Resend knows the key; the domain of mail.from is verified, and not the one for first steps.",
        "a verified domain",
        "Verify the domain of mail.from in Resend.",
        ["resend.api_key", "mail.from"];
}

/// Whether we hear what becomes of mail.
pub(super) struct Feedback;

impl Check for Feedback {
    const ABOUT: About = About {
        id: "API-6",
        title: "The provider reports what becomes of mail",
        verifies: "As far as the provider's API tells: its webhook leads to our public address, is switched \
                   on and signed, and reports deliveries, delays, bounces and complaints. And while it takes \
                   more than 20 mails an hour, it has reported something in that hour.",
        expected: "a webhook to /api/v1/webhooks/mail/{provider} that reports",
        remedy: "Set the webhook up at the provider, with its key in the settings: the page about providers \
                 says how.",
        settings: &[
            "ses.topics",
            "postmark.webhook_secret",
            "sendgrid.webhook_public_key",
            "mailgun.webhook_signing_key",
            "resend.webhook_secret",
        ],
        policy: Policy { gate: Act::Fail, start: Act::Warn, running: Act::Degrade },
        ..BASE
    };

    async fn look(at: &Round) -> Verdict {
        match feedback(at).await {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

async fn feedback(at: &Round) -> Result<Verdict, Verdict> {
    let used: Vec<_> =
        used(at).into_iter().filter(|provider| *provider != MailProvider::Smtp).collect();
    if used.is_empty() {
        return Err(Verdict::skip("mail goes to a relay, which reports by mail"));
    }
    let expected = Webhooks::from_config(at.config());
    let expected = expected.map_err(|error| Verdict::fail(error.to_string()))?;
    let mut remarks = Vec::new();
    for provider in used {
        if !expected.expects(provider) {
            remarks.push(Remark {
                severity: 1,
                words: format!(
                    "nothing is set by which reports of {provider} could be believed, so nobody learns \
                     what becomes of mail"
                ),
            });
            continue;
        }
        let url = format!("{}/api/v1/webhooks/mail/{provider}", at.config().issuer());
        let asked = api(at, provider)?.webhooks(&url, at.now()).await;
        remarks.extend(asked.map_err(|failure| relay::verdict(&failure))?);
        remarks.extend(silence(at, provider).await?);
    }
    Ok(verdict(remarks))
}

/// Looks whether the provider takes mail and says nothing.
async fn silence(at: &Round, provider: MailProvider) -> Result<Option<Remark>, Verdict> {
    if super::database::has_tables(at).await.is_err() {
        return Ok(None);
    }
    let since = at.now() - SILENCE;
    let mut tx = at.store().await?.glance().await?;
    let taken = mail::with_provider(&mut tx, provider, since).await?;
    let last = mail::last_feedback(&mut tx).await?;
    let last = last.into_iter().find(|(name, _)| name == provider.as_str()).map(|(_, at)| at);
    if taken <= MANY || last.is_some_and(|last| last > since) {
        return Ok(None);
    }
    let when = last.map_or_else(|| "never".to_owned(), |last| format!("last at {last}"));
    let words = format!("{provider} took {taken} mails in an hour and reported nothing ({when})");
    Ok(Some(Remark { severity: 2, words }))
}
