//! Rules for new passwords, after NIST SP 800-63B-4, section 3.1.1.2.
//!
//! Long enough, hard to guess, not one that everybody has, not made from what is known of its owner.
//! No rules of composition: they make passwords worse. Everything here is a function of its
//! arguments.

use zeroize::Zeroizing;
use zxcvbn::Score;
use zxcvbn::feedback::Suggestion;

use super::advice::{Advice, sentences};

use super::{common, nfc};
use crate::config;

/// The most characters that a password may have.
///
/// More than anybody types, few enough that judging and hashing it costs nothing to speak of.
pub const MAX_LENGTH: usize = 1024;

/// How much of a password its strength is estimated from.
///
/// The estimate takes more than linear time in the length, so that a long hostile password would
/// keep a core busy; and what is strong in its first hundred characters does not get weaker.
const ESTIMATED_LENGTH: usize = 100;

/// Symbols that stand for a letter. The estimate tries every combination of what they may stand
/// for, so its time multiplies with each different one: all of them take a second of a core.
const LOOKALIKES: &str = "@({[<!|$+%";

/// How many different look-alikes are estimated as such. No word has more, and whoever uses more
/// does not write words.
const MOST_LOOKALIKES: usize = 4;

/// What the others are estimated as: a symbol that stands for nothing.
const NO_LOOKALIKE: char = '~';

/// Words shorter than this, in bytes, are too frequent inside others to mean anything.
const SHORTEST_WORD: usize = 4;

/// The most words from the context: enough for every name, few enough to look for quickly.
const MOST_WORDS: usize = 32;

/// The name that this program has when nobody has given the service one.
const PRODUCT: &str = "authshield";

/// What is known about whoever chooses the password, and therefore tried first by whoever guesses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The account's address.
    pub email: Option<&'a str>,
    /// The account's name.
    pub full_name: Option<&'a str>,
    /// The host of the public URL.
    pub host: Option<&'a str>,
}

/// Why a password may not be used. `Display` tells its owner what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It has too few characters.
    #[error(
        "Use at least {min} characters. A few words that have nothing to do with each other are long and easy to remember."
    )]
    TooShort {
        /// The fewest.
        min: usize,
    },

    /// It has too many characters.
    #[error("Use at most {max} characters.")]
    TooLong {
        /// The most.
        max: usize,
    },

    /// It is on the lists of those who guess, or derived from what is.
    #[error(
        "This is one of the passwords that are tried first, because many people use it or one like it. Choose another, for instance a few words that have nothing to do with each other."
    )]
    Common,

    /// It was stolen elsewhere, and stands in lists that are for sale.
    #[error(
        "This password is in lists of passwords that were stolen elsewhere, so it is among those that are tried first. Choose another, and change it wherever else you use it."
    )]
    Breached,

    /// Not enough is left of it without the owner's name, the address or the name of this service.
    #[error(
        "Your name, your email address and the name of this service are easy to guess. Choose a password that does not depend on them."
    )]
    ContainsContext,

    /// It would be found too quickly.
    #[error("This password is too easy to guess. {}", sentences(advice))]
    TooWeak {
        /// Its strength, 0 to 4.
        score: u8,
        /// The least strength that is accepted.
        min: u8,
        /// What makes it weak, and what would help.
        advice: Vec<Advice>,
    },
}

impl Weakness {
    /// Returns the word by which programs know this weakness. It never changes.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::Common => "common",
            Self::Breached => "breached",
            Self::ContainsContext => "contains_context",
            Self::TooWeak { .. } => "too_weak",
        }
    }
}

/// Decides whether `password` may be used, and if not, names everything that is wrong with it.
///
/// A character is a code point after NFC, whatever it looks like.
pub fn judge(
    password: &str,
    context: &Context<'_>,
    config: &config::Password,
) -> Result<(), Vec<Weakness>> {
    judge_with(password, &words(context), config)
}

