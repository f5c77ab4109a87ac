//! Email addresses in one canonical form.

use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::{RestrictionLevel, RestrictionLevelDetection, confusable_detection};
use utoipa::ToSchema;

use super::invisible::is_invisible;

/// SMTP's limit for a whole address (RFC 5321, 4.5.3.1.3, less the angle brackets).
const LONGEST: usize = 254;

/// SMTP's limit for what stands before the `@` (RFC 5321, 4.5.3.1.1).
const LONGEST_LOCAL_PART: usize = 64;

/// An email address in the one form that we store, compare and count by.
///
/// - Spaces around it are dropped; everything else that is not part of one bare address is
///   refused, so that there is exactly one recipient and no way into a mail's header.
/// - The **local part** is a dot-atom of ASCII (RFC 5321, without quoted strings), in lower case:
///   `Ann@Example.org` and `ann@example.org` are one account. A local part with other characters
///   is refused rather than folded: so no two people can have addresses that look the same or
///   that some system on the way takes for the same (`ß` and `ss`, `K` and the Kelvin sign).
///   Dots and `+tags` are kept: what they mean is the provider's affair.
/// - The **domain** is in the form that goes into the DNS: IDNA (UTS 46, strict), A-labels, lower
///   case, so `ann@bücher.example` is kept and shown as `ann@xn--bcher-kva.example` and looks like
///   nothing else. It has a dot, and is neither an IP address nor ends with a dot. Domains that mix
///   alphabets, that are written with stand-ins (`ｅ` for `e`), or that look like an ASCII one while
///   they are not, are refused.
///
/// There is no other way to make one than [`str::parse`]: a function that takes an `EmailAddress`
/// need not check it again.
///
/// ```
/// # use authshield::kernel::EmailAddress;
/// let email: EmailAddress = " Ann@Example.org ".parse()?;
/// assert_eq!(email.as_str(), "ann@example.org");
/// assert!("ann@".parse::<EmailAddress>().is_err());
/// # Ok::<(), authshield::kernel::NotAnEmailAddress>(())
/// ```
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type, ToSchema,
)]
#[serde(try_from = "String")]
#[sqlx(transparent)]
#[schema(format = Email, description = "An email address.")]
pub struct EmailAddress(String);

/// Why a text is not an email address; each says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEmailAddress {
    /// There is nothing, or nothing but spaces.
    #[error("enter an email address")]
    Empty,

    /// It is longer than SMTP allows.
    #[error("an email address has at most 254 characters, and at most 64 before the @")]
    TooLong,

    /// It is a list, has a name beside it, has spaces in it, or not exactly one `@`.
    #[error("enter one bare email address, such as ann@example.org")]
    NotOneAddress,

    /// It has a control character or one that cannot be seen.
    #[error("the email address has an invisible character in it; type it anew")]
    Invisible,

    /// The local part has characters beyond ASCII.
    #[error("before the @, use only the letters a to z, digits and common signs")]
    UnicodeLocalPart,

    /// The local part is not a dot-atom.
    #[error(
        "before the @, use letters, digits and common signs, without quotation marks, and dots \
         only between them"
    )]
    LocalPart,

    /// The domain is not one that mail could be sent to.
    #[error("after the @, enter a domain name, such as example.org")]
    Domain,

    /// The domain looks like another one.
    #[error(
        "the domain of the email address mixes alphabets or uses look-alike characters; write it \
         as it is registered"
    )]
    MisleadingDomain,
}

impl EmailAddress {
    /// Returns the canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns what stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.parts().0
    }

    /// Returns what stands after the `@`, in ASCII.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.parts().1
    }

    /// Returns a form that its owner recognises and nobody else can write to: `a***@example.org`.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.parts();
        let first = local.get(..1).unwrap_or_default();
        format!("{first}***@{domain}")
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('@').unwrap_or((&self.0, ""))
    }
}

impl FromStr for EmailAddress {
    type Err = NotAnEmailAddress;

