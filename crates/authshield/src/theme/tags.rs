//! What no tag of an operator's template may have, as far as its text tells.

/// How long one tag may be, in bytes: what is nested deeper than the stack ends the program.
const AT_MOST: usize = 1000;

/// Says on which lines something is that may not be, and what to do.
pub(super) fn odd(source: &str) -> Vec<(usize, String)> {
    let mut odd = Vec::new();
    let mut at = 0;
    while let Some(begun) = source[at..].find('{').map(|found| at + found) {
        let ends = match source.as_bytes().get(begun + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            _ => {
                at = begun + 1;
                continue;
            }
        };
        at = begun + 2;
        let line = source[..begun].matches('\n').count() + 1;
        let end = source[at..].find(ends).map_or(source.len(), |found| at + found);
        if end - begun > AT_MOST {
            odd.push((line, format!("a tag has more than {AT_MOST} bytes; make several of it")));
        }
        // Around what is in it may stand how to treat the space outside.
        let inside = source[at..end].trim_matches(['-', '+']);
        if inside.trim_start().starts_with("autoescape") {
            let told = "`autoescape` is not for templates of pages and mails, whatever is put in is escaped; \
                        take it out";
            odd.push((line, told.to_owned()));
        }
        if let Some(sign) = multiplies(inside) {
            let told = format!(
                "`{sign}` makes much out of little, and is not there; write what belongs together side by side, as \
                 in `{{{{ a }}}}{{{{ b }}}}`"
            );
            odd.push((line, told));
        }
    }
    odd
}

/// Returns a sign outside of quotes that puts together, or many times, what is in a tag.
fn multiplies(tag: &str) -> Option<char> {
    let (mut quote, mut escaped) = (None, false);
    for c in tag.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '*' | '~' | '+') => return Some(c),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_in_quotes_and_around_a_tag_are_no_sums() {
        for fine in [
            "a + b * c ~ d { * } {# {{ 'a' }} #}",
            "{{ \"*\" }}{{ '\\'*' }}{%+ if a -%}{% endif +%}{{+ a -}}",
            "{{ loop.index - 1 / 2 % 3 }}",
        ] {
            assert_eq!(odd(fine), [], "{fine}");
        }
        for (source, line, told) in [
            ("\n{{ a*2 }}", 2, "`*`"),
            ("{% if '\\\\' ~ a %}", 1, "`~`"),
            ("{{ '}' + a", 1, "`+`"),
            ("{%- autoescape false %}", 1, "`autoescape`"),
        ] {
            let found = odd(source);
            assert!(found[0].0 == line && found[0].1.contains(told), "{source}: {found:?}");
        }
    }
}
