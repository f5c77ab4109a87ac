//! Reports of providers: as they are documented, and as nobody should ever send them.

use std::fmt::Write as _;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::report::Refused;
use super::signature::{hex, hmac_sha256};
use super::*;
use crate::config::{Sources, load};
use crate::world::{Sandbox, World};

/// Payloads as the providers document them.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/webhooks");

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SOME_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";
const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:mail";

fn corpus() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(CORPUS)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn provider(name: &str) -> MailProvider {
    let word = name.split('-').next().unwrap();
    MailProvider::ALL.into_iter().find(|provider| provider.as_str() == word).unwrap()
}

/// Puts what SES reports into the envelope that SNS sends.
fn enveloped(provider: MailProvider, body: &[u8]) -> Vec<u8> {
    if provider != MailProvider::Ses {
        return body.to_vec();
    }
    let message = String::from_utf8(body.to_vec()).unwrap();
    json!({ "Type": "Notification", "MessageId": "da41e39f-ea4d", "Message": message })
        .to_string()
        .into_bytes()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap()));
    pairs.collect()
}

#[test]
fn the_corpus_is_read_as_it_always_was() {
    let mut read_so = String::new();
    let headers = headers(&[("svix-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")]);
    for (name, body) in corpus() {
        let provider = provider(&name);
        let read = read_webhook(provider, &headers, &enveloped(provider, &body));
        writeln!(read_so, "{name}: {read:#?}").unwrap();
    }
    insta::assert_snapshot!(read_so);
}

/// Whoever reports, for settings that name every secret.
fn reporter_of(provider: MailProvider, key: &str) -> Box<dyn Reporter> {
    let key = if key.is_empty() { SOME_KEY } else { key };
    let set = [
        "ses.region=eu-central-1".to_owned(),
        format!("ses.topics={TOPIC}"),
        format!("postmark.webhook_secret={SECRET}"),
        format!("sendgrid.webhook_public_key={key}"),
        format!("mailgun.webhook_signing_key={SECRET}-mailgun"),
        format!("resend.webhook_secret={SECRET}"),
    ];
    let config =
        load(&Sources::new().set(set)).unwrap_or_else(|refused| panic!("{refused}")).config;
    reporter(&config, provider).unwrap()
}

/// A key pair, and its public half as SendGrid shows it.
fn sendgrid_key() -> (EcdsaKeyPair, String) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let public = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(
        pair.public_key(),
    );
    let text = STANDARD.encode(public.unwrap().as_ref());
    (pair, text)
}

