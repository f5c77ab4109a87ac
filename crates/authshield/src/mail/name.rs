//! What people call themselves is text from strangers, and a letter is a stage for it.

/// The longest name in a letter, in characters: enough for people, too short for a lure.
const AT_MOST: usize = 40;

/// Returns the name as a letter may show it, or `None` if it cannot be shown at all.
///
/// Control, bidirectional and invisible characters are taken out. What a mail program could turn
/// into a link (an address, a host name, a path) is not shown: whoever registers somebody else's
/// address must not get to put a link before their eyes.
pub(super) fn presentable(name: &str) -> Option<String> {
    let visible: String = name
        .chars()
        .filter_map(|c| match c {
            c if c.is_whitespace() => Some(' '),
            c if c.is_control() || is_invisible(c) => None,
            c => Some(c),
        })
        .collect();
    let words: Vec<&str> = visible.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() || words.iter().any(|word| looks_like_a_link(word)) {
        return None;
    }
    let name = words.join(" ");
    if name.chars().count() <= AT_MOST {
        return Some(name);
    }
    let cut: String = name.chars().take(AT_MOST - 1).collect();
    Some(format!("{}…", cut.trim_end()))
}

/// Returns whether a character changes how text reads without being seen itself.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Returns whether a mail program could make a link of `word`.
fn looks_like_a_link(word: &str) -> bool {
    // Half-width, full-width and ideographic forms count too: browsers map them to the plain ones.
    let is_dot = |c: char| matches!(c, '.' | '。' | '．' | '｡' | '․');
    if word.contains(['@', '/', '\\', ':', '＠', '／', '：', '⁄', '∕', '<', '>']) {
        return true;
    }
    let word = word.trim_matches(|c: char| is_dot(c) || !c.is_alphanumeric());
    let labels: Vec<&str> = word.split(is_dot).collect();
    labels.len() > 1
        && labels.last().is_some_and(|last| last.chars().filter(|c| c.is_alphabetic()).count() > 1)
}

#[cfg(test)]
mod tests {
    use super::presentable;

    #[test]
    fn names_of_people_are_shown_and_lures_are_not() {
        for (given, shown) in [
            ("Ann", Some("Ann")),
            ("  Ann \t Lee\r\n", Some("Ann Lee")),
            ("Lee, Ann", Some("Lee, Ann")),
            ("J. R. Smith jr.", Some("J. R. Smith jr.")),
            ("Zoë O’Neil-Müller", Some("Zoë O’Neil-Müller")),
            ("王小明", Some("王小明")),
            ("علي رضا", Some("علي رضا")),
            ("Ann\r\nBcc: eve", None),
            ("evil.com", None),
            ("win at evil.com now", None),
            ("evil。com", None),
            ("evil\u{200b}.com", None),
            ("https://evil", None),
            ("evil/x", None),
            ("eve@evil", None),
            ("A\u{202e}nn", Some("Ann")),
            ("\u{2066}\u{200f}", None),
            ("", None),
            ("\0", None),
        ] {
            assert_eq!(presentable(given).as_deref(), shown, "{given:?}");
        }
        let long = presentable(&"a".repeat(300)).expect("a name");
        assert_eq!(long.chars().count(), 40);
    }
}
