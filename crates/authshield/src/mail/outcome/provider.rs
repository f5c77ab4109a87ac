//! Which mailbox provider takes the mail of a domain, from its MX records. Pure.
//!
//! About a dozen names, whatever domains users have: enough to see that one provider fares worse than
//! the others, and few enough for labels.

/// What the names of a provider's mail servers end in.
const KNOWN: [(&str, &str); 33] = [
    ("google.com", "google"),
    ("googlemail.com", "google"),
    ("outlook.com", "microsoft"),
    ("mx.microsoft", "microsoft"),
    ("hotmail.com", "microsoft"),
    ("yahoodns.net", "yahoo"),
    ("icloud.com", "apple"),
    ("apple.com", "apple"),
    ("protonmail.ch", "proton"),
    ("proton.me", "proton"),
    ("messagingengine.com", "fastmail"),
    ("zoho.com", "zoho"),
    ("zoho.eu", "zoho"),
    ("zoho.in", "zoho"),
    ("zohomail.com", "zoho"),
    ("yandex.net", "yandex"),
    ("yandex.ru", "yandex"),
    ("mail.ru", "mailru"),
    ("gmx.net", "ionos"),
    ("web.de", "ionos"),
    ("kundenserver.de", "ionos"),
    ("ionos.com", "ionos"),
    ("1and1.com", "ionos"),
    ("qq.com", "tencent"),
    ("163.com", "netease"),
    ("netease.com", "netease"),
    ("amazonaws.com", "amazon"),
    ("mimecast.com", "mimecast"),
    ("mimecast.co.za", "mimecast"),
    ("pphosted.com", "proofpoint"),
    ("ppe-hosted.com", "proofpoint"),
    ("barracudanetworks.com", "barracuda"),
    ("ess.barracuda.com", "barracuda"),
];

/// Some other server takes it.
pub const OTHER: &str = "other";
/// Nobody takes it.
pub const NOBODY: &str = "none";
/// It is not known who does.
pub const UNKNOWN: &str = "unknown";

/// Returns the name of a provider that the database has, or `unknown` if it is not one of ours.
#[must_use]
pub fn known(name: &str) -> &'static str {
    let names = KNOWN.iter().map(|(_, name)| *name).chain([OTHER, NOBODY]);
    names.into_iter().find(|known| *known == name).unwrap_or(UNKNOWN)
}

/// Returns who takes mail, from the names of mail servers, the preferred first; without any the domain
/// takes it itself, if it has an address (RFC 5321, 5.1). One without a name says that nobody does (RFC
/// 7505).
#[must_use]
pub fn of(servers: &[String], has_address: bool) -> &'static str {
    let Some(first) = servers.first() else {
        return if has_address { OTHER } else { NOBODY };
    };
    if first.is_empty() {
        return NOBODY;
    }
    let ends = |server: &str, end: &str| {
        server.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let found = servers.iter().find_map(|server| {
        let server = server.to_ascii_lowercase();
        KNOWN.iter().find(|(end, _)| ends(&server, end)).map(|(_, name)| *name)
    });
    found.unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_its_servers_and_by_nothing_that_looks_like_them() {
        for (servers, has_address, provider) in [
            (&["gmail-smtp-in.l.google.com"] as &[&str], true, "google"),
            (&["example-org.mail.protection.outlook.com"], true, "microsoft"),
            (&["mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net"], true, "yahoo"),
            (&["mx01.mail.icloud.com"], true, "apple"),
            (&["mail.protonmail.ch"], true, "proton"),
            (&["MX00.GMX.NET"], true, "ionos"),
            (&["backup.example.org", "aspmx.l.google.com"], true, "google"),
            (&["google.com.example.org"], true, OTHER),
            (&["notgoogle.com"], true, OTHER),
            (&["mx.example.org"], true, OTHER),
            (&[], true, OTHER),
            (&[], false, NOBODY),
            (&[""], true, NOBODY),
        ] {
            let servers: Vec<_> = servers.iter().map(ToString::to_string).collect();
            assert_eq!(of(&servers, has_address), provider, "{servers:?}");
        }
    }

    #[test]
    fn there_are_few_names_and_each_is_one() {
        let names: std::collections::BTreeSet<_> = KNOWN.iter().map(|(_, name)| *name).collect();
        assert!(names.len() < 20, "{names:?}");
        for name in names.iter().copied().chain([OTHER, NOBODY, UNKNOWN]) {
            assert_eq!(known(name), name);
        }
        assert_eq!(known("elsewhere"), UNKNOWN);
    }
}
