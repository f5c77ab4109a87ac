//! What no tag of an operator's template may have, as far as its text tells.

/// How long one tag may be, in bytes: what is nested deeper than the stack ends the program.
const AT_MOST: usize = 1000;
/// How many brackets may be in one another: lists are put into lists by many tags, and taken down at once.
const NESTED_AT_MOST: usize = 4;
/// How long a macro may be, in bytes: what it makes is kept before anybody counts it, and it may have loops.
const MACRO_AT_MOST: usize = 2000;

/// Says on which lines something is that may not be, and what to do.
///
/// Tags end where the engine ends them: its parser takes whatever is in them at once.
pub(super) fn odd(source: &str) -> Vec<(usize, String)> {
    let (mut odd, mut macros, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(begun) = source[at..].find('{').map(|found| at + found) {
        let ends = match source.as_bytes().get(begun + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = begun + 1;
                continue;
            }
        };
        let rest = unsigned(&source[begun + 2..]);
        if ends == "#}" {
            let after = rest.split_once(ends).map_or("", |(_, after)| after);
            at = source.len() - after.len();
            continue;
        }
        if let Some(raw) = after_plain(rest, "raw").filter(|_| ends == "%}") {
            at = source.len() - after_raw(raw).len();
            continue;
        }
        let (bare, length) = read(rest, ends);
        at = source.len() - rest.len() + length;
        let word = if ends == "%}" { words(&bare).next().unwrap_or_default() } else { "" };
        let line = source[..begun].matches('\n').count() + 1;
        let mut add = |told: String| odd.push((line, told));
        if at - begun > AT_MOST {
            add(format!("a tag has more than {AT_MOST} bytes; make several of it"));
        }
        match word {
            "macro" => macros.push(begun),
            "endmacro" if macros.pop().is_some_and(|begun| at - begun > MACRO_AT_MOST) => {
                add(format!(
                    "a macro has more than {MACRO_AT_MOST} bytes; write what is long outside of it"
                ));
            }
            _ => {}
        }
        if let Some(told) = judge(word, &bare, !macros.is_empty()) {
            add(told);
        }
    }
    odd
}

/// Says what is wrong with a tag that begins with `word`, and what to do.
fn judge(word: &str, bare: &str, in_macro: bool) -> Option<String> {
    // Around what is in it may stand how to treat the space outside.
    let inside = bare.strip_suffix(['-', '+']).unwrap_or(bare);
    let told = match word {
        "autoescape" => {
            "`autoescape` is not for templates of pages and mails, whatever is put in is escaped; \
             take it out"
        }
        "endset" | "filter" | "call" => {
            "text of a block cannot be kept or changed (`set` with `endset`, `filter`, `call`); \
             write it where it is shown"
        }
        "import" => "`import` keeps all that comes of a template; take `{% from … import … %}`",
        "include" | "from" | "extends" if in_macro => {
            "a macro cannot have another template in it; write it outside"
        }
        "set" | "with" if inside.contains(['[', '{', ',']) => {
            "`set` and `with` keep one text or number, no list; write the list where it is used"
        }
        _ if words(inside).any(|it| matches!(it, "self" | "recursive" | "caller"))
            || words(inside).any(|it| it == "super")
                && (in_macro || inside.trim() != "super()") =>
        {
            "what a block or a loop makes cannot be used again (`self`, `recursive`, `caller`, \
             `super` but in `{{ super() }}`); take it out"
        }
        _ if nested(inside) > NESTED_AT_MOST => {
            "more than four brackets are in one another; make several tags of it"
        }
        _ => {
            let sign = inside.chars().find(|c| matches!(c, '*' | '~' | '+'))?;
            return Some(format!(
                "`{sign}` makes much out of little, and is not there; write what belongs together side by side, as \
                 in `{{{{ a }}}}{{{{ b }}}}`"
            ));
        }
    };
    Some(told.to_owned())
}

/// Reads a tag up to what ends it outside of quotes and brackets. Returns what it has, of texts in quotes no more than
/// the quote that begins them, and how long it is; one without an end has all that follows.
fn read(tag: &str, ends: &str) -> (String, usize) {
    let (mut bare, mut quote, mut escaped, mut open) = (String::new(), None, false, 0_i64);
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(begun), _) if begun == c => quote = None,
            (Some(_), _) => {}
            (None, _) if open == 0 && tag[at..].starts_with(ends) => {
                return (bare, at + ends.len());
            }
            (None, _) => {
                match c {
                    '"' | '\'' => quote = Some(c),
                    '{' | '[' | '(' => open += 1,
                    '}' | ']' | ')' => open -= 1,
                    _ => {}
                }
                bare.push(c);
            }
        }
    }
    (bare, tag.len())
}

