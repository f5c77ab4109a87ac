//! What SPF, DKIM and DMARC say of a mail that arrived.
//!
//! By our own reckoning, from what the mail says and from what the name servers say now: a receiver
//! that is lenient, or writes nothing, hides nothing from us. What it wrote stands beside it.

use std::net::IpAddr;

use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, SpfOutput,
    SpfResult,
};
use mail_parser::{HeaderValue, Message};

use crate::dns::Dns;
use crate::mail::mime;
use crate::mail::reply::one_line;

/// What a mail is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) spf: &'static str,
    pub(super) dkim: &'static str,
    pub(super) dmarc: &'static str,
    /// What the receiver wrote, on one line.
    pub(super) receiver: Option<String>,
}

impl Verdict {
    /// Nobody was asked, or nobody answered.
    pub(super) const UNKNOWN: Self =
        Self { spf: "unknown", dkim: "unknown", dmarc: "unknown", receiver: None };
}

/// Where a mail came from, by the account of the server that took it in.
struct Origin {
    ip: IpAddr,
    hello: String,
}

/// Works out the verdict.
pub(super) async fn judge(dns: &Dns, raw: &[u8]) -> Verdict {
    let (Some(message), Some(parsed)) = (AuthenticatedMessage::parse(raw), mime::parse(raw)) else {
        return Verdict::UNKNOWN;
    };
    let who = MessageAuthenticator(dns.resolver().clone());
    let dkim = who.verify_dkim(&message).await;
    let from = envelope_from(&parsed).unwrap_or_default();
    let domain = from.rsplit('@').next().unwrap_or_default().to_owned();
    let spf = match origin(&parsed) {
        Some(Origin { ip, hello }) if !domain.is_empty() => {
            let asked = SpfParameters::verify_mail_from(ip, &hello, &hello, &from);
            Some(who.verify_spf(asked).await)
        }
        _ => None,
    };
    let nothing = SpfOutput::new(domain.clone());
    let counted = spf.as_ref().unwrap_or(&nothing);
    let dmarc = who.verify_dmarc(DmarcParameters::new(&message, &dkim, &domain, counted)).await;
    Verdict {
        spf: spf.map_or("unknown", |spf| spf_word(spf.result())),
        dkim: dkim_word(&dkim),
        dmarc: dmarc_word(dmarc.dkim_result(), dmarc.spf_result()),
        receiver: None,
    }
}

/// Returns what the receiver wrote of the authentication (RFC 8601): the newest such field, which is
/// its own.
pub(super) fn receiver(raw: &[u8]) -> Option<String> {
    let message = mime::parse(raw)?;
    let mut fields = message.headers_raw();
    let is_it = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("Authentication-Results");
    fields.find(is_it).map(|(_, value)| one_line(value)).filter(|words| !words.is_empty())
}

/// Returns where the mail came from to the receiver: the newest step that is not inside of its own
/// house, or the newest of all.
fn origin(message: &Message<'_>) -> Option<Origin> {
    let mut inside = None;
    for header in message.headers() {
        let HeaderValue::Received(step) = &header.value else { continue };
        let Some(ip) = step.from_ip else { continue };
        let hello = step.helo.as_ref().or(step.from.as_ref());
        let hello = hello.map_or_else(String::new, |host| match host {
            mail_parser::Host::Name(name) => name.to_string(),
            mail_parser::Host::IpAddr(ip) => format!("[{ip}]"),
        });
        let found = Origin { ip, hello };
        if is_public(ip) {
            return Some(found);
        }
        inside = inside.or(Some(found));
    }
    inside
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local()),
        IpAddr::V6(ip) => !(ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local()),
    }
}

/// Returns the envelope's sender, which the last server writes into the mail (RFC 5321, 4.4).
fn envelope_from(message: &Message<'_>) -> Option<String> {
    let mut fields = message.headers_raw();
    let (_, path) = fields.find(|(name, _)| name.eq_ignore_ascii_case("Return-Path"))?;
    let address = path.trim().trim_start_matches('<').trim_end_matches('>').trim();
    address.contains('@').then(|| address.to_owned())
}

fn spf_word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

/// One good signature is enough (RFC 6376, 6.1); else the first that says something counts.
fn dkim_word(signatures: &[DkimOutput<'_>]) -> &'static str {
    let word = |signature: &DkimOutput<'_>| match signature.result() {
        DkimResult::Pass => "pass",
        DkimResult::Neutral(_) => "neutral",
        DkimResult::Fail(_) => "fail",
        DkimResult::PermError(_) => "permerror",
        DkimResult::TempError(_) => "temperror",
        DkimResult::None => "none",
    };
    let words: Vec<_> = signatures.iter().map(word).collect();
    let passed = words.iter().find(|word| **word == "pass");
    passed.or_else(|| words.first()).copied().unwrap_or("none")
}

/// Either of the two is enough.
fn dmarc_word(dkim: &DmarcResult, spf: &DmarcResult) -> &'static str {
    let both = [dkim, spf];
    if both.contains(&&DmarcResult::Pass) {
        return "pass";
    }
    for result in both {
        match result {
            DmarcResult::TempError(_) => return "temperror",
            DmarcResult::PermError(_) => return "permerror",
            DmarcResult::Fail(_) => return "fail",
            DmarcResult::Pass | DmarcResult::None => {}
        }
    }
    "none"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_says_where_it_came_from_and_what_the_receiver_thinks() {
        let raw = b"Return-Path: <bounce+x@bounce.example.org>\r\n\
            Received: from gateway (gateway [10.0.0.7]) by store.example.net; Wed, 25 Nov 2026 12:00:02 +0000\r\n\
            Authentication-Results: mx.example.net;\r\n dkim=pass header.d=example.org;\r\n spf=fail\r\n\
            Authentication-Results: forged.example; dkim=fail\r\n\
            Received: from out.example.org (out.example.org [192.0.2.25]) by mx.example.net; Wed, 25 Nov 2026 12:00:01 +0000\r\n\
            Received: from app (app [10.1.1.1]) by out.example.org; Wed, 25 Nov 2026 12:00:00 +0000\r\n\
            From: a@example.org\r\n\r\nx";
        let parsed = mime::parse(&raw[..]).unwrap();
        let Origin { ip, hello } = origin(&parsed).unwrap();
        assert_eq!((ip.to_string().as_str(), hello.as_str()), ("192.0.2.25", "out.example.org"));
        assert_eq!(envelope_from(&parsed).as_deref(), Some("bounce+x@bounce.example.org"));
        assert_eq!(
            receiver(raw).as_deref(),
            Some("mx.example.net; dkim=pass header.d=example.org; spf=fail")
        );
        let inside = mime::parse(&b"Received: from app (localhost [127.0.0.1]) by x; Wed, 25 Nov 2026 12:00:00 +0000\r\n\r\n"[..])
            .unwrap();
        assert_eq!(origin(&inside).unwrap().ip.to_string(), "127.0.0.1");
        assert_eq!(receiver(b"From: a@example.org\r\n\r\nx"), None);
    }
}