    fn from_str(text: &str) -> Result<Self, NotAnEmailAddress> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(NotAnEmailAddress::Empty);
        }
        // the canonical form is measured below; this bounds the work of getting there
        if text.len() > 4 * LONGEST {
            return Err(NotAnEmailAddress::TooLong);
        }
        if text.chars().any(is_invisible) {
            return Err(NotAnEmailAddress::Invisible);
        }
        if text.contains([',', ';', '<', '>', '＠', '﹫']) || text.contains(char::is_whitespace) {
            return Err(NotAnEmailAddress::NotOneAddress);
        }
        let (local, domain) = text.split_once('@').ok_or(NotAnEmailAddress::NotOneAddress)?;
        let local = canonical_local_part(local)?;
        if domain.contains('@') {
            return Err(NotAnEmailAddress::NotOneAddress);
        }
        let domain = canonical_domain(domain)?;
        let email = format!("{local}@{domain}");
        if email.len() > LONGEST {
            return Err(NotAnEmailAddress::TooLong);
        }
        Ok(Self(email))
    }
}

/// Returns the local part in lower case, if it is a dot-atom (RFC 5322, 3.2.3).
fn canonical_local_part(text: &str) -> Result<String, NotAnEmailAddress> {
    if !text.is_ascii() {
        return Err(NotAnEmailAddress::UnicodeLocalPart);
    }
    if text.len() > LONGEST_LOCAL_PART {
        return Err(NotAnEmailAddress::TooLong);
    }
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    if !text.split('.').all(is_atom) {
        return Err(NotAnEmailAddress::LocalPart);
    }
    Ok(text.to_ascii_lowercase())
}

/// Returns the domain as it goes into the DNS.
fn canonical_domain(text: &str) -> Result<String, NotAnEmailAddress> {
    let idna = Uts46::new();
    let ascii = idna
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
        .map_err(|_| NotAnEmailAddress::Domain)?;
    let (unicode, valid) = idna.to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    valid.map_err(|_| NotAnEmailAddress::Domain)?;

    let (_, top) = ascii.rsplit_once('.').ok_or(NotAnEmailAddress::Domain)?;
    // an IPv4 address, in any of the ways to write one
    if top.len() < 2 || top.bytes().all(|b| b.is_ascii_digit()) || top.starts_with("0x") {
        return Err(NotAnEmailAddress::Domain);
    }
    let top_is_ascii = !top.starts_with("xn--");
    let as_typed = text.split('.').count() == ascii.split('.').count()
        && text
            .split('.')
            .zip(ascii.split('.').zip(unicode.split('.')))
            .all(|(typed, (ascii, unicode))| is_same_label(typed, ascii, unicode));
    if !as_typed || unicode.split('.').any(|label| is_misleading(label, top_is_ascii)) {
        return Err(NotAnEmailAddress::MisleadingDomain);
    }
    Ok(ascii.into_owned())
}

/// Returns whether somebody typed the label itself, not stand-ins that IDNA would map to it: only
/// case and the composition of accents may differ.
fn is_same_label(typed: &str, ascii: &str, unicode: &str) -> bool {
    if typed.is_ascii() {
        return typed.eq_ignore_ascii_case(ascii);
    }
    let lower = |c: char| {
        // the Kelvin sign is no `k`
        let stays = !c.is_ascii() && c.to_lowercase().any(|lower| lower.is_ascii());
        let (kept, lowered) = if stays { (Some(c), None) } else { (None, Some(c.to_lowercase())) };
        kept.into_iter().chain(lowered.into_iter().flatten())
    };
    typed.chars().flat_map(lower).nfc().eq(unicode.chars())
}

