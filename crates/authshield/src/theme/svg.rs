//! Whether an SVG is one: XML that is whole, and a picture that needs nothing else.
//!
//! Browsers run nothing in a picture and load nothing for it, and its policy forbids both where it is opened alone. Who
//! drew one with a script, or with a part that is somewhere else, wants to know that it does not show.

use roxmltree::{Document, Node};

/// What belongs to documents and programs.
const FORBIDDEN: [&str; 6] = ["script", "foreignobject", "iframe", "object", "embed", "handler"];

/// Says what is wrong with `text` and what to do; `None` if it is a picture.
pub(super) fn wrong(text: &str) -> Option<String> {
    judge(text).err()
}

fn judge(text: &str) -> Result<(), String> {
    let document = Document::parse(text)
        .map_err(|error| format!("is no whole SVG: {error}; save it again"))?;
    if document.root_element().tag_name().name() != "svg" {
        return Err(
            "is no SVG: the one element around all is not `<svg>`; save it again".to_owned()
        );
    }
    document.descendants().try_for_each(judge_node)
}

fn judge_node(node: Node<'_, '_>) -> Result<(), String> {
    if node.is_pi() {
        return Err("has an instruction for programs (`<?`), which no picture needs; take it out"
            .to_owned());
    }
    let name = node.tag_name().name();
    if FORBIDDEN.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("has `<{name}>`, which no picture needs; take it out"));
    }
    if name.eq_ignore_ascii_case("style") {
        // A browser reads as one what a comment splits.
        let parts: String =
            node.children().filter_map(|part| part.text().filter(|_| part.is_text())).collect();
        judge_style(&parts)?;
        if node.children().any(|part| part.is_element()) {
            return Err("has an element within a style; take it out".to_owned());
        }
    }
    for attribute in node.attributes() {
        let (name, value) = (attribute.name(), attribute.value());
        let plain = name.to_ascii_lowercase();
        if plain.starts_with("on") {
            return Err(format!("has `{name}`, which runs a script; take it out"));
        }
        if matches!(plain.as_str(), "href" | "src") && !is_inside(value) {
            return Err(elsewhere(value));
        }
        if plain == "attributename" && is_address(value) {
            return Err(format!("moves `{}` to something else; take it out", value.trim()));
        }
        // What a program notes for itself, in a vocabulary of its own, shows nothing.
        if attribute.namespace().is_none() {
            judge_style(value)?;
        }
    }
    Ok(())
}

/// Whether what an animation sets is an address, in whichever vocabulary.
fn is_address(name: &str) -> bool {
    let name = name.trim();
    name.rsplit(':').next().is_some_and(|it| it.eq_ignore_ascii_case("href"))
}

/// Whether an address is within the picture.
fn is_inside(address: &str) -> bool {
    let address =
        address.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    let kind = address.get(..11).unwrap_or_default();
    address.starts_with('#') || kind.eq_ignore_ascii_case("data:image/")
}

fn elsewhere(address: &str) -> String {
    let shown: String = address.chars().take(60).collect();
    format!("shows what is somewhere else, `{shown}`; draw it into the picture")
}