/// As [`judge`], with the words that [`words`] found.
pub(super) fn judge_with(
    password: &str,
    words: &[String],
    config: &config::Password,
) -> Result<(), Vec<Weakness>> {
    let min = config.min_length;
    let password = nfc(password);
    let length = password.chars().count();
    if length > MAX_LENGTH {
        // Nothing else is looked at: it would only cost time.
        return Err(vec![Weakness::TooLong { max: MAX_LENGTH }]);
    }

    let folded = common::fold(&password);
    let mut weaknesses = Vec::new();
    if length < min {
        weaknesses.push(Weakness::TooShort { min });
    }
    let common = common::is_common(&folded, min);
    if common {
        weaknesses.push(Weakness::Common);
    }
    if depends_on(words, &folded, min) {
        weaknesses.push(Weakness::ContainsContext);
    }
    if !common {
        // Of a common one, enough was said.
        weaknesses.extend(estimate(&password, words, config.min_strength));
    }
    if weaknesses.is_empty() { Ok(()) } else { Err(weaknesses) }
}

/// The words of `context`, folded, longest first.
pub(super) fn words(context: &Context<'_>) -> Vec<String> {
    let Context { email, full_name, host } = context;
    let mut words = vec![PRODUCT.to_owned()];
    for source in [email, full_name, host].into_iter().flatten() {
        let source = common::fold(source);
        // the whole, its parts at the sign and the spaces, and theirs
        words.push(source.to_string());
        words.extend(source.split(['@', ' ']).map(str::to_owned));
        words.extend(source.split(|char: char| !char.is_alphanumeric()).map(str::to_owned));
    }
    words.retain(|word| word.len() >= SHORTEST_WORD);
    words.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    words.dedup();
    words.truncate(MOST_WORDS);
    words
}

/// Whether `folded` has any of `words`, forwards or backwards, and too little without them.
///
/// A long password may well contain a name; it must be long enough without it.
fn depends_on(words: &[String], folded: &str, min: usize) -> bool {
    let mut rest = Zeroizing::new(folded.to_owned());
    for word in words {
        let backwards: String = word.chars().rev().collect();
        for word in [word, &backwards] {
            if rest.contains(word) {
                rest = Zeroizing::new(rest.replace(word, ""));
            }
        }
    }
    rest.len() < folded.len() && rest.chars().count() < min
}

/// Returns as much of `password` as can be estimated quickly.
fn estimated_part(password: &str) -> Zeroizing<String> {
    let mut lookalikes = String::new();
    let part = password.chars().take(ESTIMATED_LENGTH).map(|char| {
        if !LOOKALIKES.contains(char) || lookalikes.contains(char) {
            char
        } else if lookalikes.len() < MOST_LOOKALIKES {
            lookalikes.push(char);
            char
        } else {
            NO_LOOKALIKE
        }
    });
    Zeroizing::new(part.collect())
}