/// Returns whether a label would be taken for another (UTS 39): it mixes alphabets beyond what
/// languages do ("highly restrictive"), or, being in another alphabet altogether, consists of
/// letters that all look like Latin ones while the top-level domain is Latin.
fn is_misleading(label: &str, top_is_ascii: bool) -> bool {
    if label.is_ascii() {
        return false;
    }
    let looks_latin = || {
        !label.contains(|c: char| c.is_ascii_alphabetic())
            && confusable_detection::skeleton(label).all(|c| c.is_ascii())
    };
    !label.check_restriction_level(RestrictionLevel::HighlyRestrictive)
        || (top_is_ascii && looks_latin())
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for EmailAddress {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = NotAnEmailAddress;

    fn try_from(text: String) -> Result<Self, NotAnEmailAddress> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::NotAnEmailAddress::{
        Domain, Empty, Invisible, LocalPart, MisleadingDomain, NotOneAddress, TooLong,
        UnicodeLocalPart,
    };
    use super::*;

    fn parse(text: &str) -> Result<String, NotAnEmailAddress> {
        text.parse::<EmailAddress>().map(|email| email.0)
    }

    #[test]
    fn there_is_one_form() {
        for (typed, canonical) in [
            ("ann@example.org", "ann@example.org"),
            ("  Ann@Example.ORG  ", "ann@example.org"),
            ("ann.o'neil+news@mail.example.co.uk", "ann.o'neil+news@mail.example.co.uk"),
            ("x@example.museum", "x@example.museum"),
            ("ann@bücher.example", "ann@xn--bcher-kva.example"),
            ("ann@BÜCHER.example", "ann@xn--bcher-kva.example"),
            ("ann@bu\u{308}cher.example", "ann@xn--bcher-kva.example"),
            ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
            ("ann@straße.example", "ann@xn--strae-oqa.example"),
            ("ann@læge.example", "ann@xn--lge-yla.example"),
            ("ann@ресурс.рф", "ann@xn--e1avbdbk.xn--p1ai"),
            ("ann@例え.jp", "ann@xn--r8jz45g.jp"),
        ] {
            assert_eq!(parse(typed).as_deref(), Ok(canonical), "{typed}");
        }
    }

    #[test]
    fn b15_no_two_addresses_look_or_fold_alike() {
        for (probe, expected) in [
            ("m\u{131}ke@example.org", UnicodeLocalPart), // dotless i
            ("M\u{130}KE@example.org", UnicodeLocalPart), // dotted capital I
            ("mi\u{212a}e@example.org", UnicodeLocalPart), // Kelvin sign
            ("mi\u{17f}ke@example.org", UnicodeLocalPart), // long s
            ("stra\u{df}e@example.org", UnicodeLocalPart), // sharp s
            ("m\u{456}ke@example.org", UnicodeLocalPart), // Cyrillic i
            ("ｍike@example.org", UnicodeLocalPart),      // fullwidth m
            ("mike\u{ff20}example.org", NotOneAddress),   // fullwidth @
            ("mike\u{fe6b}example.org", NotOneAddress),   // small @
            ("mi\u{ad}ke@example.org", Invisible),        // soft hyphen
            ("mike@exam\u{ad}ple.org", Invisible),        // soft hyphen
            ("mi\u{200b}ke@example.org", Invisible),      // zero width space
            ("mike@exa\u{200d}mple.org", Invisible),      // zero width joiner
            ("\u{feff}mike@example.org", Invisible),      // byte order mark
            ("mike@example.org\0", Invisible),            // NUL at the end
            ("mike\0@example.org", Invisible),            // NUL
            ("mike\u{202e}@example.org", Invisible),      // right-to-left override
            ("mike@example\u{3002}org", MisleadingDomain), // ideographic full stop
            ("mike@ｅxample.org", MisleadingDomain),      // fullwidth e
            ("mike@\u{212a}elvin.org", MisleadingDomain), // Kelvin sign
            ("mike@\u{17f}ample.org", MisleadingDomain),  // long s
            ("mike@p\u{430}ypal.com", MisleadingDomain),  // one Cyrillic a
            ("mike@xn--pypal-4ve.com", MisleadingDomain), // the same, as an A-label
            ("mike@аррӏе.com", MisleadingDomain),         // Cyrillic altogether
            ("mike@i\u{2764}.ws", MisleadingDomain),      // a heart
        ] {
            assert_eq!(parse(probe), Err(expected), "{probe:?}");
        }
    }

    #[test]
    fn b16_there_is_exactly_one_recipient() {
        for (probe, expected) in [
            ("", Empty),
            ("   ", Empty),
            ("ann", NotOneAddress),
            ("ann@example.org,bob@example.org", NotOneAddress),
            ("ann@example.org;bob@example.org", NotOneAddress),
            ("ann@example.org bob@example.org", NotOneAddress),
            ("ann@bob@example.org", NotOneAddress),
            ("ann@example.org@", NotOneAddress),
            ("Ann <ann@example.org>", NotOneAddress),
            ("<ann@example.org>", NotOneAddress),
            ("ann@example.org\r\nBcc: bob@example.org", Invisible),
            ("ann@example.org\n", Invisible),
            ("\tann@example.org", Invisible),
            ("ann@example.org\u{a0}", NotOneAddress),
            ("\"ann\"@example.org", LocalPart),
            ("\"a@b\"@example.org", LocalPart),
            ("ann(comment)@example.org", LocalPart),
            ("ann\\@example.org", LocalPart),
            ("[ann]@example.org", LocalPart),
            ("ann:bob@example.org", LocalPart),
            (".ann@example.org", LocalPart),
            ("ann.@example.org", LocalPart),
            ("a..nn@example.org", LocalPart),
            ("@example.org", LocalPart),
            ("ann@", Domain),
            ("ann@localhost", Domain),
            ("ann@example.org.", Domain),
            ("ann@.example.org", Domain),
            ("ann@example..org", Domain),
            ("ann@-example.org", Domain),
            ("ann@example-.org", Domain),
            ("ann@exam_ple.org", Domain),
            ("ann@example.org(comment)", Domain),
            ("ann@[192.0.2.1]", Domain),
            ("ann@[IPv6:2001:db8::1]", Domain),
            ("ann@192.0.2.1", Domain),
            ("ann@192.0.2.0x7f", Domain),
            ("ann@example.org:25", Domain),
            ("ann@example.org/x", Domain),
            ("ann@example.org%00", Domain),
            ("ann@xn--.org", Domain),
            ("ann@xn--a.org", Domain),
        ] {
            assert_eq!(parse(probe), Err(expected), "{probe:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_smtp() {
        let local = "a".repeat(64);
        let label = "d".repeat(63);
        let domain = format!("{label}.{label}.{}.org", "d".repeat(57));
        assert_eq!(domain.len(), 254 - 65);
        assert_eq!(parse(&format!("{local}@{domain}")).map(|email| email.len()), Ok(254));
        assert_eq!(parse(&format!("{local}@d{domain}")), Err(Domain), "a label of 64");
        assert_eq!(parse(&format!("{local}@d.{domain}")), Err(TooLong));
        assert_eq!(parse(&format!("a{local}@example.org")), Err(TooLong));
        assert_eq!(parse(&"a".repeat(1_000_000)), Err(TooLong));
    }

    #[test]
    fn a_masked_address_keeps_its_secret() {
        for (email, masked) in
            [("ann@example.org", "a***@example.org"), ("a@example.org", "a***@example.org")]
        {
            assert_eq!(
                email.parse::<EmailAddress>().map(|email| email.masked()).as_deref(),
                Ok(masked)
            );
        }
    }

    #[test]
    fn json_is_checked_like_text() {
        let email: EmailAddress = serde_json::from_str("\"Ann@Example.org\"").expect("an address");
        assert_eq!(serde_json::to_string(&email).expect("text"), "\"ann@example.org\"");
        let refused = serde_json::from_str::<EmailAddress>("\"ann\"").expect_err("not an address");
        assert!(refused.to_string().contains("ann@example.org"), "{refused}");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(
            text in prop_oneof![
                "\\PC*",
                ".{0,20}@.{0,20}\\.(org|рф|de)",
                "[a-zA-Z0-9.+_-]{1,10}@[a-zß-ÿа-яα-ω0-9ıſK。・-]{1,8}\\.[a-zа-я]{2,4}",
                "[a-z]{1,8}@xn--[a-z0-9-]{1,10}\\.org",
            ],
        ) {
            if let Ok(email) = text.parse::<EmailAddress>() {
                prop_assert!(email.as_str().is_ascii() && email.as_str().len() <= LONGEST);
                prop_assert_eq!(email.as_str().matches('@').count(), 1);
                prop_assert_eq!(email.as_str().parse::<EmailAddress>(), Ok(email.clone()));
                prop_assert_eq!(
                    email.as_str().to_uppercase().parse::<EmailAddress>(), Ok(email)
                );
            }
        }
    }
}
