//! Whose form it is.

/// Decides whether a form was sent by one of our own pages.
///
/// Browsers say so in `Sec-Fetch-Site`, which no page can forge. Those that do not, because they are old or
/// the address is neither https nor this machine, name the origin of the page in `Origin`. Who says neither
/// is no browser of a visitor.
pub(super) fn is_own(fetch_site: Option<&str>, origin: Option<&str>, ours: &str) -> bool {
    match fetch_site {
        Some(site) => site == "same-origin",
        None => origin == Some(ours),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_our_forms() {
        let ours = "https://id.example.org";
        for (site, origin, own) in [
            (Some("same-origin"), Some(ours), true),
            // A page that names no referrer has no origin to name either.
            (Some("same-origin"), Some("null"), true),
            (None, Some(ours), true),
            (Some("same-site"), Some("https://blog.example.org"), false),
            (Some("cross-site"), Some(ours), false),
            (Some("none"), None, false),
            (Some("same-origin, cross-site"), Some(ours), false),
            (None, Some("null"), false),
            (None, Some("http://id.example.org"), false),
            (None, Some("https://id.example.org:8443"), false),
            (None, Some("https://id.example.org.evil.example"), false),
            (None, None, false),
        ] {
            assert_eq!(is_own(site, origin, ours), own, "{site:?} {origin:?}");
        }
    }
}
