//! What a page does, as far as its markup tells: what it sends and where to, and which scripts it runs.
//!
//! No parser of HTML: it finds tags, which is enough to compare what our templates write with what an operator's do.

use std::collections::BTreeSet;

/// A tag that opens an element.
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns what it tells a browser to do with the page.
    fn policy(&self) -> Option<String> {
        let of = self.get("http-equiv").or(self.get("name").filter(|name| *name == "referrer"))?;
        let content = self.get("content").unwrap_or_default();
        (self.name == "meta").then(|| format!("`<meta>` for `{of}` with `{content}`"))
    }
}

/// Says what `ours` does and `own` does not.
pub(crate) fn lacks(ours: &str, own: &str) -> Vec<String> {
    let own = does(own);
    does(ours).into_iter().filter(|part| !own.contains(part)).collect()
}

/// Lists what a page does: where its forms lead, what they send, what its scripts need.
fn does(html: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut form = None;
    for tag in tags(html) {
        let get = |name| tag.get(name).unwrap_or_default();
        match tag.name.as_str() {
            "html" => _ = found.insert(format!("`<html lang=\"{}\">`", get("lang"))),
            "form" => {
                let method = get("method").to_ascii_lowercase();
                let to = format!("the form with method `{method}` to `{}`", get("action"));
                found.insert(to.clone());
                form = Some(to);
            }
            "/form" => form = None,
            "script" => _ = found.insert(format!("the script `{}`", get("src"))),
            "input" | "select" | "textarea" => {
                if let (Some(form), Some(name)) = (&form, tag.get("name")) {
                    let hidden = get("type").eq_ignore_ascii_case("hidden");
                    let kind = if hidden { "the hidden field" } else { "the field" };
                    let value =
                        if hidden { format!(" with `{}`", get("value")) } else { String::new() };
                    found.insert(format!("{kind} `{name}`{value} in {form}"));
                }
            }
            "button" => {
                if let Some(form) = &form {
                    found.insert(format!("the button of {form}"));
                }
            }
            _ => {}
        }
        found.extend(tag.policy());
        // What scripts look for; a provider's captcha is known by its class besides.
        for (name, value) in tag.attributes.iter().filter(|(name, _)| name.starts_with("data-")) {
            found.insert(format!("the attribute `{name}=\"{value}\"`"));
        }
        if tag.get("data-sitekey").is_some() {
            found.extend(
                get("class").split_whitespace().map(|class| format!("the class `{class}`")),
            );
        }
    }
    found
}

/// Says what of `html` no page may have unless ours has it: what the policy of pages (CSP) forbids, what tells a browser
/// to leave or to tell others where it was, and what makes markup behind it no markup, or a field one that is not sent.
pub(crate) fn forbidden(html: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for tag in tags(html) {
        let name = tag.name.as_str();
        found.extend(tag.policy());
        if matches!(name, "style" | "iframe" | "object" | "embed" | "base" | "frame" | "applet")
            || matches!(name, "plaintext" | "xmp" | "template" | "noembed" | "noframes")
            || name == "script" && tag.get("src").is_none()
        {
            found.insert(format!("`<{name}>`"));
        }
        for (attribute, value) in &tag.attributes {
            let loads = matches!(
                (name, attribute.as_str()),
                ("img" | "script" | "source" | "video" | "audio", "src")
                    | ("img" | "source", "srcset")
                    | ("link", "href")
                    | ("form", "action")
                    | ("button" | "input", "formaction")
            );
            let here = value.starts_with('/') && !value.starts_with("//");
            let picture = name == "img" && value.starts_with("data:image/");
            let turns = matches!(
                attribute.as_str(),
                "style"
                    | "disabled"
                    | "inert"
                    | "referrerpolicy"
                    | "enctype"
                    | "formenctype"
                    | "formmethod"
            );
            if turns || attribute.starts_with("on") {
                found.insert(format!("`{attribute}=`"));
            } else if loads && !here && !picture {
                found.insert(format!(
                    "`{attribute}=\"{value}\"` (a path on this server begins with `/`)"
                ));
            }
        }
    }
    found
}

/// Says what of a mail would run or be loaded: a mail that does tells somebody that it was read, and its link.
pub(crate) fn loads(html: &str) -> Option<String> {
    tags(html).iter().find_map(|tag| {
        let name = tag.name.as_str();
        if matches!(name, "script" | "iframe" | "object" | "embed" | "link" | "base" | "form") {
            return Some(format!("`<{name}>`"));
        }
        let (attribute, value) = tag.attributes.iter().find(|(attribute, value)| {
            matches!(attribute.as_str(), "src" | "srcset" | "background" | "poster")
                && !value.starts_with("data:")
        })?;
        Some(format!("`{attribute}=\"{value}\"`"))
    })
}

/// Returns markup without its comments.
pub(crate) fn without_comments(html: &str) -> String {
    let mut parts = html.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |kept, part| kept + part.split_once("-->").map_or("", |(_, after)| after))
}

