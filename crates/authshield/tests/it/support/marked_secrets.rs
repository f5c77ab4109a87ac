//! Secrets that can be recognised wherever they turn up.
//!
//! A test gives the server marked values for all its secrets, adds those that the server itself
//! hands out, lets everything happen, and then looks for them in whatever came out.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Secrets by name.
#[derive(Debug, Default)]
pub(crate) struct MarkedSecrets(Vec<(&'static str, String)>);

impl MarkedSecrets {
    /// Returns a value to be used as the secret `name`. It passes the rules for passwords.
    pub(crate) fn mark(&mut self, name: &'static str) -> String {
        let value = format!("Zq9-marked-{}-xk7vwq2mtr", self.0.len());
        self.add(name, &value);
        value
    }

    /// Adds a secret that was made by somebody else, such as a token.
    pub(crate) fn add(&mut self, name: &'static str, value: &str) {
        assert!(value.len() >= 16, "{name} is too short to be recognised");
        self.0.push((name, value.to_owned()));
    }

    /// Returns the names of the secrets that `output` gives away: as they are, in hex, in base64 at
    /// any offset (as in an `Authorization` header), or as a list of bytes (as by `Debug`).
    pub(crate) fn leaks_in(&self, output: &str) -> Vec<&'static str> {
        let lower = output.to_lowercase();
        let leaks = |value: &str| {
            let each = |show: fn(u8) -> String| value.bytes().map(show).collect::<Vec<_>>();
            let hex = each(|byte| format!("{byte:02x}")).concat();
            let bytes = each(|byte| byte.to_string()).join(", ");
            output.contains(value)
                || lower.contains(&hex)
                || output.contains(&bytes)
                || in_base64(value).iter().any(|form| output.contains(form))
        };
        self.0.iter().filter(|(_, value)| leaks(value)).map(|(name, _)| *name).collect()
    }

    /// Fails if `output` gives anything away; says what, but not the value.
    #[track_caller]
    pub(crate) fn assert_absent(&self, output: &str) {
        let leaks = self.leaks_in(output);
        assert!(leaks.is_empty(), "these secrets are in the output: {leaks:?}");
    }
}

/// The text in base64 after 0, 1 and 2 other bytes, without the characters that depend on its
/// neighbours.
fn in_base64(value: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for engine in [&STANDARD, &URL_SAFE] {
        for offset in 0..3 {
            let mut bytes = vec![0; offset];
            bytes.extend(value.bytes());
            let whole = bytes.len() / 3 * 4;
            let start = if offset == 0 { 0 } else { 4 };
            forms.push(engine.encode(&bytes)[start..whole].to_owned());
        }
    }
    forms
}
