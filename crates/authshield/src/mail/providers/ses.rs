//! Amazon SES: the v2 API with Signature Version 4, and the account behind it. What it reports comes
//! through SNS, in `sns.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::api::{Answer, Ask, Outgoing, Remark};
use super::report::{name, some, text};
use super::sigv4::Signer;
use super::{Key, Sender, TAG};
use crate::config::{self, MailProvider};
use crate::kernel::Timestamp;
use crate::mail::reply::{Class, Failure, Step};

/// How much of the day's quota may be used before that is said.
const NEARLY: f64 = 0.8;

/// Gives mail to Amazon SES.
#[derive(Debug)]
pub(super) struct Ses {
    region: String,
    key_id: String,
    secret: Key,
    configuration_set: Option<String>,
    topics: Vec<String>,
}

impl Ses {
    pub(super) fn new(settings: &config::Ses) -> Option<Self> {
        Some(Self {
            region: settings.region.clone()?,
            key_id: settings.access_key_id.clone()?,
            secret: Key(settings.secret_access_key.clone()?),
            configuration_set: settings.configuration_set.clone(),
            topics: settings.topics.clone(),
        })
    }
}

const KEY: &str = "Amazon refused the key: check ses.access_key_id and ses.secret_access_key, and that \
                   the key may do ses:SendEmail in ses.region";

/// Returns the name of an error, without what may stand before or behind it.
fn kind(answer: &Answer) -> String {
    let body = answer.json();
    let header = answer.header("x-amzn-errortype");
    let all = if header.is_empty() { text(&body, "/__type") } else { header };
    let all = all.split(':').next().unwrap_or_default();
    all.rsplit('#').next().unwrap_or_default().to_owned()
}

/// Returns what an error says.
fn words(answer: &Answer) -> String {
    let body = answer.json();
    let message = text(&body, "/message");
    let message = if message.is_empty() { text(&body, "/Message") } else { message };
    name(&[&format!("{} {message}", kind(answer))])
}

impl Sender for Ses {
    fn provider(&self) -> MailProvider {
        MailProvider::Ses
    }

    fn authorize(&self, ask: &mut Ask, url: &Url, now: Timestamp) {
        let signer = Signer {
            key_id: &self.key_id,
            secret: self.secret.0.expose_secret(),
            region: &self.region,
            service: "ses",
        };
        let headers: Vec<_> =
            ask.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let proof = signer.sign(ask.method.as_str(), url, &headers, &ask.body, now);
        ask.headers.extend(proof);
    }

    fn send(&self, mail: &Outgoing<'_>) -> Ask {
        let mut body = json!({
            "FromEmailAddress": mail.from.email.to_string(),
            "Destination": { "ToAddresses": [mail.to.email.to_string()] },
            "Content": { "Raw": { "Data": STANDARD.encode(mail.mime) } },
            "EmailTags": [{ "Name": TAG, "Value": mail.tag }],
        });
        if let Some(set) = &self.configuration_set {
            body["ConfigurationSetName"] = set.as_str().into();
        }
        Ask::json("/v2/email/outbound-emails", &body)
    }

    fn taken(&self, answer: &Answer) -> Option<String> {
        some(text(&answer.json(), "/MessageId"))
    }

    fn refused(&self, answer: &Answer, from: &Address) -> Failure {
        let words = words(answer);
        let kind = kind(answer);
        match kind.trim_end_matches("Exception") {
            "UnrecognizedClient"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "InvalidSignature"
            | "IncompleteSignature"
            | "AccessDenied"
            | "ExpiredToken"
            | "MissingAuthenticationToken"
            | "OptInRequired" => answer.our_fault(Step::Auth, &words, KEY),
            "AccountSuspended" | "SendingPaused" => answer.our_fault(
                Step::Mail,
                &words,
                "Amazon lets the account send nothing: see its standing in the SES console",
            ),
            "MailFromDomainNotVerified" => answer.our_fault(
                Step::Mail,
                &words,
                "the MAIL FROM domain is not verified: see the identity in the SES console",
            ),
            "NotFound" => answer.our_fault(
                Step::Mail,
                &words,
                "Amazon does not know the configuration set: correct ses.configuration_set",
            ),
            "MessageRejected" if words.contains("not verified") => {
                // In the sandbox recipients have to be verified as well: then it names them.
                let is_about_us = words.contains(from.domain());
                let step = if is_about_us { Step::Mail } else { Step::Message };
                answer.our_fault(
                    step,
                    &words,
                    "Amazon does not let us send: verify the domain of mail.from in ses.region, and ask \
                     for production access if the account is in the sandbox",
                )
            }
            "MessageRejected" => answer.failure(Step::Message, Class::Content, &words),
            "TooManyRequests" | "LimitExceeded" | "Throttling" => {
                answer.failure(Step::Connect, Class::Reputation, &words)
            }
            _ => answer.by_status(&words, KEY),
        }
    }

