//! SPDX licence expressions: may we, or may we not?

/// Returns whether `expression` can be satisfied with licences that `is_allowed` allows.
///
/// `A OR B` asks for one of the two, `A AND B` for both; `A/B` is how `A OR B` was once written.
pub(crate) fn is_satisfied(expression: &str, is_allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = any(&mut words, is_allowed);
    // What is left over was not understood, and what is not understood is not allowed.
    verdict == Some(true) && words.next().is_none()
}

type Words<'w> = std::iter::Peekable<std::str::SplitWhitespace<'w>>;

fn any(words: &mut Words<'_>, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut verdict = all(words, is_allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        verdict |= all(words, is_allowed)?;
    }
    Some(verdict)
}

fn all(words: &mut Words<'_>, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut verdict = one(words, is_allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, is_allowed)?;
    }
    Some(verdict)
}

fn one(words: &mut Words<'_>, is_allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    match words.next()? {
        "(" => {
            let verdict = any(words, is_allowed)?;
            words.next_if_eq(&")")?;
            Some(verdict)
        }
        ")" | "AND" | "OR" | "WITH" => None,
        licence => {
            // An exception only permits more.
            if words.next_if_eq(&"WITH").is_some() {
                words.next()?;
            }
            Some(is_allowed(licence))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_satisfied;

    #[test]
    fn expressions_are_understood() {
        let allowed = |licence: &str| ["MIT", "Apache-2.0", "ISC"].contains(&licence);
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only/MIT", true),
            ("Apache-2.0 / GPL-3.0-only", true),
            ("MIT AND GPL-3.0-only", false),
            ("GPL-3.0-only OR MIT AND ISC", true),
            ("MIT AND (GPL-3.0-only OR ISC)", true),
            ("(MIT OR ISC) AND GPL-3.0-only", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true),
            ("MIT GPL-3.0-only", false),
            ("(MIT", false),
            ("MIT)", false),
            ("OR", false),
            ("", false),
        ] {
            assert_eq!(is_satisfied(expression, &allowed), expected, "{expression}");
        }
    }
}
