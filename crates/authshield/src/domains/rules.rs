//! Whether a domain was mistyped.

use crate::kernel::EmailAddress;

/// The great mailbox providers whose names are long enough for a slip to be told from another name: five letters
/// before the first dot.
const GREAT: [&str; 16] = [
    "aliyun.com",
    "comcast.net",
    "fastmail.com",
    "gmail.com",
    "googlemail.com",
    "hotmail.com",
    "icloud.com",
    "laposte.net",
    "libero.it",
    "orange.fr",
    "outlook.com",
    "proton.me",
    "protonmail.com",
    "t-online.de",
    "yahoo.com",
    "yandex.ru",
];

/// Others that are one slip from a great one, and are what they are.
const THEMSELVES: [&str; 4] = ["email.com", "fastmail.co", "mail.com", "ymail.com"];

/// Returns the address that somebody meant, most likely, whose domain is one slip from that of a great mailbox
/// provider: a letter too many, too few, another, or two the wrong way round.
///
/// ```
/// # use authshield::domains::meant;
/// let meant = |email: &str| meant(&email.parse().unwrap()).map(|email| email.to_string());
/// assert_eq!(meant("ann@gmial.com").as_deref(), Some("ann@gmail.com"));
/// assert_eq!(meant("ann@example.org"), None);
/// ```
#[must_use]
pub fn meant(email: &EmailAddress) -> Option<EmailAddress> {
    let domain = email.domain();
    if GREAT.contains(&domain) || THEMSELVES.contains(&domain) {
        return None;
    }
    let mut near = GREAT.into_iter().filter(|great| is_one_slip(domain, great));
    let (only, None) = (near.next()?, near.next()) else { return None };
    format!("{}@{only}", email.local_part()).parse().ok()
}

/// Whether one slip makes `one` of `other`: their distance as Damerau and Levenshtein count it is 1.
fn is_one_slip(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    if one.len() > other.len() {
        std::mem::swap(&mut one, &mut other);
    }
    let begin = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[begin..], &other[begin..]);
    match (one, other) {
        ([], [_]) => true,
        ([a, rest_a @ ..], [b, rest_b @ ..]) if one.len() == other.len() => {
            rest_a == rest_b
                || matches!(
                    (rest_a, rest_b),
                    ([c, end_a @ ..], [d, end_b @ ..]) if a == d && b == c && end_a == end_b
                )
        }
        (_, [_, rest @ ..]) => one == rest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_slip_is_seen_and_other_names_are_let_alone() {
        for (domain, meant_domain) in [
            ("gmial.com", Some("gmail.com")),
            ("gmai.com", Some("gmail.com")),
            ("gmaill.com", Some("gmail.com")),
            ("gnail.com", Some("gmail.com")),
            ("gmail.con", Some("gmail.com")),
            ("gmail.co", Some("gmail.com")),
            ("gmail.cmo", Some("gmail.com")),
            ("hotmial.com", Some("hotmail.com")),
            ("hotmaill.com", Some("hotmail.com")),
            ("outlok.com", Some("outlook.com")),
            ("yaho.com", Some("yahoo.com")),
            ("yhaoo.com", Some("yahoo.com")),
            ("iclod.com", Some("icloud.com")),
            ("gmail.com", None),
            ("mail.com", None),
            ("ymail.com", None),
            ("hotmail.fr", None),
            ("gamil.con", None),
            ("mail.gmail.com", None),
            ("example.org", None),
        ] {
            let email: EmailAddress = format!("ann+x@{domain}").parse().unwrap();
            let expected = meant_domain.map(|domain| format!("ann+x@{domain}"));
            assert_eq!(meant(&email).map(|email| email.as_str().to_owned()), expected, "{domain}");
        }
    }

    /// The distance as it is defined, of the optimal alignment.
    fn distance(one: &[u8], other: &[u8]) -> usize {
        let ([a, rest_a @ ..], [b, rest_b @ ..]) = (one, other) else {
            return one.len() + other.len();
        };
        let changed = distance(rest_a, rest_b) + usize::from(a != b);
        let best = changed.min(distance(rest_a, other) + 1).min(distance(one, rest_b) + 1);
        match (rest_a, rest_b) {
            ([c, end_a @ ..], [d, end_b @ ..]) if a == d && b == c => {
                best.min(distance(end_a, end_b) + 1)
            }
            _ => best,
        }
    }

    proptest! {
        #[test]
        fn a_slip_is_a_distance_of_one(one in "[ab]{0,5}", other in "[ab]{0,5}") {
            let expected = distance(one.as_bytes(), other.as_bytes()) == 1;
            prop_assert_eq!(is_one_slip(&one, &other), expected);
        }
    }
}
