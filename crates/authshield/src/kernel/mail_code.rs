//! Codes that go by mail.

use zeroize::Zeroizing;

use crate::world::World;

const DIGITS: usize = 6;

/// Six digits that go by mail and are typed where they were asked for.
///
/// There are only a million: whoever looks at one counts first.
pub struct MailCode(Zeroizing<String>);

impl MailCode {
    /// Makes one, each as likely as any other (of 2^64, what is left over is nothing).
    pub fn new(world: &dyn World) -> Self {
        let mut bytes = [0; 8];
        world.fill(&mut bytes);
        Self(Zeroizing::new(format!("{:06}", u64::from_be_bytes(bytes) % 1_000_000)))
    }

    /// Reads one; `None` if it can be none. People and programs group digits, so spaces mean nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ' ').take(DIGITS + 1).collect();
        let is_code = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| Self(Zeroizing::new(digits)))
    }

    /// Returns it for the mail, and for its hash.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Sandbox;

    /// ASVS: V6.5.4
    #[test]
    fn a_code_has_six_digits_and_nothing_else_is_one() {
        let world = Sandbox::default();
        let read = |text: &str| MailCode::parse(text).map(|code| code.reveal().to_owned());
        let made: std::collections::BTreeSet<_> =
            (0..1000).map(|_| MailCode::new(&world).reveal().to_owned()).collect();
        assert!(made.len() > 980 && made.iter().all(|code| read(code).as_ref() == Some(code)));
        assert_eq!(read(" 012 345 ").as_deref(), Some("012345"));
        for text in [
            "",
            " ",
            "12345",
            "1234567",
            "12345a",
            "１２３４５６",
            "-12345",
            "+12345",
            "1e5000",
            "null",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
