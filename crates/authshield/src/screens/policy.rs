//! What a page may load besides what all of them may.

use axum::http::{HeaderValue, header};
use axum::response::Response;

/// A script of ours that asks us for something.
pub(super) const OUR_SCRIPT: &[(&str, &str)] =
    &[("script-src", "'self'"), ("connect-src", "'self'")];

/// Adds sources to the policy that a page has already, `directive` by `directive`.
pub(super) fn allow(page: &mut Response, more: &[(&str, &str)]) {
    let Some(policy) = page.headers().get(header::CONTENT_SECURITY_POLICY) else { return };
    let widened = widen(policy.to_str().unwrap_or_default(), more);
    let policy = HeaderValue::try_from(widened).expect("our own directives are ASCII");
    page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
}

fn widen(policy: &str, more: &[(&str, &str)]) -> String {
    let parts = policy.split(';').filter_map(|part| {
        let mut words = part.split_whitespace();
        Some((words.next()?, words.collect::<Vec<_>>()))
    });
    let mut directives: Vec<(&str, Vec<&str>)> = parts.collect();
    for (name, sources) in more {
        let at = directives.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            directives.push((name, Vec::new()));
            directives.len() - 1
        });
        for source in sources.split_whitespace() {
            if !directives[at].1.contains(&source) {
                directives[at].1.push(source);
            }
        }
    }
    let written = directives.iter().map(|(name, sources)| [&[*name], &sources[..]].concat());
    written.map(|words| words.join(" ")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_allowed_twice_and_nothing_is_lost() {
        let before = "default-src 'none'; style-src 'self'; base-uri 'none'";
        let more =
            [("script-src", "'self' https://a.example"), ("style-src", "'self' https://b.example")];
        let after = "default-src 'none'; style-src 'self' https://b.example; base-uri 'none'; \
                     script-src 'self' https://a.example";
        assert_eq!(widen(before, &more), after);
        assert_eq!(widen(after, &more), after);
        assert_eq!(widen(before, &[]), before);
    }
}