fn refused(
    reporter: &dyn Reporter,
    pairs: &[(&'static str, &str)],
    body: &[u8],
    now: Timestamp,
) -> Refused {
    reporter.proof(&headers(pairs), body, now).expect_err("nobody should believe this")
}

#[test]
fn postmark_shows_a_password() {
    let postmark = reporter_of(MailProvider::Postmark, "");
    let now = Sandbox::default().now();
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let right = basic(&format!("any:{SECRET}"));
    let proof = postmark.proof(&headers(&[("authorization", &right)]), b"{}", now);
    assert_eq!(proof, Ok(Proof::Shown { once: None }));
    for (shown, why) in [
        (basic("any:wrong"), Refused::Forged),
        (basic(SECRET), Refused::Forged),
        (basic(&format!("{SECRET}:")), Refused::Forged),
        ("Basic %%%".to_owned(), Refused::Forged),
        ("Basic".to_owned(), Refused::Forged),
        (format!("Bearer {SECRET}"), Refused::Unauthenticated),
    ] {
        assert_eq!(refused(&*postmark, &[("authorization", &shown)], b"{}", now), why, "{shown}");
    }
    assert_eq!(refused(&*postmark, &[], b"{}", now), Refused::Unauthenticated);
}

#[test]
fn sendgrid_signs_the_instant_and_the_body() {
    const SIGNATURE: &str = "x-twilio-email-event-webhook-signature";
    const TIMESTAMP: &str = "x-twilio-email-event-webhook-timestamp";
    let (pair, key) = sendgrid_key();
    let sendgrid = reporter_of(MailProvider::Sendgrid, &key);
    let now = Sandbox::default().now();
    let sign = |at: &str, body: &[u8]| {
        let signed = [at.as_bytes(), body].concat();
        STANDARD.encode(pair.sign(&SystemRandom::new(), &signed).unwrap().as_ref())
    };
    let at = now.as_second().to_string();
    let signature = sign(&at, b"[]");
    let shown = [(SIGNATURE, signature.as_str()), (TIMESTAMP, at.as_str())];
    let proof = sendgrid.proof(&headers(&shown), b"[]", now);
    assert_eq!(proof, Ok(Proof::Shown { once: None }));
    assert_eq!(refused(&*sendgrid, &shown, b"[ ]", now), Refused::Forged, "other bytes");
    let minute = std::time::Duration::from_mins(6);
    assert_eq!(refused(&*sendgrid, &shown, b"[]", now + minute), Refused::Stale);
    assert_eq!(refused(&*sendgrid, &shown, b"[]", now - minute), Refused::Stale);
    let other = (now.as_second() + 1).to_string();
    let moved = [(SIGNATURE, signature.as_str()), (TIMESTAMP, other.as_str())];
    assert_eq!(refused(&*sendgrid, &moved, b"[]", now), Refused::Forged);
    let odd = sign("12x", b"[]");
    let odd = [(SIGNATURE, odd.as_str()), (TIMESTAMP, "12x")];
    assert_eq!(refused(&*sendgrid, &odd, b"[]", now), Refused::Forged);
    assert_eq!(refused(&*sendgrid, &shown[..1], b"[]", now), Refused::Unauthenticated);
    let (another, _) = sendgrid_key();
    let signed = [at.as_bytes(), b"[]"].concat();
    let signed = another.sign(&SystemRandom::new(), &signed).unwrap();
    let signed = STANDARD.encode(signed.as_ref());
    let foreign = [(SIGNATURE, signed.as_str()), (TIMESTAMP, at.as_str())];
    assert_eq!(refused(&*sendgrid, &foreign, b"[]", now), Refused::Forged);
}

#[test]
fn mailgun_signs_a_name_that_counts_once() {
    let mailgun = reporter_of(MailProvider::Mailgun, "");
    let now = Sandbox::default().now();
    let body = |at: &str, token: &str, key: &str| {
        let signature = hex(&hmac_sha256(key.as_bytes(), &[at.as_bytes(), token.as_bytes()]));
        json!({ "signature": { "timestamp": at, "token": token, "signature": signature } })
            .to_string()
            .into_bytes()
    };
    let (at, key) = (now.as_second().to_string(), format!("{SECRET}-mailgun"));
    let proof = mailgun.proof(&HeaderMap::new(), &body(&at, "abc", &key), now);
    assert_eq!(proof, Ok(Proof::Shown { once: Some(format!("{at}/abc")) }));
    let late = now + std::time::Duration::from_mins(6);
    for (body, now, why) in [
        (body(&at, "abc", &key), late, Refused::Stale),
        (body(&at, "abc", "another key"), now, Refused::Forged),
        (body(&at, "", &key), now, Refused::Unauthenticated),
        (b"{}".to_vec(), now, Refused::Unauthenticated),
        (b"".to_vec(), now, Refused::Malformed),
        (b"\xff\xfe".to_vec(), now, Refused::Malformed),
    ] {
        assert_eq!(refused(&*mailgun, &[], &body, now), why);
    }
}

#[test]
fn resend_signs_after_standard_webhooks_while_secrets_change() {
    let resend = reporter_of(MailProvider::Resend, "");
    let now = Sandbox::default().now();
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let at = now.as_second().to_string();
    let sign = |key: &[u8], id: &str, body: &str| {
        let signed = format!("{id}.{at}.{body}");
        format!("v1,{}", STANDARD.encode(hmac_sha256(key, &[signed.as_bytes()])))
    };
    let right = sign(&key, "msg_1", "{}");
    let both = format!("{} {right}", sign(b"the next secret", "msg_1", "{}"));
    for signature in [&right, &both] {
        for kind in ["svix", "webhook"] {
            let names = ["id", "timestamp", "signature"].map(|name| format!("{kind}-{name}"));
            let mut shown = HeaderMap::new();
            for (name, value) in names.iter().zip(["msg_1", &at, signature]) {
                let name: axum::http::HeaderName = name.parse().unwrap();
                shown.insert(name, value.parse().unwrap());
            }
            let proof = resend.proof(&shown, b"{}", now);
            assert_eq!(proof, Ok(Proof::Shown { once: Some("msg_1".to_owned()) }));
        }
    }
    let shown = |id: &'static str, signature: &'static str| {
        [("svix-id", id), ("svix-timestamp", "1795334400"), ("svix-signature", signature)]
    };
    for signature in ["", "v1,", "v2,AAAA", "v1,%%%", "AAAA"] {
        assert_eq!(refused(&*resend, &shown("msg_1", signature), b"{}", now), Refused::Forged);
    }
    let shown = [("svix-id", "msg_2"), ("svix-timestamp", &at), ("svix-signature", &right)];
    assert_eq!(refused(&*resend, &shown, b"{}", now), Refused::Forged, "another name");
    let shown = [("svix-id", "msg_1"), ("svix-timestamp", &at), ("svix-signature", &right)];
    assert_eq!(refused(&*resend, &shown, b"{ }", now), Refused::Forged, "other bytes");
    let late = now + std::time::Duration::from_mins(6);
    assert_eq!(refused(&*resend, &shown, b"{}", late), Refused::Stale);
    assert_eq!(refused(&*resend, &shown[..2], b"{}", now), Refused::Unauthenticated);
}

/// An envelope as SNS sends it, with members changed.
fn envelope(change: &[(&str, Value)]) -> Vec<u8> {
    let mut envelope = json!({
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "My First Message",
        "Message": "{}",
        "Timestamp": "2026-11-22T08:00:00.000Z",
        "SignatureVersion": "2",
        "Signature": "AAAA",
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-f3ec.pem",
    });
    for (name, value) in change {
        envelope[*name] = value.clone();
    }
    envelope.to_string().into_bytes()
}

#[test]
fn sns_is_believed_for_our_topics_alone_and_fetches_nothing_from_elsewhere() {
    let sns = reporter_of(MailProvider::Ses, "");
    let now: Timestamp = "2026-11-22T08:01:00Z".parse().unwrap();
    let Ok(Proof::Certificate { signed, confirm, once, .. }) =
        sns.proof(&HeaderMap::new(), &envelope(&[]), now)
    else {
        panic!("its certificate has to be fetched");
    };
    assert_eq!(
        String::from_utf8(signed).unwrap(),
        format!(
            "Message\n{{}}\nMessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\nSubject\nMy First Message\n\
             Timestamp\n2026-11-22T08:00:00.000Z\nTopicArn\n{TOPIC}\nType\nNotification\n"
        )
    );
    assert_eq!((confirm, once.as_str()), (None, "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"));
    let at = |url: &str| vec![("SigningCertURL", json!(url))];
    for (change, why) in [
        (vec![("TopicArn", json!("arn:aws:sns:eu-central-1:666666666666:mail"))], Refused::Foreign),
        (vec![("SignatureVersion", json!("1"))], Refused::Forged),
        (vec![("SignatureVersion", json!(2))], Refused::Forged),
        (at("https://sns.eu-central-1.amazonaws.com.evil.dev/x.pem"), Refused::Forged),
        (at("https://evil.dev/sns.eu-central-1.amazonaws.com/x.pem"), Refused::Forged),
        (at("https://evil@sns.eu-central-1.amazonaws.com/x.pem"), Refused::Forged),
        (at("https://sns.eu-central-1.amazonaws.com@evil.dev/x.pem"), Refused::Forged),
        (at("http://sns.eu-central-1.amazonaws.com/x.pem"), Refused::Forged),
        (at("https://sns.eu-central-1.amazonaws.com:8443/x.pem"), Refused::Forged),
        (at("https://sns.us-east-1.amazonaws.com/x.pem"), Refused::Forged),
        (at("https://sns.eu-central-1.amazonaws.com/x.pem?y"), Refused::Forged),
        (at("https://sns.eu-central-1.amazonaws.com/x"), Refused::Forged),
        (at("file:///etc/passwd.pem"), Refused::Forged),
        (vec![("Signature", Value::Null)], Refused::Unauthenticated),
        (vec![("Signature", json!("%%%"))], Refused::Forged),
        (vec![("Timestamp", json!("2026-11-22T06:00:00.000Z"))], Refused::Stale),
        (vec![("Timestamp", json!("2026-11-22T09:00:00.000Z"))], Refused::Stale),
        (vec![("Timestamp", json!("soon"))], Refused::Malformed),
        (vec![("Message", Value::Null)], Refused::Malformed),
        (vec![("Type", json!("Other"))], Refused::Malformed),
        (vec![("Type", json!("SubscriptionConfirmation"))], Refused::Malformed),
        (
            vec![
                ("Type", json!("SubscriptionConfirmation")),
                ("Token", json!("t")),
                ("SubscribeURL", json!("https://evil.dev/?Action=ConfirmSubscription")),
            ],
            Refused::Forged,
        ),
    ] {
        assert_eq!(refused(&*sns, &[], &envelope(&change), now), why, "{change:?}");
    }
    let said = [("x-amz-sns-message-type", "SubscriptionConfirmation")];
    assert_eq!(refused(&*sns, &said, &envelope(&[]), now), Refused::Forged);
    assert_eq!(refused(&*sns, &[], b"[]", now), Refused::Malformed);
    let confirms = envelope(&[
        ("Type", json!("SubscriptionConfirmation")),
        ("Token", json!("t")),
        ("SubscribeURL", json!("https://sns.eu-central-1.amazonaws.com/?Action=Confirm&Token=t")),
    ]);
    let proof = sns.proof(&HeaderMap::new(), &confirms, now);
    assert!(matches!(proof, Ok(Proof::Certificate { confirm: Some(_), .. })), "{proof:?}");
}

/// What must hold whatever comes in.
fn is_bounded(provider: MailProvider, headers: &HeaderMap, body: &[u8]) {
    webhook_is_bounded(provider, headers, body);
    let reporter = reporter_of(provider, "");
    let now = Sandbox::default().now();
    assert!(reporter.proof(headers, body, now).is_err(), "nobody guesses a signature");
}

fn any_provider() -> impl Strategy<Value = MailProvider> {
    prop::sample::select(&MailProvider::ALL[1..])
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    const NAMES: [&str; 9] = [
        "authorization",
        "svix-id",
        "svix-timestamp",
        "svix-signature",
        "webhook-id",
        "x-twilio-email-event-webhook-signature",
        "x-twilio-email-event-webhook-timestamp",
        "x-amz-sns-message-type",
        "content-type",
    ];
    let value = prop_oneof![
        "[ -~]{0,80}",
        Just("1795334400".to_owned()),
        Just("v1,AAAA".to_owned()),
        Just("Basic OjA=".to_owned()),
    ];
    prop::collection::vec((prop::sample::select(&NAMES), value), 0..6).prop_map(|pairs| {
        let pairs = pairs.into_iter().filter_map(|(name, value)| {
            Some((axum::http::HeaderName::from_static(name), value.parse().ok()?))
        });
        pairs.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_are_looked_at_without_harm(
        provider in any_provider(),
        headers in any_headers(),
        body in prop::collection::vec(any::<u8>(), 0..1000),
    ) {
        is_bounded(provider, &headers, &body);
    }

    /// Real reports, cut, repeated and with bytes changed, also those of one provider told to another.
    #[test]
    fn damaged_reports_are_looked_at_without_harm(
        told in any_provider(),
        headers in any_headers(),
        which in any::<Index>(),
        cut in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 0..20),
        repeat in 1..3_usize,
        in_place in any::<bool>(),
    ) {
        let corpus = corpus();
        let (name, body) = which.get(&corpus);
        let mut body = enveloped(provider(name), body).repeat(repeat);
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        body.truncate(cut.index(body.len()) + 1);
        is_bounded(if in_place { provider(name) } else { told }, &headers, &body);
    }

    /// Members of every kind where text is expected.
    #[test]
    fn members_of_any_kind_are_looked_at_without_harm(
        which in any::<Index>(),
        at in any::<Index>(),
        with in prop_oneof![
            Just(Value::Null),
            Just(json!({ "authshield_mail": [[[]]] })),
            Just(json!([{}])),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,2000}".prop_map(Value::from),
        ],
    ) {
        let corpus = corpus();
        let (name, body) = which.get(&corpus);
        let mut body: Value = serde_json::from_slice(body).unwrap();
        let mut pointers = Vec::new();
        leaves(&body, String::new(), &mut pointers);
        let pointer: &String = at.get(&pointers);
        *body.pointer_mut(pointer).unwrap() = with;
        let provider = provider(name);
        is_bounded(provider, &HeaderMap::new(), &enveloped(provider, body.to_string().as_bytes()));
    }
}

/// Lists the pointers to everything in a value.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                leaves(
                    inner,
                    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                leaves(inner, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}