/// Returns text without what escaping made of it.
pub(crate) fn plain(text: &str) -> String {
    let marks = [
        ("&#x2f;", "/"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    marks.into_iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Finds every tag; that which ends a form is `/form`.
fn tags(html: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        rest = after;
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
            continue;
        }
        let end = rest[1..].find(|c: char| c.is_whitespace() || c == '>' || c == '/');
        let (name, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        let name = name.to_ascii_lowercase();
        let (attributes, after) = attributes(after);
        rest = after;
        // What is in a script or a style is no markup.
        if matches!(name.as_str(), "script" | "style") {
            let end = rest.to_ascii_lowercase().find(&format!("</{name}"));
            rest = end.map_or("", |at| &rest[at..]);
        }
        found.push(Tag { name, attributes });
    }
    found
}

/// Reads what stands in a tag, and returns what is behind it.
fn attributes(tag: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = tag;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (found, "");
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        // Whatever begins it belongs to it.
        let mut letters = rest.char_indices().skip(1);
        let end = letters.find(|(_, c)| c.is_whitespace() || "=>/".contains(*c));
        let (name, after) = rest.split_at(end.map_or(rest.len(), |(end, _)| end));
        rest = after.trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            rest = after.trim_start();
            (value, rest) = match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => {
                    rest[1..].split_once(quote).unwrap_or((&rest[1..], ""))
                }
                _ => rest.split_at(
                    rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len()),
                ),
            };
        }
        found.push((name.to_ascii_lowercase(), plain(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "<!doctype html><html lang=\"en\"><script src=\"&#x2f;a.js\"></script>\
        <form method=\"post\" action=\"&#x2f;in\"><input type=\"hidden\" name=\"guard\" value=\"g1\">\
        <input name=\"email\"><button>Go</button></form>";

    #[test]
    fn what_a_page_no_longer_does_is_named() {
        let own = "<!DOCTYPE html><!-- <form> --><HTML lang=en><script src='/a.js'>if (a < b) {}</script >\
            <div class=x><form class=wide method=POST action=/in><p>1 < 2<label>Mail \
            <input NAME=email type=email></label><input value=\"g1\" name=guard type=hidden />\
            <button type=submit>Go!</button></form></div>";
        assert_eq!(lacks(OURS, own), Vec::<String>::new());
        for (from, to, lacking) in [
            ("value=\"g1\"", "value=\"\"", "the hidden field `guard` with `g1`"),
            (
                "NAME=email",
                "NAME=mail",
                "the field `email` in the form with method `post` to `/in`",
            ),
            ("action=/in", "action=/out", "the button of the form with method `post` to `/in`"),
            ("lang=en", "lang=de", "`<html lang=\"en\">`"),
            ("src='/a.js'", "src='/b.js'", "the script `/a.js`"),
            ("<button", "<a", "the button"),
        ] {
            let told = lacks(OURS, &own.replace(from, to)).join("\n");
            assert!(told.contains(lacking), "{told}");
        }
    }

    #[test]
    fn what_browsers_would_not_do_is_named() {
        for (html, told) in [
            ("<style>b{}</style>", "`<style>`"),
            ("<script>x()</script>", "`<script>`"),
            ("<p style='x'>", "`style=`"),
            ("<p\nonclick=x()>", "`onclick=`"),
            ("<img src=\"https://example.org/a.png\">", "`src=\"https://example.org/a.png\"`"),
            ("<img src=//example.org/a.png>", "`src=\"//example.org/a.png\"`"),
            ("<link href='x.css'>", "`href=\"x.css\"`"),
            ("<form action=\"https://evil.example\">", "`action=\"https://evil.example\"`"),
            ("<base href=/>", "`<base>`"),
            ("<plaintext>", "`<plaintext>`"),
            ("<input name=guard disabled>", "`disabled=`"),
            ("<a href=/ referrerpolicy=unsafe-url>", "`referrerpolicy=`"),
            (
                "<meta name=referrer content=unsafe-url>",
                "`<meta>` for `referrer` with `unsafe-url`",
            ),
            (
                "<meta http-equiv=refresh content='0;url=/x'>",
                "`<meta>` for `refresh` with `0;url=/x`",
            ),
        ] {
            let found = forbidden(html);
            assert!(found.iter().any(|part| part.starts_with(told)), "{html}: {found:?}");
        }
        let fine =
            "<img src=\"/a\"><img src=\"data:image/svg+xml;base64,x\"><a href=https://a.example>";
        assert_eq!(forbidden(fine), BTreeSet::new());
        assert_eq!(forbidden(OURS), BTreeSet::new());
    }

    #[test]
    fn a_mail_loads_nothing_and_comments_are_not_shown() {
        for (html, told) in [
            (
                "<img src=https://example.org/?l={{link}}>",
                "`src=\"https://example.org/?l={{link}}\"`",
            ),
            ("<td background=//example.org/a>", "`background=\"//example.org/a\"`"),
            ("<script>x()</script>", "`<script>`"),
        ] {
            assert_eq!(loads(html).as_deref(), Some(told));
        }
        let fine =
            "<a href=https://example.org>x</a><img src='data:image/png;base64,x'><p style=x>";
        assert_eq!(loads(fine), None);
        assert_eq!(without_comments("a<!-- b -->c<!--d--><!-- e"), "ac");
    }

    #[test]
    fn no_text_stops_it() {
        for text in [
            "<",
            "<a",
            "</",
            "<a b",
            "<a b=",
            "<a b='",
            "<é é=é>",
            "<a é",
            "<!--",
            "<a =x>",
            "a<b<c",
        ] {
            let _ = (does(text), forbidden(text));
        }
        assert_eq!(tags("<a b=c d='e f' g>x</a>").len(), 2);
    }
}