/// Estimates how long `password` would withstand, if shorter than `min` asks for.
fn estimate(password: &str, words: &[String], min: u8) -> Option<Weakness> {
    let start = estimated_part(password);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let entropy = zxcvbn::zxcvbn(&start, &words);
    let score = match entropy.score() {
        Score::Zero => 0,
        Score::One => 1,
        Score::Two => 2,
        Score::Three => 3,
        _ => 4,
    };
    if score >= min {
        return None;
    }
    let mut advice = Vec::new();
    if let Some(feedback) = entropy.feedback() {
        advice.extend(feedback.warning().map(Advice::Warning));
        advice.extend(feedback.suggestions().iter().copied().map(Advice::Suggestion));
    }
    if advice.is_empty() {
        advice.push(Advice::Suggestion(Suggestion::AddAnotherWordOrTwo));
    }
    Some(Weakness::TooWeak { score, min, advice })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::super::tests::tiny;
    use super::*;

    const ANN: Context<'_> = Context {
        email: Some("ann.lovelace+news@analytical-engines.example.org"),
        full_name: Some("Ann Lovelace-Byron"),
        host: Some("login.difference.example.com"),
    };

    fn codes(password: &str) -> Vec<&'static str> {
        match judge(password, &ANN, &tiny()) {
            Ok(()) => Vec::new(),
            Err(weaknesses) => weaknesses.iter().map(Weakness::code).collect(),
        }
    }

    /// ASVS: V6.2.5
    #[test]
    fn good_passwords_need_nothing_else() {
        for password in [
            "correct horse battery staple",
            "xkvq-9081-mmtz",
            "kein Sonderzeichen noetig dabei",
            "\u{43f}\u{440}\u{430}\u{432}\u{438}\u{43b}\u{44c}\u{43d}\u{430}\u{44f} \u{43b}\u{43e}\u{448}\u{430}\u{434}\u{44c}",
            "\u{99ac}\u{96fb}\u{6c60}\u{91d8}\u{6b63}\u{89e3}\u{6a39}\u{6728}\u{6d77}\u{7a7a}",
            "  spaces at both ends stay  ",
            "a zero \0 byte is a character",
            // a name may be in it if it does not depend on it
            "lovelace rides unpainted bicycles",
        ] {
            assert_eq!(codes(password), [""; 0], "{password}");
        }
    }

    /// Attack class B21.
    /// ASVS: V6.2.11
    #[test]
    fn each_weakness_has_its_code() {
        for (password, expected) in [
            ("", vec!["too_short", "too_weak"]),
            ("x7#Kq", vec!["too_short", "too_weak"]),
            ("password", vec!["common"]),
            ("P@ssw0rd", vec!["common"]),
            ("dr@g0nFly", vec!["too_weak"]),
            ("PASSWORD", vec!["common"]),
            ("passwordpassword", vec!["common"]),
            ("qwertyuiopasdfgh", vec!["common"]),
            ("monkey", vec!["too_short", "common"]),
            ("authshield", vec!["contains_context", "too_weak"]),
            ("!dleihShtua!", vec!["contains_context"]),
            ("AuthShield2026!", vec!["contains_context", "too_weak"]),
            ("lovelace1815", vec!["contains_context", "too_weak"]),
            ("qz#Byron8Vw", vec!["contains_context"]),
            ("difference-99", vec!["contains_context", "too_weak"]),
            ("ann.lovelace+news@analytical-engines.example.org", vec!["contains_context"]),
            ("LOVELACE@ANALYTICAL-ENGINES", vec!["contains_context"]),
        ] {
            let found = codes(password);
            for code in &expected {
                assert!(found.contains(code), "{password}: {found:?}");
            }
            if expected.first() == Some(&"common") {
                assert_eq!(found, expected, "{password}");
            }
        }
    }

    /// ASVS: V6.2.4
    #[test]
    fn every_common_password_is_refused() {
        let config = config::Password { min_strength: 0, ..tiny() };
        for list in [
            include_str!("../../assets/passwords/common-passwords-min8-10k.txt"),
            include_str!("../../assets/passwords/common-passwords-min15.txt"),
        ] {
            for password in list.lines().flat_map(|line| [line.to_owned(), line.to_uppercase()]) {
                let judged = common::is_common(&common::fold(&password), config.min_length);
                assert!(judged, "{password}");
            }
        }
        let refused = judge("iloveyou", &Context::default(), &config).unwrap_err();
        assert_eq!(refused, [Weakness::Common]);
    }

    /// ASVS: V6.2.1, V6.2.9
    #[test]
    fn length_is_counted_in_code_points_after_nfc() {
        let config = config::Password { min_strength: 0, ..tiny() };
        let judge = |password: &str| judge(password, &Context::default(), &config);
        let short = Err(vec![Weakness::TooShort { min: 8 }]);
        let long = Err(vec![Weakness::TooLong { max: MAX_LENGTH }]);

        assert_eq!(judge("xq7#mzk"), short);
        assert_eq!(judge("xq7#mzkv"), Ok(()));
        // seven characters, though eight code points came
        assert_eq!(judge("xq7#mze\u{301}"), short);
        // eight characters in 32 bytes
        assert_eq!(
            judge("\u{1f40e}\u{1f50b}\u{1f4ce}\u{1f30a}\u{1f33d}\u{1f9e6}\u{1f41d}\u{1f511}"),
            Ok(())
        );

        let varied: String =
            (0..1024_u32).filter_map(|i| char::from_u32(0x4e00 + i * i % 7919)).collect();
        assert_eq!(varied.chars().count(), MAX_LENGTH);
        for length in [64, 72, 256, MAX_LENGTH] {
            assert_eq!(judge(&varied.chars().take(length).collect::<String>()), Ok(()), "{length}");
        }
        assert_eq!(judge(&format!("{varied}x")), long);
        assert_eq!(judge(&"a".repeat(1024 * 1024)), long);
    }

    #[test]
    fn the_least_strength_is_a_setting() {
        let strict = config::Password { min_strength: 4, ..tiny() };
        let lax = config::Password { min_strength: 0, ..tiny() };
        let password = "mountain42river";
        assert_eq!(judge(password, &Context::default(), &lax), Ok(()));
        assert!(judge("correct horse battery staple", &Context::default(), &strict).is_ok());
        let refused = judge("jordan1987x", &Context::default(), &strict).unwrap_err();
        assert!(matches!(refused[..], [Weakness::TooWeak { min: 4, .. }]), "{refused:?}");
    }

    #[test]
    fn no_more_than_four_lookalikes_are_estimated_as_such() {
        for (password, part) in [
            ("p@$$w0rd", "p@$$w0rd"),
            ("1234567890@(!|", "1234567890@(!|"),
            ("@(!|$+@%|{!", "@(!|~~@~|~!"),
        ] {
            assert_eq!(estimated_part(password).as_str(), part);
        }
        assert_eq!(estimated_part(&"\u{1f40e}".repeat(200)).chars().count(), ESTIMATED_LENGTH);
    }

    #[test]
    fn messages_say_what_to_do_and_never_the_password() {
        for password in ["dr@g0nFly", "P@ssw0rd", "lovelace1815", "x7#Kq", "dragonfly12"] {
            for weakness in judge(password, &ANN, &tiny()).unwrap_err() {
                let message = weakness.to_string();
                assert!(message.ends_with('.'), "{message}");
                assert!(!message.contains(password), "{message}");
                assert!(!message.to_lowercase().contains("lovelace"), "{message}");
            }
        }
        let refused = judge("dr@g0nFly", &Context::default(), &tiny()).unwrap_err();
        assert_eq!(
            refused.last().unwrap().to_string(),
            "This password is too easy to guess. This is similar to a commonly used password. \
             Add another word or two. Uncommon words are better. \
             Predictable substitutions like '@' instead of 'a' don't help very much."
        );
    }

    /// ASVS: V1.3.12
    #[test]
    fn hostile_passwords_are_judged_in_bounded_time() {
        let long_name = "a@".repeat(2_000);
        let context = Context { full_name: Some(&long_name), ..ANN };
        let hostile = [
            "a".repeat(1024),
            "4@8({[<369&#!1/|0$5+7%2".repeat(44),
            "4@({[<1!|7".repeat(102),
            "1a2b3c4d5e6f7g8h9i0j@(!|".repeat(42),
            format!("{}{}", "a".repeat(32), "4@8({[<369&#!1/|0$5+7%2".repeat(43)),
            "p4$$w0rd".repeat(128),
            "1qaz2wsx".repeat(128),
            "01012000".repeat(128),
            "lovelaceanalyticalbyron".repeat(44),
            "abcdefghijklmnopqrstuvwxyz".repeat(39),
            "\u{fdfa}".repeat(1024),
            "\u{1f40e}".repeat(1024),
            "a\u{300}\u{301}\u{302}".repeat(250),
        ];
        let begun = Instant::now();
        for password in &hostile {
            let _ = judge(password, &context, &tiny());
        }
        // Milliseconds each, where the estimate alone would take seconds for some.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_password_makes_it_panic(password in any::<String>(), name in any::<String>()) {
            let context = Context { full_name: Some(&name), ..ANN };
            let _ = judge(&password, &context, &tiny());
        }

        #[test]
        fn both_normal_forms_are_judged_alike(password in "[a-z\u{e4}\u{e9}\u{f4} ]{0,20}") {
            use unicode_normalization::UnicodeNormalization;
            let apart: String = password.nfd().collect();
            prop_assert_eq!(judge(&password, &ANN, &tiny()), judge(&apart, &ANN, &tiny()));
        }
    }
}