/// Returns how many brackets are in one another at most.
fn nested(tag: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for c in tag.chars() {
        match c {
            '{' | '[' | '(' => open += 1,
            '}' | ']' | ')' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn words(tag: &str) -> impl Iterator<Item = &str> {
    tag.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Returns what follows the sign that says how to treat the space outside of a tag.
fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

/// Returns what follows a tag that has nothing but a word.
fn after_plain<'a>(tag: &'a str, word: &str) -> Option<&'a str> {
    let rest = tag.trim_ascii_start().strip_prefix(word)?.trim_ascii_start();
    unsigned(rest).strip_prefix("%}")
}

/// Returns what follows text in which tags are none.
fn after_raw(mut text: &str) -> &str {
    while let Some((_, tag)) = text.split_once("{%") {
        if let Some(after) = after_plain(unsigned(tag), "endraw") {
            return after;
        }
        text = tag;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_in_quotes_and_around_a_tag_are_no_sums() {
        for fine in [
            "a + b * c ~ d { * } {# {{ 'a' * 2 }} #}",
            "{{ \"*\" }}{{ '\\'*' }}{%+ if a -%}{% endif +%}{{+ a -}}",
            "{{ loop.index - 1 / 2 % 3 }}{{ m(say('a', b=say('c'))) }}{{ [[[[1]]]] }}",
            "{% raw %}{{ a * b }}{% set %}{%- endraw -%}{%- raw -%}{{ '{% endraw %}",
            "{% block a %}{{- super() -}}{% endblock %}{{ 'self' }}",
            "{% set a = 'x, [y]' %}{% if a in ['}}', '%}'] %}{% endif %}",
        ] {
            assert_eq!(odd(fine), [], "{fine}");
        }
        for (source, line, told) in [
            ("\n{{ a*2 }}", 2, "`*`"),
            ("{% if '\\\\' ~ a %}", 1, "`~`"),
            ("{{ '}' + a", 1, "`+`"),
            ("{%- autoescape false %}", 1, "`autoescape`"),
            ("{% set a = '%}' * 40000000 %}", 1, "`*`"),
            ("{% set a = '\\'%}' * 40000000 %}", 1, "`*`"),
            ("{{ {'x': {'y': 1}} and 'zz' * 10 }}", 1, "`*`"),
            ("{# {% raw %} #}\n{{ a * 2 }}", 2, "`*`"),
            ("{% raw %}{% endraw %}{{ a * 2 }}", 1, "`*`"),
            ("{% raw x %}{{ a * 2 }}{% endraw %}", 1, "`*`"),
            ("{#-#}{{ a * 2 }}", 1, "`*`"),
        ] {
            let found = odd(source);
            assert!(found[0].0 == line && found[0].1.contains(told), "{source}: {found:?}");
        }
    }

    #[test]
    fn a_tag_ends_where_the_engine_ends_it() {
        for signs in ["'%}' and ", "[1, {2: '%}'}, '%}'] and ", "\"\\\"%}\" and "] {
            let long = format!("{{% if {signs}{}1 %}}{{% endif %}}", "-".repeat(30_000));
            let found = odd(&long);
            assert!(found.len() == 1 && found[0].1.contains("make several"), "{signs}: {found:?}");
        }
    }

    #[test]
    fn nothing_is_kept_that_nobody_counts() {
        let much = "x".repeat(2000);
        for (source, told) in [
            ("{% set a %}x{% endset %}", "cannot be kept"),
            ("{%- filter upper %}x{% endfilter %}", "cannot be kept"),
            ("{% call(a) m() %}x{% endcall %}", "cannot be kept"),
            (&format!("{{% macro m() %}}{much}{{% endmacro %}}"), "more than 2000 bytes"),
            ("{% import 'a.html' as a %}", "from … import"),
            ("{% macro m() %}{% include 'a.html' %}{% endmacro %}", "another template"),
            ("{% macro m() %}{{ super() }}{% endmacro %}", "used again"),
            ("{% set a = super() %}", "used again"),
            ("{% set a = self.title() %}", "used again"),
            ("{% for a in b recursive %}{% endfor %}", "used again"),
            ("{% for b in [[[[[a]]]]] %}{% endfor %}", "four brackets"),
            ("{% set a = [a, a] %}", "no list"),
            ("{% set a = a, a %}", "no list"),
            ("{% with a = {'a': a} %}{% endwith %}", "no list"),
        ] {
            let found = odd(source);
            assert!(found.iter().any(|(_, why)| why.contains(told)), "{source}: {found:?}");
        }
    }
}