/// Judges a style, or a value that may be part of one.
fn judge_style(style: &str) -> Result<(), String> {
    let plain = style.to_ascii_lowercase();
    if plain.contains("@import") || plain.contains('\\') {
        return Err(
            "has a style that loads another (`@import`), or hides what it says; take it out"
                .to_owned(),
        );
    }
    // Each part of a set may be somewhere else.
    if plain.contains("image-set(") {
        return Err("chooses from pictures (`image-set`); draw one into the picture".to_owned());
    }
    ["url(", "src("]
        .into_iter()
        .flat_map(|shows| plain.split(shows).skip(1))
        .find(|address| !is_inside(address))
        .map_or(Ok(()), |address| Err(elsewhere(address.split(')').next().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_draw_is_a_picture() {
        for whole in [
            "<svg/>",
            "\u{feff}<?xml version=\"1.0\" encoding='UTF-8'?>\n<!-- a > b -->\n<svg\n xmlns=\"http://www.w3.org/2000/svg\" \
             xmlns:xlink='http://www.w3.org/1999/xlink' viewBox=\"0 0 8 8\">\n<title>R&amp;D &#169; &#xa9;</title>\
             <defs><linearGradient id=\"a\"><stop offset=\"0\" stop-color=\"#fff\"/></linearGradient></defs>\
             <style><![CDATA[.a > .b { fill: url(#a) }]]></style><style>.c{fill:url( '#a')}</style>\
             <style>.d{fill:<!-- a -->url(#a)}</style><animate attributeName=\"fill\" to=\"#fff\"/>\
             <g style=\"fill:url(#a)\"><path d=\"M0 0h8v8z\" fill=\"url(#a)\"/></g >\
             <use xlink:href=\"#b\"/><image href=\"data:image/png;base64,AAAA\"/></svg>\n",
        ] {
            assert_eq!(wrong(whole), None, "{whole}");
        }
        assert!(include_str!("../../assets/icon.svg").contains("<svg"));
        assert_eq!(wrong(include_str!("../../assets/icon.svg")), None);
    }

    #[test]
    fn what_is_broken_runs_or_is_elsewhere_is_no_picture() {
        for (text, why) in [
            ("", "no whole SVG"),
            ("svg", "no whole SVG"),
            ("<svg>", "no whole SVG"),
            ("<svg><g></svg></g>", "no whole SVG"),
            ("<svg/><svg/>", "no whole SVG"),
            ("<html><svg/></html>", "around all"),
            ("<svg a=b/>", "no whole SVG"),
            ("<svg a='1' a='2'/>", "no whole SVG"),
            ("<svg>&nbsp;</svg>", "no whole SVG"),
            ("<svg>\0</svg>", "no whole SVG"),
            (&"<svg>".repeat(3000), "no whole SVG"),
            ("<!DOCTYPE svg [<!ENTITY a 'aaa'>]><svg>&a;</svg>", "DTD"),
            ("<?xml-stylesheet href='a.css'?><svg/>", "instruction"),
            ("<svg><SCRIPT>alert(1)</SCRIPT></svg>", "`<SCRIPT>`"),
            ("<svg xmlns:s='http://www.w3.org/2000/svg'><s:script/></svg>", "`<script>`"),
            ("<svg><foreignObject/></svg>", "`<foreignObject>`"),
            ("<svg onload=\"alert(1)\"/>", "`onload`"),
            ("<svg><image href='https://evil.example/a.png'/></svg>", "somewhere else"),
            (
                "<svg xmlns:x='http://www.w3.org/1999/xlink'><use x:href='sprite.svg#a'/></svg>",
                "somewhere else",
            ),
            ("<svg><a href='javascript:alert(1)'/></svg>", "somewhere else"),
            ("<svg><image href='data:text/html,x'/></svg>", "somewhere else"),
            ("<svg><style>@import 'a.css';</style></svg>", "@import"),
            ("<svg><style>.a{fill:URL( \"//evil.example\")}</style></svg>", "somewhere else"),
            ("<svg><style><![CDATA[.a{fill:url(a.svg)}]]></style></svg>", "somewhere else"),
            ("<svg fill='url(a.svg#b)'/>", "somewhere else"),
            ("<svg><style>.a{fill:u<!-- -->rl(a.svg)}</style></svg>", "somewhere else"),
            ("<svg><style>@im<![CDATA[port]]><!-- --> 'a.css';</style></svg>", "@import"),
            ("<svg><style>.a{fill:u<g/>rl(a.svg)}</style></svg>", "somewhere else"),
            ("<svg><style>.a{}<g/></style></svg>", "element within a style"),
            ("<svg><style>.a{fill:src('//evil.example')}</style></svg>", "somewhere else"),
            ("<svg style='mask:-webkit-image-set(&quot;a.png&quot; 1x)'/>", "`image-set`"),
            ("<svg><style>.a{mask:image-set(url(#a) 1x, 'a.png' 2x)}</style></svg>", "`image-set`"),
            ("<svg><set attributeName='href' to='//evil.example'/></svg>", "`href`"),
            ("<svg><animate attributeName=' xlink:href ' values='a;b'/></svg>", "`xlink:href`"),
        ] {
            let told = wrong(text).unwrap_or_else(|| panic!("{text} is a picture"));
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