    fn sink(&self) -> &'static str {
        "success@simulator.amazonses.com"
    }

    fn account(&self, from: &Address) -> Vec<Ask> {
        let identity = |name: &str| Ask::get(format!("/v2/email/identities/{name}"));
        vec![Ask::get("/v2/email/account"), identity(from.domain())]
    }

    fn judge_account(&self, answers: &[Answer], from: &Address) -> Vec<Remark> {
        let [account, identity] = answers else { return Vec::new() };
        if !account.is_yes() {
            return vec![Remark::bad(format!("HTTP {}: {}", account.status, words(account)))];
        }
        let mut remarks = vec![standing(&account.json())];
        let is = identity.json();
        remarks.push(match identity.status {
            404 => Remark::bad(format!("the domain of {from} is no identity in {}", self.region)),
            status if !identity.is_yes() => {
                Remark::warning(format!("the identity could not be seen: HTTP {status}"))
            }
            _ if is["VerifiedForSendingStatus"] != Value::Bool(true) => {
                Remark::bad(format!("the domain of {from} is not verified"))
            }
            _ if text(&is, "/DkimAttributes/Status") != "SUCCESS" => {
                let status = name(&[text(&is, "/DkimAttributes/Status")]);
                Remark::bad(format!("DKIM of {} is {status}", from.domain()))
            }
            _ => Remark::good(format!("the domain of {from} is verified, with DKIM")),
        });
        remarks
    }

    fn webhooks(&self) -> Option<Ask> {
        let set = self.configuration_set.as_ref()?;
        Some(Ask::get(format!("/v2/email/configuration-sets/{set}/event-destinations")))
    }

    fn judge_webhooks(&self, answer: &Answer, url: &str) -> Remark {
        if !answer.is_yes() {
            return Remark::bad(format!("HTTP {}: {}", answer.status, words(answer)));
        }
        let body = answer.json();
        let all = body["EventDestinations"].as_array().cloned().unwrap_or_default();
        let ours = |one: &&Value| {
            let topic = text(one, "/SnsDestination/TopicArn");
            self.topics.iter().any(|allowed| allowed == topic)
        };
        let Some(ours) = all.iter().find(ours) else {
            return Remark::bad(format!(
                "the configuration set reports to none of ses.topics, so nothing reaches {url}"
            ));
        };
        if ours["Enabled"] != Value::Bool(true) {
            return Remark::bad("the event destination is switched off");
        }
        let events = ours["MatchingEventTypes"].as_array().cloned().unwrap_or_default();
        let lacks: Vec<_> = ["DELIVERY", "BOUNCE", "COMPLAINT", "DELIVERY_DELAY"]
            .into_iter()
            .filter(|one| !events.iter().any(|event| event == one))
            .collect();
        if lacks.is_empty() {
            Remark::good("Amazon reports deliveries, bounces and complaints to one of ses.topics")
        } else {
            Remark::bad(format!("the event destination does not report {}", lacks.join(", ")))
        }
    }
}

/// Judges what the account may do.
fn standing(account: &Value) -> Remark {
    if account["SendingEnabled"] == Value::Bool(false) {
        return Remark::bad("sending is switched off for the account");
    }
    if account["ProductionAccessEnabled"] != Value::Bool(true) {
        return Remark::bad(
            "the account is in the sandbox: it sends to verified recipients only, 200 a day; ask for \
             production access",
        );
    }
    let status = text(account, "/EnforcementStatus");
    if !matches!(status, "" | "HEALTHY") {
        return Remark::bad(format!("the standing of the account is {}", name(&[status])));
    }
    let of = |pointer| account.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
    let (sent, at_most) = (of("/SendQuota/SentLast24Hours"), of("/SendQuota/Max24HourSend"));
    if at_most > 0.0 && sent > NEARLY * at_most {
        return Remark::warning(format!("{sent} of {at_most} mails a day are used up"));
    }
    Remark::good("the account may send to everybody")
}
