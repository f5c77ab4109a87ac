//! Passwords that everybody chooses: the lists, and what people derive from them.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// See `assets/passwords/README.md`.
const LISTS: [&str; 3] = [
    include_str!("../../assets/passwords/common-passwords-10k.txt"),
    include_str!("../../assets/passwords/common-passwords-min8-10k.txt"),
    include_str!("../../assets/passwords/common-passwords-min15.txt"),
];

/// The lines of the lists, which are lower case already.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| LISTS.iter().flat_map(|list| list.lines()).collect());

/// Keyboards, row above row. A key touches its neighbours, and of the rows above and below the two
/// that it lies between.
const KEYBOARDS: [[&str; 4]; 3] = [
    ["1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"],
    ["1234567890\u{df}", "qwertzuiop\u{fc}+", "asdfghjkl\u{f6}\u{e4}#", "yxcvbnm,.-"],
    ["1234567890", "azertyuiop", "qsdfghjklm", "wxcvbn,;:!"],
];

/// The digits, as they look with shift.
const SHIFTED: &str = "!@#$%^&*()";

/// Walks shorter than this are too frequent in honest words.
const SHORTEST_WALK: usize = 3;

/// Returns `text` in the form in which guesses are compared: compatibility forms and case folded.
///
/// NFKC rather than NFC, and upper case before lower: full-width letters, the long s and the sharp s
/// are the same guess as the plain letters.
pub(super) fn fold(text: &str) -> Zeroizing<String> {
    let folded = text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    Zeroizing::new(folded.nfkc().collect())
}

/// Whether a guesser would try `folded`, which [`fold`] made, before anything else.
///
/// `min_length` is how short a part may be that is repeated.
pub(super) fn is_common(folded: &str, min_length: usize) -> bool {
    let bare: Zeroizing<String> =
        Zeroizing::new(folded.chars().filter(|char| char.is_alphanumeric()).collect());
    [folded, &bare].into_iter().any(|text| {
        let chars = Zeroizing::new(text.chars().collect::<Vec<_>>());
        COMMON.contains(text)
            || is_repetition(&chars, min_length)
            || is_sequence(&chars)
            || KEYBOARDS.iter().any(|keyboard| is_walk(&chars, keyboard))
    })
}

/// The same again and again, where what is repeated would not do by itself.
fn is_repetition(chars: &[char], min_length: usize) -> bool {
    let period = (1..=chars.len() / 2)
        .find(|&period| chars[period..].iter().zip(chars).all(|(later, first)| later == first));
    period.is_some_and(|period| {
        let part: Zeroizing<String> = Zeroizing::new(chars[..period].iter().collect());
        period < min_length || COMMON.contains(part.as_str())
    })
}

/// `abcdefgh`, `87654321`, `7890123`
fn is_sequence(chars: &[char]) -> bool {
    let after = |one: char, other: char| {
        u32::from(one) + 1 == u32::from(other) || (one, other) == ('9', '0')
    };
    chars.len() > 1
        && (chars.windows(2).all(|pair| after(pair[0], pair[1]))
            || chars.windows(2).all(|pair| after(pair[1], pair[0])))
}

/// Nothing but walks from key to neighbouring key: `qwertyuiop`, `1qaz2wsx`, `asdfzxcv`
fn is_walk(chars: &[char], keyboard: &[&str; 4]) -> bool {
    let place = |char: &char| {
        let digit = SHIFTED.chars().position(|shifted| shifted == *char);
        let plain = digit.and_then(|digit| keyboard[0].chars().nth(digit)).unwrap_or(*char);
        keyboard
            .iter()
            .enumerate()
            .find_map(|(row, keys)| Some((row, keys.chars().position(|key| key == plain)?)))
    };
    let Some(places) = chars.iter().map(place).collect::<Option<Vec<_>>>() else {
        return false;
    };
    !places.is_empty()
        && places.chunk_by(|one, other| touch(*one, *other)).all(|walk| walk.len() >= SHORTEST_WALK)
}

/// Whether two keys, by row and column, are the same or neighbours.
fn touch(one: (usize, usize), other: (usize, usize)) -> bool {
    let (upper, lower) = if one <= other { (one, other) } else { (other, one) };
    match lower.0 - upper.0 {
        0 => lower.1 - upper.1 <= 1,
        // each row begins half a key further to the right than the one above it
        1 => upper.1 == lower.1 || upper.1 == lower.1 + 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_folded_and_whole() {
        for (list, lines) in LISTS.iter().zip([10_000, 10_000, 40]) {
            assert_eq!(list.lines().count(), lines);
            for line in list.lines() {
                assert_eq!(fold(line).as_str(), line);
            }
        }
    }

    #[test]
    fn what_is_derived_from_the_lists_is_common_too() {
        for password in [
            "password",
            "PassWord",
            "\u{ff50}assword",
            "pa\u{17f}\u{17f}word",
            "p a s s w o r d",
            "pass-word",
            "passwordpassword",
            "Password Password",
            "letmein!letmein!letmein!",
            "footballfootballfoot",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabcabcab",
            "\u{e4}\u{f6}\u{e4}\u{f6}\u{e4}\u{f6}\u{e4}\u{f6}",
            "abcdefghijklmnop",
            "zyxwvutsrqponmlk",
            "45678901234567890",
            "qwertyuiopasdfghjklzxcvbnm",
            "1qaz2wsx3edc4rfv5tgb",
            "!QAZ@WSX#EDC$RFV",
            "qwertzuiop\u{fc}asdfghjkl\u{f6}",
            "azertyuiopqsdfghjklm",
            "poiuytrewq0987654321",
        ] {
            assert!(is_common(&fold(password), 8), "{password}");
        }
    }

    #[test]
    fn what_is_a_persons_own_is_not_common() {
        for password in [
            "",
            "a",
            "correct horse battery staple",
            "my password is not this",
            "trees were free when reeds grew",
            "xkvq-9081-mmtz",
            "correct horse correct horse",
        ] {
            assert!(!is_common(&fold(password), 8), "{password}");
        }
    }
}
