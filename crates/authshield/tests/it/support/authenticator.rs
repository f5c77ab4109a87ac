//! An authenticator app, as people have one: by RFC 6238, and apart from the service.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// An app that was set up with a secret.
#[derive(Clone)]
pub(crate) struct Authenticator(hmac::Key);

impl Authenticator {
    /// Sets one up with what `POST /auth/2fa/enable` answered.
    pub(crate) fn of(enrolment: &Value) -> Self {
        let text = enrolment["secret"].as_str().expect("a secret");
        let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
        for letter in text.bytes() {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'2'..=b'7' => letter - b'2' + 26,
                _ => panic!("{text} is not base 32"),
            };
            bits = bits << 5 | u32::from(value);
            count += 5;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count & 255).unwrap());
            }
        }
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes))
    }

    /// Returns the code that is shown `away` steps from `second` (of Unix time).
    pub(crate) fn code_at(&self, second: i64, away: i64) -> String {
        let step = u64::try_from(second / 30 + away).unwrap();
        let tag = hmac::sign(&self.0, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// Returns what an access token says, unchecked.
pub(crate) fn claims(access: &str) -> Value {
    let payload = access.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
