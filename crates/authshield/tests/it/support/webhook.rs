//! Reports of providers, signed as each of them does it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use authshield::kernel::Timestamp;
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::provider::{MAILGUN_SECRET, POSTMARK_SECRET, RESEND_SECRET, TOPIC};

/// A report, ready to be posted.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// The mail that payloads of the corpus are about.
const NOBODY: &str = "00000000-0000-7000-8000-000000000001";

/// Returns a payload of the corpus, about `mail`, and with names of its own for its events: `mark`.
pub(crate) fn payload(name: &str, mail: &str, mark: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/webhooks");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    let text = text.replace(NOBODY, mail);
    // The names that providers have for events.
    let names = [
        ("\"ID\":4323372036854775807", format!("\"ID\":{}", 100 + mark.len())),
        ("2026-11-22T12:33:54.9070259Z", format!("2026-11-22T12:33:54.{}Z", 100 + mark.len())),
        ("\"6g4ZI7SA", format!("\"{mark}6g4ZI7SA")),
        ("\"rWVYmVk90", format!("\"{mark}rWVYmVk90")),
        ("\"G9Bn5sl1", format!("\"{mark}G9Bn5sl1")),
        ("\"CPgfbmQM", format!("\"{mark}CPgfbmQM")),
    ];
    names.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

fn hmac_hex(key: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, text.as_bytes());
    tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

/// Signs `body` the way of `provider`, at `now`; `name` is what the delivery is called.
pub(crate) fn signed(provider: &str, body: &str, name: &str, now: Timestamp, sns: &str) -> Webhook {
    let at = now.as_second().to_string();
    match provider {
        "ses" => sns_notification(body, name, now, sns),
        "postmark" => {
            let pair = STANDARD.encode(format!("any:{POSTMARK_SECRET}"));
            let headers = vec![("authorization", format!("Basic {pair}"))];
            Webhook { headers, body: body.to_owned() }
        }
        "sendgrid" => {
            let (pair, _) = sendgrid_pair();
            let signature = pair.sign(&SystemRandom::new(), format!("{at}{body}").as_bytes());
            let signature = STANDARD.encode(signature.unwrap().as_ref());
            let headers = vec![
                ("x-twilio-email-event-webhook-signature", signature),
                ("x-twilio-email-event-webhook-timestamp", at),
            ];
            Webhook { headers, body: body.to_owned() }
        }
        "mailgun" => {
            let mut body: Value = serde_json::from_str(body).unwrap();
            let signature = hmac_hex(MAILGUN_SECRET, &format!("{at}{name}"));
            body["signature"] = json!({ "timestamp": at, "token": name, "signature": signature });
            Webhook { headers: Vec::new(), body: body.to_string() }
        }
        "resend" => {
            let key = STANDARD.decode(RESEND_SECRET.strip_prefix("whsec_").unwrap()).unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
            let tag = hmac::sign(&key, format!("{name}.{at}.{body}").as_bytes());
            let headers = vec![
                ("svix-id", name.to_owned()),
                ("svix-timestamp", at),
                ("svix-signature", format!("v1,{}", STANDARD.encode(tag.as_ref()))),
            ];
            Webhook { headers, body: body.to_owned() }
        }
        provider => panic!("nobody knows {provider}"),
    }
}

fn sendgrid_pair() -> &'static (EcdsaKeyPair, String) {
    static MADE: OnceLock<(EcdsaKeyPair, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
        let text = STANDARD.encode(public.as_ref());
        (pair, text)
    })
}

/// Returns the public key of SendGrid's webhook, as its console shows it.
pub(crate) fn sendgrid_key() -> String {
    sendgrid_pair().1.clone()
}

/// Where the certificate of SNS is, below its address.
pub(crate) const CERTIFICATE: &str =
    "/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem";

/// A certificate and its key, as SNS has one.
struct Sns {
    pem: String,
    pair: rsa::KeyPair,
}

fn sns() -> &'static Sns {
    static MADE: OnceLock<Sns> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(arguments).current_dir(folder.path());
            let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            assert!(status.expect("openssl is installed").success(), "openssl {arguments:?}");
        };
        openssl(&[
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "certificate.pem",
            "-days",
            "30",
            "-subj",
            "/CN=sns.amazonaws.com",
        ]);
        openssl(&[
            "pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der",
        ]);
        let pem = std::fs::read_to_string(folder.path().join("certificate.pem")).unwrap();
        let key = std::fs::read(folder.path().join("key.der")).unwrap();
        Sns { pem, pair: rsa::KeyPair::from_pkcs8(&key).unwrap() }
    })
}

/// Returns the certificate of SNS.
pub(crate) fn sns_certificate() -> String {
    sns().pem.clone()
}

/// Signs an envelope of SNS.
pub(crate) fn sns_signed(mut envelope: Value) -> Webhook {
    let kind = envelope["Type"].as_str().unwrap().to_owned();
    let keys: &[&str] = if kind == "Notification" {
        &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    } else {
        &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    };
    let mut text = String::new();
    for key in keys {
        if let Some(value) = envelope[*key].as_str() {
            text.extend([*key, "\n", value, "\n"]);
        }
    }
    let pair = &sns().pair;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    envelope["Signature"] = STANDARD.encode(signature).into();
    let headers = vec![
        ("x-amz-sns-message-type", kind),
        ("content-type", "text/plain; charset=UTF-8".to_owned()),
    ];
    Webhook { headers, body: envelope.to_string() }
}

/// An envelope that SNS would sign.
pub(crate) fn sns_envelope(message: &str, name: &str, now: Timestamp, sns: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": name,
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": now.to_string(),
        "SignatureVersion": "2",
        "SigningCertURL": format!("{sns}{CERTIFICATE}"),
        "UnsubscribeURL": format!("{sns}/?Action=Unsubscribe"),
    })
}

fn sns_notification(message: &str, name: &str, now: Timestamp, sns: &str) -> Webhook {
    sns_signed(sns_envelope(message, name, now, sns))
}
