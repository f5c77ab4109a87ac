//! Nothing secret leaves, whatever a library says.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use zeroize::Zeroizing;

use crate::config::Config;

/// What stands where a secret stood.
const GONE: &str = "[secret]";

/// Shorter than this, base64 of a part of it could be anything.
const ENCODED_FROM: usize = 6;

/// Knows every secret of the configuration, in the forms in which it may turn up.
pub struct Redactor(Vec<Zeroizing<String>>);

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redactor").field(&self.0.len()).finish()
    }
}

impl Redactor {
    /// Learns every secret of `config`.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut secrets = Vec::new();
        config.each_secret(&mut |secret| secrets.push(Zeroizing::new(secret.to_owned())));
        Self::new(&secrets)
    }

    /// Learns `secrets`. Of a URL only its passwords are secret: where it leads is what an operator
    /// has to see.
    fn new(secrets: &[Zeroizing<String>]) -> Self {
        let mut forms = Vec::new();
        for secret in secrets {
            let secret = secret.trim();
            if secret.contains("://") {
                passwords(secret, &mut forms);
            } else {
                add(secret, &mut forms);
            }
        }
        // The longest first: a shorter one may be a part of it.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        forms.dedup();
        Self(forms)
    }

    /// Returns `text` without any of them, on one line.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text: String =
            text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(2000).collect();
        for form in &self.0 {
            if text.contains(form.as_str()) {
                text = text.replace(form.as_str(), GONE);
            }
        }
        text
    }
}

/// Takes the passwords out of a URL, as they stand there and as they are meant.
fn passwords(address: &str, forms: &mut Vec<Zeroizing<String>>) {
    let Ok(parsed) = url::Url::parse(address) else { return };
    let raw = parsed.password().map(ToOwned::to_owned);
    let asked = parsed.query_pairs().filter(|(name, _)| name == "password");
    let mut found: Vec<String> = asked.map(|(_, value)| value.into_owned()).collect();
    if let Some(raw) = raw {
        let meant =
            url::form_urlencoded::parse(format!("p={}", raw.replace('+', "%2B")).as_bytes())
                .map(|(_, value)| value.into_owned())
                .next();
        found.extend(meant);
        found.push(raw);
    }
    for password in found {
        add(&password, forms);
    }
}

/// Adds a secret: as it is, in hex, and in base64 after 0, 1 or 2 other bytes (as in `AUTH PLAIN`).
fn add(secret: &str, forms: &mut Vec<Zeroizing<String>>) {
    if secret.is_empty() {
        return;
    }
    forms.push(Zeroizing::new(secret.to_owned()));
    if secret.len() < ENCODED_FROM {
        return;
    }
    for engine in [&STANDARD, &URL_SAFE] {
        for offset in 0..3 {
            let mut bytes = Zeroizing::new(vec![0; offset]);
            bytes.extend_from_slice(secret.as_bytes());
            // Without the characters that depend on what stands before and behind.
            let whole = bytes.len() / 3 * 4;
            let start = if offset == 0 { 0 } else { 4 };
            let text = Zeroizing::new(engine.encode(&bytes));
            forms.push(Zeroizing::new(text[start..whole].to_owned()));
        }
    }
    let hex = secret.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    forms.push(Zeroizing::new(hex));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let secrets: Vec<_> =
            secrets.iter().map(|text| Zeroizing::new((*text).to_owned())).collect();
        Redactor::new(&secrets)
    }

    #[test]
    fn a_secret_is_found_in_every_form_it_may_have() {
        let redactor = redactor(&["Xk4vQ9unlikely7rMz", "postgres://ann:p%2Bss%2Fword@db/x?a=b"]);
        for (text, expected) in [
            ("535 Xk4vQ9unlikely7rMz is wrong", "535 [secret] is wrong"),
            ("password p+ss/word of ann@db", "password [secret] of ann@db"),
            ("postgres://ann:p%2Bss%2Fword@db/x", "postgres://ann:[secret]@db/x"),
            ("a\r\nb", "a  b"),
        ] {
            assert_eq!(redactor.redact(text), expected);
        }
        let plain = STANDARD.encode("\0ann\0Xk4vQ9unlikely7rMz");
        let shown = redactor.redact(&format!("AUTH PLAIN {plain}"));
        assert!(shown.contains(GONE) && !shown.contains(&plain[8..24]), "{shown}");
    }

    #[test]
    fn it_learns_all_that_is_secret_and_shows_none_of_it() {
        let config = crate::config::load_text(
            "operator_token = \"4d1c5bd7b5f0f4b8d2a9c3e6\"\nredis_url = \"redis://:hunter22@localhost\"",
            [],
        )
        .unwrap()
        .config;
        let redactor = Redactor::of(&config);
        assert_eq!(redactor.redact("4d1c5bd7b5f0f4b8d2a9c3e6 hunter22"), "[secret] [secret]");
        assert!(!format!("{redactor:?}").contains("hunter22"));
    }
}
